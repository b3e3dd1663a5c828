"""What a paper book reads of a session, and what it writes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from math import prod
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from include.indicators.due import INDICATED_DATASETS
from include.market.symbols import Market
from include.paper_book.books import Book, PaperBookError
from include.trading.fills import Bar
from include.trading.portfolio import Obstacle, Outcome, Status, Step
from include.trading.rules import SESSIONS_ABSENT
from include.trading.state import Order, Position, Signal, State
from include.warehouse.connection import SQL_QUERIES


@dataclass(frozen=True)
class Readiness:
    """Whether what a session's trades rest on is there; ``later_sessions`` are those with bars, up to a number."""

    has_stocks: bool
    has_funds: bool
    has_flows: bool
    has_actions: bool
    has_signals: bool
    later_sessions: int

    @property
    def is_published(self) -> bool:
        """Whether all that sources publish is there; the rest follows from it, by DAGs that start this one."""
        return self.has_stocks and self.has_funds and self.has_flows

    @property
    def missing(self) -> str | None:
        """What is not there yet, in words."""
        there = {
            "its daily bars": self.has_stocks,
            "its bars of ETFs and ETNs": self.has_funds,
            "its investor flows": self.has_flows,
            "its corporate actions": self.has_actions,
            "its signals": self.has_signals,
        }
        return next((what for what, is_there in there.items() if not is_there), None)


def readiness(connection: psycopg.Connection, book: Book, session: date, enough: int) -> Readiness:
    """What there is of ``session`` of what ``book`` needs; later sessions are counted to ``enough``."""
    [row] = connection.execute(
        (SQL_QUERIES / "paper_book_readiness.sql").read_bytes(),
        {
            "session": session,
            "flows": book.follows_flows,
            "indicated": list(INDICATED_DATASETS),
            "enough": enough,
        },
    ).fetchall()
    return Readiness(*row)


def latest_session(connection: psycopg.Connection) -> date | None:
    """The last session with daily bars; None where there are none."""
    session: date | None
    [(session,)] = connection.execute("SELECT max(session) FROM market.daily_bar").fetchall()
    return session


def first_session(connection: psycopg.Connection) -> date | None:
    """The first session with daily bars; None where there are none."""
    session: date | None
    [(session,)] = connection.execute("SELECT min(session) FROM market.daily_bar").fetchall()
    return session


def next_session(connection: psycopg.Connection, day: date, *, included: bool = False) -> date:
    """The first session after ``day``, or ``day`` itself with ``included``.

    Raises:
        PaperBookError: the calendar has none.
    """
    comparison = sql.SQL(">=" if included else ">")
    following: date | None
    [(following,)] = connection.execute(
        sql.SQL("SELECT min(session) FROM market.session WHERE session {} %s").format(comparison), [day]
    ).fetchall()
    if following is None:
        raise PaperBookError(f"the calendar ends before {day}, or on it")
    return following


def read_signals(connection: psycopg.Connection, book: Book, session: date, coming: date | None) -> list[Signal]:
    """The signals of ``session`` that ``book`` follows, as they stood when ``coming`` opened; None: as they stand."""
    rows = connection.execute(
        "SELECT symbol, side, strength, strategy FROM derived.signal "
        "LEFT JOIN market.session AS coming ON coming.session = %(coming)s "
        "WHERE signal.session = %(session)s "
        "AND (withdrawn_at IS NULL OR withdrawn_at >= coming.opens_at) "
        "AND (%(coming)s::date IS NULL OR known_at < coming.opens_at) "
        "AND (%(strategies)s::text[] IS NULL OR strategy = ANY (%(strategies)s)) "
        "AND (NOT %(high)s OR priority = 'high')",
        {
            "session": session,
            "coming": coming,
            "strategies": None if book.strategies is None else list(book.strategies),
            "high": book.high_priority_only,
        },
    )
    return [Signal(*row) for row in rows]


def read_bars(connection: psycopg.Connection, session: date, symbols: Collection[str]) -> dict[str, Bar]:
    """The raw bars of ``session`` of those of ``symbols`` that have one."""
    rows = connection.execute(
        "SELECT symbol, open, high, low, close, base_price, volume, market, kind, halted "
        "FROM mart.daily_bar WHERE session = %s AND symbol = ANY (%s)",
        [session, sorted(symbols)],
    )
    return {
        symbol: Bar(opened, high, low, close, base_price, volume, Market(market), kind, halted)
        for symbol, opened, high, low, close, base_price, volume, market, kind, halted in rows
    }


def read_ratios(connection: psycopg.Connection, state: State, session: date) -> dict[str, float]:
    """What prices of the state's evening are multiplied by from ``session`` on, by symbol held or ordered."""
    rows = connection.execute(
        "SELECT symbol, array_agg(applied_ratio ORDER BY ex_date) FROM market.corporate_action "
        "WHERE status = 'applied' AND ex_date > %s AND ex_date <= %s AND symbol = ANY (%s) GROUP BY symbol",
        [state.session, session, sorted(state.symbols)],
    )
    return {symbol: prod(ratios) for symbol, ratios in rows}


def read_delisted(connection: psycopg.Connection, state: State, session: date) -> set[str]:
    """The symbols held that left the market by ``session``: by the list of delistings, or by having no more rows."""
    if not state.positions:
        return set()
    rows = connection.execute(
        (SQL_QUERIES / "paper_book_delisted.sql").read_bytes(),
        {
            "symbols": [position.symbol for position in state.positions],
            "products": [position.product for position in state.positions],
            "opened": [position.opened for position in state.positions],
            "session": session,
            "absent": SESSIONS_ABSENT,
        },
    )
    return {symbol for (symbol,) in rows}


def write_step(
    connection: psycopg.Connection,
    book: Book,
    session: date,
    before: State,
    done: Step,
    coming: date,
    replayed_through: date | None,
) -> None:
    """Enter ``session`` of ``book``; its orders are for ``coming``, the session expected next."""
    outcomes = [
        _outcome(book, outcome, coming if outcome.status is Status.REFUSED else session) for outcome in done.outcomes
    ]
    placed = [_placed(book, order, coming) for order in done.state.orders]
    fills = [{"book": book.name, "session": session, **execution._asdict()} for execution in done.executions]
    connection.execute("DELETE FROM derived.paper_order WHERE book = %s AND status = 'placed'", [book.name])
    _insert(connection, "paper_order", [*outcomes, *placed])
    _insert(connection, "paper_fill", fills)
    _write_positions(connection, book, done)
    _insert(connection, "paper_equity", [_equity(book, before, done)])
    connection.execute(
        "UPDATE derived.paper_book SET last_session = %s, state = %s, replayed_through = %s WHERE book = %s",
        [session, Jsonb(done.state.to_dict()), replayed_through, book.name],
    )


def _outcome(book: Book, outcome: Outcome, session: date) -> dict[str, Any]:
    return {
        **_order(book, outcome.order, session),
        "status": outcome.status,
        "reason": outcome.reason,
        "shares_filled": outcome.shares_filled,
    }


def _placed(book: Book, order: Order, session: date) -> dict[str, Any]:
    return {**_order(book, order, session), "status": "placed", "reason": None, "shares_filled": 0}


def _order(book: Book, order: Order, session: date) -> dict[str, Any]:
    values = order._asdict()
    return {"book": book.name, "session": session, "placed_on": values.pop("placed"), **values}


def _write_positions(connection: psycopg.Connection, book: Book, done: Step) -> None:
    still_open = {"closed": None, "exit_cause": None, "exit_strategy": None, "exit_price": None}
    rows = [{**_position(book, position), **still_open} for position in done.state.positions] + [
        {
            **_position(book, gone.position),
            "closed": gone.session,
            "exit_cause": gone.cause,
            "exit_strategy": gone.strategy,
            "exit_price": gone.exit_price,
        }
        for gone in done.closed
    ]
    _insert(connection, "paper_position", rows, key=("book", "symbol", "opened"))


def _position(book: Book, position: Position) -> dict[str, Any]:
    names = ("symbol", "opened", "strategy", "shares", "entry_price", "stop", "target")
    amounts = ("paid_krw", "received_krw", "close")
    return {"book": book.name, **{name: getattr(position, name) for name in (*names, *amounts)}}


def _equity(book: Book, before: State, done: Step) -> dict[str, Any]:
    state = done.state
    kept_back = sum(outcome.reason is Obstacle.LOSS_LIMIT for outcome in done.outcomes)
    return {
        "book": book.name,
        "session": state.session,
        "cash_krw": state.cash_krw,
        "positions_krw": state.equity_krw - state.cash_krw,
        "equity_krw": state.equity_krw,
        "holdings": len(state.positions),
        "day_return": state.equity_krw / before.equity_krw - 1,
        "drawdown": state.equity_krw / state.peak_krw - 1,
        "fees_krw": sum(execution.fee_krw for execution in done.executions),
        "taxes_krw": sum(execution.tax_krw for execution in done.executions),
        "loss_limit_hit": done.loss_limit_hit,
        "orders_refused": kept_back,
    }


def _insert(
    connection: psycopg.Connection, table: str, rows: Sequence[dict[str, Any]], key: Sequence[str] | None = None
) -> None:
    """Insert ``rows``; those of a known ``key`` are updated."""
    if not rows:
        return
    names = list(rows[0])
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier("derived", table),
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(", ").join(map(sql.Placeholder, names)),
    )
    if key is not None:
        assignments = (sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in names if name not in key)
        statement += sql.SQL(" ON CONFLICT ({}) DO UPDATE SET {}").format(
            sql.SQL(", ").join(map(sql.Identifier, key)), sql.SQL(", ").join(assignments)
        )
    with connection.cursor() as cursor:
        cursor.executemany(statement, rows)
