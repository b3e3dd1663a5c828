"""A book in the warehouse is the portfolio in memory, however it was got there."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from include.paper_book import table
from include.paper_book.advance import advance_books
from include.trading.portfolio import Step, step
from include.trading.rules import Rules
from include.trading.state import State
from tests.paper_book.warehouse import fetch, held, put_book, put_days
from tests.trading.markets import Day, made_up_days

CAPITAL = 3_000_000
RULES = Rules(max_holdings=4, target_pct=8, max_holding_sessions=6)
CHANGED = {"max_holdings": 4, "target_pct": 8, "max_holding_sessions": 6}
SEEDS = (3, 11)


class Killed(BaseException):
    """The process dies here."""


def in_memory(days: Sequence[Day]) -> list[Step]:
    state, steps = State.start(CAPITAL), []
    for day in days:
        steps.append(step(state, RULES, day.session, day.bars, day.signals, day.ratios, day.delisted))
        state = steps[-1].state
    return steps


@pytest.mark.parametrize("seed", SEEDS)
def test_the_tables_hold_what_the_portfolio_did(warehouse: str, seed: int) -> None:
    days = made_up_days(seed)
    put_days(warehouse, days)
    put_book(warehouse, "test", CAPITAL, **CHANGED)
    report = advance_books(warehouse, start=days[0].session)
    steps = in_memory(days)
    assert report.books[0].sessions == len(days)
    assert report.books[0].trades == sum(len(done.executions) for done in steps) > 20
    tables = held(warehouse, "test")
    [(_, state)] = tables["paper_book"]
    assert State.from_dict(state) == steps[-1].state
    assert sorted((d, e.symbol, e.side, e.price) for d, s in _dated(days, steps) for e in s.executions) == sorted(
        (row[0], row[1], row[2], row[4]) for row in tables["paper_fill"]
    )
    assert [row[1] + row[2] for row in tables["paper_equity"]] == [done.state.equity_krw for done in steps]
    orders = sum(len(done.outcomes) for done in steps) + len(steps[-1].state.orders)
    assert len(tables["paper_order"]) == orders
    closed = [row for row in tables["paper_position"] if row[10] is not None]
    assert len(closed) == sum(len(done.closed) for done in steps)
    # Every won: what positions brought, less what was paid for them, is what the cash changed by.
    [(gained,)] = fetch(warehouse, "SELECT sum(received_krw - paid_krw)::bigint FROM derived.paper_position")
    assert CAPITAL + gained == steps[-1].state.cash_krw


def _dated(days: Sequence[Day], steps: Sequence[Step]) -> list[tuple[object, Step]]:
    return [(day.session, done) for day, done in zip(days, steps, strict=True)]


def test_session_by_session_as_they_come_is_all_at_once(warehouse: str) -> None:
    days = made_up_days(SEEDS[0])
    put_book(warehouse, "daily", CAPITAL, **CHANGED)
    for day in days:
        put_days(warehouse, [day])
        advance_books(warehouse)
    put_book(warehouse, "at_once", CAPITAL, **CHANGED)
    advance_books(warehouse, start=days[0].session)
    assert held(warehouse, "daily") == held(warehouse, "at_once")
    before = held(warehouse, "daily")
    report = advance_books(warehouse)
    assert [book.sessions for book in report.books] == [0, 0]
    assert held(warehouse, "daily") == before


def test_dying_anywhere_changes_nothing(warehouse: str, monkeypatch: pytest.MonkeyPatch) -> None:
    days = made_up_days(SEEDS[0])[:8]
    put_days(warehouse, days)
    put_book(warehouse, "undisturbed", CAPITAL, **CHANGED)
    advance_books(warehouse, start=days[0].session)
    insert = table._insert
    # A session makes four inserts, whether there is anything to insert or not.
    for statement in (1, 2, 3, 7, 16):
        name, calls = f"killed_{statement}", 0

        def dying(*arguments: Any, until: int = statement, **options: Any) -> None:
            nonlocal calls
            insert(*arguments, **options)
            calls += 1
            if calls == until:
                raise Killed

        put_book(warehouse, name, CAPITAL, **CHANGED)
        with monkeypatch.context() as patched:
            patched.setattr(table, "_insert", dying)
            with pytest.raises(Killed):
                advance_books(warehouse, start=days[0].session, names=[name])
        entered = len(held(warehouse, name)["paper_equity"])
        assert entered == (statement - 1) // 4
        advance_books(warehouse, start=days[0].session if entered == 0 else None, names=[name])
        assert held(warehouse, name) == held(warehouse, "undisturbed")


def test_two_runs_at_once_enter_each_session_once(warehouse: str) -> None:
    days = made_up_days(SEEDS[0])[:10]
    put_days(warehouse, days)
    put_book(warehouse, "shared", CAPITAL, **CHANGED)
    with psycopg.connect(warehouse) as connection:
        connection.execute("UPDATE derived.paper_book SET first_session = %s", [days[0].session])
    with ThreadPoolExecutor(2) as runs:
        reports = list(runs.map(advance_books, [warehouse] * 2))
    assert sum(report.books[0].sessions for report in reports) == len(days)
    assert len(held(warehouse, "shared")["paper_equity"]) == len(days)


def test_a_correction_of_the_past_changes_nothing_entered(warehouse: str) -> None:
    days = made_up_days(SEEDS[0])
    put_days(warehouse, days[:-1])
    put_book(warehouse, "test", CAPITAL, **CHANGED)
    advance_books(warehouse, start=days[0].session)
    before = held(warehouse, "test")
    with psycopg.connect(warehouse) as connection:
        connection.execute("UPDATE market.daily_bar SET open = open * 2, high = high * 2, low = low * 2")
        connection.execute("UPDATE derived.signal SET withdrawn_at = now()")
    advance_books(warehouse)
    assert held(warehouse, "test") == before
    put_days(warehouse, days[-1:])
    advance_books(warehouse)
    after = held(warehouse, "test")
    assert after["paper_equity"][:-1] == before["paper_equity"]
    assert after["paper_fill"][: len(before["paper_fill"])] == before["paper_fill"]
