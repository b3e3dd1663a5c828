"""What a book does in the warehouse, case by case; the portfolio's own rules are in tests/trading."""

from __future__ import annotations

from datetime import date, datetime, time

import psycopg
import pytest

from include.market.calendar import KST
from include.market.symbols import Market
from include.paper_book.advance import BooksBehindError, BooksNotAdvancedError, advance_books
from include.paper_book.books import InvalidBookError, NewBook, UnknownBookError, add_book, read_book
from include.trading.fills import Bar
from include.trading.rules import Rules
from include.trading.state import Signal
from include.warehouse.connection import connect
from tests.paper_book.warehouse import (
    fetch,
    mark_looked_at,
    put_action,
    put_bars,
    put_book,
    put_delisting,
    put_fund_bars,
    put_signals,
)

DAYS = [date(2024, 3, day) for day in (4, 5, 6, 7, 8, 11, 12, 13, 14, 15)]
LATER_DAYS = [date(2024, 3, day) for day in (18, 19, 20, 21, 22)]
A, B, C, D, FUND = "000010", "000020", "000030", "000040", "069500"
HALTED = Bar(0, 0, 0, 10_000, 10_000, 0, Market.KOSPI, halted=True)
LOCKED = Bar(13_000, 13_000, 13_000, 13_000, 10_000, 1_000_000, Market.KOSPI)


def bar(price: int, base: int | None = None) -> Bar:
    return Bar(price, price, price, price, price if base is None else base, 1_000_000, Market.KOSPI)


def orders(dsn: str, session: date) -> list[tuple[object, ...]]:
    return fetch(
        dsn,
        "SELECT symbol, side, status, reason FROM derived.paper_order WHERE session = %s ORDER BY symbol, side",
        session,
    )


@pytest.fixture
def followed(warehouse: str) -> str:
    """A book of two holdings that has ordered A and B on the first evening."""
    put_book(warehouse, "test", 10_000_000, max_holdings=2, slippage_ticks=0, stop_loss_pct=None)
    put_bars(warehouse, DAYS[0], dict.fromkeys((A, B, C, D), bar(10_000)))
    put_signals(warehouse, DAYS[0], [Signal(symbol, "buy", 80, "rule") for symbol in (B, A, C)])
    advance_books(warehouse)
    return warehouse


def test_tomorrows_orders_are_there_to_be_read(followed: str) -> None:
    assert orders(followed, DAYS[1]) == [(A, "buy", "placed", None), (B, "buy", "placed", None)]


def test_halted_and_locked_issues_are_not_bought(followed: str) -> None:
    put_bars(followed, DAYS[1], {A: HALTED, B: LOCKED, C: bar(10_000), D: bar(10_000)})
    advance_books(followed)
    assert orders(followed, DAYS[1]) == [(A, "buy", "expired", "halted"), (B, "buy", "expired", "limit_locked")]
    assert fetch(followed, "SELECT FROM derived.paper_fill") == []


def test_a_split_while_held(followed: str) -> None:
    put_bars(followed, DAYS[1], dict.fromkeys((A, B, C, D), bar(10_000)))
    advance_books(followed)
    put_bars(followed, DAYS[2], {A: bar(2_000), B: bar(10_000), C: bar(10_000), D: bar(10_000)})
    with psycopg.connect(followed) as connection:
        put_action(connection, A, DAYS[2], 0.2)
    advance_books(followed)
    [(before, after)] = fetch(
        followed,
        "SELECT min(equity_krw), max(equity_krw) FROM derived.paper_equity WHERE session >= %s",
        DAYS[1],
    )
    assert before == after
    query = "SELECT symbol, shares, entry_price, close FROM mart.position ORDER BY symbol"
    assert fetch(followed, query) == [(A, 2_500, 2_000.0, 2_000), (B, 499, 10_000.0, 10_000)]


@pytest.mark.parametrize("listed", [True, False])
def test_a_delisted_position_is_closed_by_the_list_or_by_its_absence(followed: str, listed: bool) -> None:
    put_bars(followed, DAYS[1], dict.fromkeys((A, B, C, D), bar(10_000)))
    for session in DAYS[2:7]:
        put_bars(followed, session, dict.fromkeys((B, C, D), bar(10_000)))
    if listed:
        with psycopg.connect(followed) as connection:
            put_delisting(connection, A, DAYS[3])
    advance_books(followed)
    query = "SELECT symbol, closed, exit_cause, exit_price FROM derived.paper_position WHERE closed IS NOT NULL"
    assert fetch(followed, query) == [(A, DAYS[3] if listed else DAYS[6], "delisted", 10_000.0)]


@pytest.mark.parametrize(("kind", "others"), [("ETF", []), ("ETN", ["ETF"])])
def test_a_gap_in_the_bars_of_funds_closes_no_fund(warehouse: str, kind: str, others: list[str]) -> None:
    put_book(warehouse, "test", 10_000_000, max_holdings=2, slippage_ticks=0, stop_loss_pct=None)
    for session in DAYS[:2]:
        put_bars(warehouse, session, {A: bar(10_000)})
        put_fund_bars(warehouse, session, {FUND: 10_000}, kind)
    put_signals(warehouse, DAYS[0], [Signal(FUND, "buy", 80, "rule")])
    for session in (*DAYS[2:], *LATER_DAYS):
        put_bars(warehouse, session, {A: bar(10_000)})
        for other in others:
            put_fund_bars(warehouse, session, {"520001": 10_000}, other)
    # Without any bars of funds each session waits for five more.
    advance_books(warehouse, through=DAYS[-1], start=DAYS[0])
    assert fetch(warehouse, "SELECT symbol, session FROM mart.position") == [(FUND, DAYS[-1])]


def test_a_fund_without_a_row_while_others_have_them_is_gone(warehouse: str) -> None:
    put_book(warehouse, "test", 10_000_000, max_holdings=2, slippage_ticks=0, stop_loss_pct=None)
    for session in DAYS[:2]:
        put_fund_bars(warehouse, session, {FUND: 10_000, "069660": 10_000})
    put_signals(warehouse, DAYS[0], [Signal(FUND, "buy", 80, "rule")])
    for session in DAYS:
        put_bars(warehouse, session, {A: bar(10_000)})
    # On two sessions no fund has bars: they do not count.
    for session in DAYS[4:]:
        put_fund_bars(warehouse, session, {"069660": 10_000})
    advance_books(warehouse, start=DAYS[0])
    query = "SELECT symbol, closed, exit_cause FROM derived.paper_position"
    assert fetch(warehouse, query) == [(FUND, DAYS[8], "delisted")]


def test_the_loss_limit_is_kept_and_told(followed: str) -> None:
    put_bars(followed, DAYS[1], dict.fromkeys((A, B, C, D), bar(10_000)))
    put_signals(followed, DAYS[1], [Signal(A, "sell", 50, "exit")])
    put_bars(followed, DAYS[2], {A: bar(9_000, 10_000), B: bar(9_000, 10_000), C: bar(10_000), D: bar(10_000)})
    put_signals(followed, DAYS[2], [Signal(C, "buy", 50, "rule")])
    advance_books(followed)
    assert orders(followed, DAYS[3]) == [(C, "buy", "refused", "loss_limit")]
    query = "SELECT session, orders_refused FROM derived.paper_equity WHERE loss_limit_hit"
    assert fetch(followed, query) == [(DAYS[2], 1)]


def test_a_session_waits_for_its_signals_and_for_the_bars_of_funds(followed: str) -> None:
    put_bars(followed, DAYS[1], dict.fromkeys((A, B, C, D), bar(10_000)))
    with psycopg.connect(followed) as connection:
        mark_looked_at(connection, DAYS[0], (A,))
    report = advance_books(followed)
    assert report.books[0].waits_for == f"session {DAYS[1]} waits for its signals"
    with psycopg.connect(followed) as connection:
        mark_looked_at(connection, DAYS[1], (A,))
        connection.execute("INSERT INTO ops.unsignalled_symbol VALUES (%s, %s)", [B, DAYS[0]])
    assert advance_books(followed).books[0].waits_for == f"session {DAYS[1]} waits for its signals"
    with psycopg.connect(followed) as connection:
        connection.execute("DELETE FROM ops.unsignalled_symbol")
    put_fund_bars(followed, DAYS[0], {FUND: 10_000})
    assert advance_books(followed).books[0].waits_for == f"session {DAYS[1]} waits for its bars of ETFs and ETNs"
    for session in DAYS[2:7]:
        put_bars(followed, session, dict.fromkeys((A, B, C, D), bar(10_000)))
    # Five later sessions are there: what is missing will not come.
    assert advance_books(followed, through=DAYS[1]).books[0].last_session == DAYS[1]


def test_a_session_waits_until_what_was_loaded_was_looked_at(followed: str) -> None:
    put_bars(followed, DAYS[1], dict.fromkeys((A, B, C, D), bar(10_000)))
    steps = {
        f"session {DAYS[1]} waits for its corporate actions": "INSERT INTO ops.adjusted_batch SELECT batch_id",
        f"session {DAYS[1]} waits for its signals": "INSERT INTO ops.indicated_batch SELECT batch_id",
    }
    with psycopg.connect(followed) as connection:
        connection.execute(
            "INSERT INTO ops.batch (dataset, source, first_session, last_session, status) "
            "VALUES ('daily_bar', 'krx_openapi', %s, %s, 'loaded')",
            [DAYS[1], DAYS[1]],
        )
    for waits_for, mark in steps.items():
        assert advance_books(followed).books[0].waits_for == waits_for
        with psycopg.connect(followed) as connection:
            connection.execute(f"{mark} FROM ops.batch".encode())
    assert advance_books(followed).books[0].last_session == DAYS[1]


def test_only_a_book_that_follows_flows_waits_for_them(warehouse: str) -> None:
    put_bars(warehouse, DAYS[1], dict.fromkeys((A, B), bar(10_000)))
    with psycopg.connect(warehouse) as connection:
        connection.execute("SELECT ops.ensure_year_partitions('market.investor_flow', %s, %s)", [DAYS[0], DAYS[0]])
        connection.execute(
            "INSERT INTO market.investor_flow (symbol, session, investor, source, batch_id, known_at) "
            "VALUES (%s, %s, 'foreign', 'krx_portal', 1, now())",
            [A, DAYS[0]],
        )
    composite, desk = advance_books(warehouse).books
    assert composite.waits_for == f"session {DAYS[1]} waits for its investor flows"
    assert desk.last_session == DAYS[1]


def test_a_session_without_bars_is_passed_over_once_five_later_ones_are_there(followed: str) -> None:
    for number, session in enumerate(DAYS[2:7], start=1):
        put_bars(followed, session, dict.fromkeys((A, B, C, D), bar(10_000)))
        progress = advance_books(followed).books[0]
        if number < 5:
            assert progress.waits_for == f"session {DAYS[1]} waits for its daily bars"
            assert progress.last_session == DAYS[0]
    assert progress.last_session == DAYS[6]
    query = "SELECT session, symbol FROM derived.paper_fill ORDER BY symbol"
    assert fetch(followed, query) == [(DAYS[2], A), (DAYS[2], B)]
    assert fetch(followed, "SELECT count(*) FROM derived.paper_order WHERE status = 'placed'") == [(0,)]


def test_a_book_follows_its_strategies_and_its_priority(warehouse: str) -> None:
    put_bars(warehouse, DAYS[0], dict.fromkeys((A, B, C), bar(10_000)))
    put_signals(warehouse, DAYS[0], [Signal(A, "buy", 80, "desk_buy")], "medium")
    put_signals(warehouse, DAYS[0], [Signal(B, "buy", 80, "golden_cross_5_20")], "high")
    put_signals(warehouse, DAYS[0], [Signal(C, "buy", 80, "golden_cross_5_20")], "medium")
    report = advance_books(warehouse)
    assert [book.book for book in report.books] == ["composite", "desk"]
    query = "SELECT book, symbol FROM derived.paper_order ORDER BY book, symbol"
    assert fetch(warehouse, query) == [("composite", B), ("desk", A)]
    assert "desk: 1 sessions entered, 0 trades; 100,000,000 won" in report.summary()


def test_a_new_book_does_not_trade_the_past_unless_told_to(followed: str) -> None:
    for session in DAYS[1:4]:
        put_bars(followed, session, dict.fromkeys((A, B, C, D), bar(10_000)))
    add_book(followed, NewBook("later", "a later one", 5_000_000))
    add_book(followed, NewBook("replayed", "a replay", 5_000_000, first_session=DAYS[1]))
    advance_books(followed)
    query = "SELECT book, min(session), count(*) FROM derived.paper_equity GROUP BY book ORDER BY book"
    assert fetch(followed, query) == [("later", DAYS[3], 1), ("replayed", DAYS[1], 3), ("test", DAYS[0], 4)]


def test_a_late_book_trades_on_what_was_known_at_the_open(followed: str) -> None:
    put_bars(followed, DAYS[1], dict.fromkeys((A, B, C, D), bar(10_000)))
    sells = [Signal(A, "sell", 50, "known"), Signal(B, "sell", 50, "corrected")]
    put_signals(followed, DAYS[1], sells[:1])
    put_signals(followed, DAYS[1], sells[1:], known_at=datetime.combine(DAYS[2], time(9), KST))
    put_bars(followed, DAYS[2], dict.fromkeys((A, B, C, D), bar(10_000)))
    with psycopg.connect(followed) as connection:
        connection.execute("UPDATE derived.signal SET withdrawn_at = known_at + interval '1 day' WHERE side = 'sell'")
    put_book(followed, "replayed", 10_000_000, max_holdings=2, slippage_ticks=0, stop_loss_pct=None)
    advance_books(followed, start=DAYS[0])
    query = "SELECT book, symbol FROM derived.paper_order WHERE side = 'sell' ORDER BY book, symbol"
    # A's was withdrawn after the open of the session it was for, and B's came with it. What is replayed has neither.
    assert fetch(followed, query) == [("test", A)]
    query = "SELECT book, replayed_through FROM derived.paper_book ORDER BY book"
    assert fetch(followed, query) == [("replayed", DAYS[2]), ("test", None)]


def test_a_replay_takes_the_signals_of_today_up_to_where_it_began(warehouse: str) -> None:
    much_later = datetime.combine(DAYS[9], time(9), KST)
    put_book(warehouse, "test", 10_000_000, max_holdings=2, slippage_ticks=0, stop_loss_pct=None)
    for session in DAYS[:3]:
        put_bars(warehouse, session, dict.fromkeys((A, B), bar(10_000)))
    put_signals(warehouse, DAYS[1], [Signal(A, "buy", 50, "corrected")], known_at=much_later)
    advance_books(warehouse, through=DAYS[0])
    put_signals(warehouse, DAYS[3], [Signal(B, "buy", 50, "corrected")], known_at=much_later)
    put_bars(warehouse, DAYS[3], dict.fromkeys((A, B), bar(10_000)))
    advance_books(warehouse)
    assert fetch(warehouse, "SELECT symbol, placed_on FROM derived.paper_order") == [(A, DAYS[1])]


def test_a_book_that_is_behind_is_told(followed: str) -> None:
    put_bars(followed, DAYS[2], dict.fromkeys((A, B, C, D), bar(10_000)))
    in_time = advance_books(followed)
    in_time.require_in_time()
    assert (in_time.books[0].waits_for, in_time.books[0].later_sessions) == (
        f"session {DAYS[1]} waits for its daily bars",
        1,
    )
    put_bars(followed, DAYS[3], dict.fromkeys((A, B, C, D), bar(10_000)))
    with pytest.raises(
        BooksBehindError, match=f"'test' is behind: session {DAYS[1]} waits for its daily bars; 2 later"
    ):
        advance_books(followed).require_in_time()


def test_what_follows_from_the_published_is_waited_for_without_an_alarm(followed: str) -> None:
    for session in DAYS[1:5]:
        put_bars(followed, session, dict.fromkeys((A, B, C, D), bar(10_000)))
    with psycopg.connect(followed) as connection:
        connection.execute("INSERT INTO ops.unsignalled_symbol (symbol, since) VALUES (%s, %s)", [A, DAYS[1]])
    report = advance_books(followed)
    report.require_in_time()
    assert report.books[0].waits_for == f"session {DAYS[1]} waits for its signals"


def test_a_book_begins_with_the_bars_and_not_before(followed: str) -> None:
    add_book(followed, NewBook("early", "from before there was anything", 5_000_000, first_session=date(1990, 1, 3)))
    early, _ = advance_books(followed).books
    assert (early.last_session, early.sessions) == (DAYS[0], 1)


WRONG_ROWS = {
    "first_session = '2206-01-05'": "the calendar ends before 2206-01-05",
    "strategies = '{desk_bought}'": "no strategy is called 'desk_bought'",
    "rules = '{\"max_holdings\": 0}'": "max_holdings is a whole number",
    "state = '{}', last_session = '2024-03-04'": "its state is none: KeyError: 'session'",
}


def test_wrong_books_do_not_stop_the_others(followed: str) -> None:
    put_bars(followed, DAYS[1], dict.fromkeys((A, B, C, D), bar(10_000)))
    for number, wrong in enumerate(WRONG_ROWS):
        put_book(followed, f"a_wrong_{number}")
        with psycopg.connect(followed) as connection:
            connection.execute(f"UPDATE derived.paper_book SET {wrong} WHERE book = 'a_wrong_{number}'".encode())
    with pytest.raises(BooksNotAdvancedError) as stopped:
        advance_books(followed)
    lines = str(stopped.value).splitlines()
    assert len(lines) == len(WRONG_ROWS)
    for number, (line, message) in enumerate(zip(lines, WRONG_ROWS.values(), strict=True)):
        assert line.startswith(f"book 'a_wrong_{number}': {message}")
    assert "test: 1 sessions entered" in stopped.value.__notes__[0]
    assert fetch(followed, "SELECT book, max(session) FROM derived.paper_equity GROUP BY book") == [("test", DAYS[1])]


def test_performance_is_told_beside_the_index(followed: str) -> None:
    put_bars(followed, DAYS[1], dict.fromkeys((A, B, C, D), bar(10_000)))
    put_signals(followed, DAYS[1], [Signal(A, "sell", 50, "exit")])
    put_bars(followed, DAYS[2], {A: bar(11_000, 10_000), B: bar(9_900, 10_000), C: bar(10_000), D: bar(10_000)})
    with psycopg.connect(followed) as connection:
        connection.execute("SELECT ops.ensure_year_partitions('market.index_bar', %s, %s)", [DAYS[0], DAYS[0]])
        for session, close in zip(DAYS, (2_500, 2_550, 2_600), strict=False):
            connection.execute(
                "INSERT INTO market.index_bar (index_name, family, session, close, source, batch_id, known_at) "
                "VALUES ('코스피', 'KOSPI', %s, %s, 'krx_openapi', 1, now())",
                [session, close],
            )
    advance_books(followed)
    rows = fetch(
        followed,
        "SELECT session, equity_krw, total_return, index_return, trades, win_rate, fees_krw, taxes_krw "
        "FROM mart.paper_performance ORDER BY session",
    )
    # 500 shares of A at 10,000 and 499 of B; then A sold at 11,000: 825 fee, 0.18% tax.
    fees, taxes = 750 + 748 + 825, 9_900
    equity = 10_000_000 + 500_000 - 49_900 - fees - taxes
    assert rows[0] == (DAYS[0], 10_000_000, 0.0, 0.0, 0, None, 0, 0)
    assert rows[2] == (DAYS[2], equity, pytest.approx(equity / 1e7 - 1), pytest.approx(0.04), 1, 1.0, fees, taxes)
    [(symbol, value, unrealised)] = fetch(followed, "SELECT symbol, value_krw, unrealised_krw FROM mart.position")
    assert (symbol, value, unrealised) == (B, 499 * 9_900, -499 * 100 - 748)


IMPOSSIBLE_BOOKS = [
    (NewBook("Desk", "t", 1_000), "'Desk' is no name of a book"),
    (NewBook("desk", "t", 1_000), "there is a book 'desk' already"),
    (NewBook("other", " ", 1_000), "a book needs a title"),
    (NewBook("other", "t", 0), "the capital is positive, got 0 won"),
    (NewBook("other", "t", 1_000, strategies=()), "follows at least one strategy"),
    (NewBook("other", "t", 1_000, strategies=("desk_by",)), "desk_by"),
    (NewBook("other", "t", 1_000, first_session=date(2206, 1, 5)), "no book can start on 2206-01-05"),
    (NewBook("other", "t", 1_000, rules={"stop": 5}), "there is no rule 'stop'"),
    (NewBook("other", "t", 1_000, rules={"stop_loss_pct": 500}), "stop_loss_pct is above 0 and below 100 percent"),
]


def test_a_book_that_cannot_be_is_refused(warehouse: str) -> None:
    for new, message in IMPOSSIBLE_BOOKS:
        with pytest.raises(InvalidBookError) as refused:
            add_book(warehouse, new)
        assert message in str(refused.value)


def test_wrong_books_are_named(followed: str) -> None:
    with pytest.raises(UnknownBookError, match="there is no book 'nope'; there are: test"):
        advance_books(followed, names=["nope"])
    with pytest.raises(InvalidBookError, match="'test' has begun already"):
        advance_books(followed, start=DAYS[0])
    with psycopg.connect(followed) as connection:
        connection.execute("""UPDATE derived.paper_book SET rules = '{"max_holdings": 0}'""")
    with pytest.raises(BooksNotAdvancedError, match="book 'test': max_holdings is a whole number"):
        advance_books(followed)


def test_the_default_books_follow_the_catalogue(warehouse: str) -> None:
    from include.signals.catalogue import strategy_named

    with connect(warehouse, "analyst") as connection:
        composite, desk = (read_book(connection, name) for name in ("composite", "desk"))
    assert desk.strategies is not None
    assert [strategy_named(name).side for name in desk.strategies] == ["buy", "sell"]
    assert desk.rules == Rules()
    assert desk.rules.stop_loss_pct == strategy_named("desk_buy").stop_loss_pct
    assert (composite.strategies, composite.high_priority_only) == (None, True)
    assert composite.rules == Rules(target_pct=10)


def test_no_bars_is_no_error_and_no_success(warehouse: str) -> None:
    report = advance_books(warehouse)
    assert report.summary().splitlines() == [
        "composite: has not begun; no daily bars are loaded",
        "desk: has not begun; no daily bars are loaded",
    ]
