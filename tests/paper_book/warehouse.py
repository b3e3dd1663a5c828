"""Made-up sessions put into a warehouse as they are, with what was signalled on them; and what the books hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from typing import Any

import psycopg

from include.market.calendar import KST
from include.trading.fills import Bar
from include.trading.state import Signal
from tests.trading.markets import Day

TABLES = {
    "paper_order": "session, symbol, side, placed_on, shares, status, reason, shares_filled, cause, strategy, strength",
    "paper_fill": "session, symbol, side, shares, price, amount_krw, fee_krw, tax_krw, cause, strategy",
    "paper_position": "symbol, opened, strategy, shares, entry_price, stop, target, paid_krw, received_krw, close, "
    "closed, exit_cause, exit_strategy, exit_price",
    "paper_equity": "session, cash_krw, positions_krw, equity_krw, holdings, day_return, drawdown, fees_krw, "
    "taxes_krw, loss_limit_hit, orders_refused",
    "paper_book": "last_session, state",
}


def put_days(dsn: str, days: Iterable[Day]) -> None:
    """All of some days: bars, signals, corporate actions and delistings."""
    with psycopg.connect(dsn) as connection:
        for day in days:
            _insert_bars(connection, day.session, day.bars)
            _insert_signals(connection, day.session, day.signals, "high")
            for symbol, ratio in day.ratios.items():
                put_action(connection, symbol, day.session, ratio)
            for symbol in day.delisted:
                put_delisting(connection, symbol, day.session)


def put_bars(dsn: str, session: date, bars: dict[str, Bar]) -> None:
    """Bars of stocks, and that signals were looked for on them."""
    with psycopg.connect(dsn) as connection:
        _insert_bars(connection, session, bars)


def put_signals(
    dsn: str, session: date, signals: Sequence[Signal], priority: str = "high", known_at: datetime | None = None
) -> None:
    """Signals of a session, known on its evening unless told otherwise."""
    with psycopg.connect(dsn) as connection:
        _insert_signals(connection, session, signals, priority, known_at)


def put_fund_bars(dsn: str, session: date, prices: dict[str, int], kind: str = "ETF") -> None:
    """Bars of ETFs or ETNs at one price, and that signals were looked for on them."""
    with psycopg.connect(dsn) as connection:
        connection.execute("SELECT ops.ensure_year_partitions('market.etp_daily_bar', %s, %s)", [session, session])
        connection.cursor().executemany(
            "INSERT INTO market.etp_daily_bar (symbol, session, kind, market, open, high, low, close, volume, "
            "value_krw, market_cap_krw, listed_shares, change, base_price, halted, source, batch_id, known_at) "
            "VALUES (%(symbol)s, %(session)s, %(kind)s, 'KOSPI', %(price)s, %(price)s, %(price)s, %(price)s, 1000000, "
            "1, 1, 1, 0, %(price)s, false, 'krx_openapi', 1, %(evening)s)",
            [
                {"symbol": symbol, "session": session, "kind": kind, "price": price, "evening": _evening(session)}
                for symbol, price in prices.items()
            ],
        )
        mark_looked_at(connection, session, prices)


def _evening(session: date) -> datetime:
    return datetime.combine(session, time(19), KST)


def _insert_bars(connection: psycopg.Connection, session: date, bars: dict[str, Bar]) -> None:
    evening = _evening(session)
    rows = [
        {
            "symbol": symbol,
            "session": session,
            "open": bar.open,
            "high": bar.high,
            "low": bar.low,
            "close": bar.close,
            "volume": bar.volume,
            "value_krw": bar.volume * bar.close,
            "market_cap_krw": bar.close * 1_000,
            "listed_shares": 1_000,
            "change": bar.close - bar.base_price,
            "base_price": bar.base_price,
            "fluctuation_code": 0,
            "market": bar.market.value,
            "venue": "KRX",
            "halted": bar.halted,
            "source": "krx_openapi",
            "batch_id": 1,
            "known_at": evening,
        }
        for symbol, bar in bars.items()
    ]
    columns = list(rows[0]) if rows else []
    values = ", ".join(f"%({name})s" for name in columns)
    connection.execute("SELECT ops.ensure_year_partitions('market.daily_bar', %s, %s)", [session, session])
    connection.cursor().executemany(
        f"INSERT INTO market.daily_bar ({', '.join(columns)}) VALUES ({values})".encode(), rows
    )
    mark_looked_at(connection, session, bars)


def mark_looked_at(connection: psycopg.Connection, session: date, symbols: Iterable[str]) -> None:
    """Signals of ``symbols`` were looked for up to ``session``."""
    connection.cursor().executemany(
        "INSERT INTO derived.signal_state (symbol, first, through, indicated_at) "
        "VALUES (%(symbol)s, %(session)s, %(session)s, now()) "
        "ON CONFLICT (symbol) DO UPDATE SET through = excluded.through",
        [{"symbol": symbol, "session": session} for symbol in symbols],
    )


def _insert_signals(
    connection: psycopg.Connection,
    session: date,
    signals: Sequence[Signal],
    priority: str,
    known_at: datetime | None = None,
) -> None:
    connection.execute("SELECT ops.ensure_year_partitions('derived.signal', %s, %s)", [session, session])
    connection.cursor().executemany(
        "INSERT INTO derived.signal (symbol, session, strategy, strategy_version, side, strength, priority, "
        "reason, close, known_at) VALUES (%s, %s, %s, 1, %s, %s, %s, 'a test', 1, %s)",
        [(s.symbol, session, s.strategy, s.side, s.strength, priority, known_at or _evening(session)) for s in signals],
    )


def put_action(connection: psycopg.Connection, symbol: str, ex_date: date, ratio: float) -> None:
    """A corporate action that is applied."""
    connection.execute(
        "INSERT INTO market.corporate_action (symbol, ex_date, kind, status, applied_ratio, applied_basis, confidence, "
        "evidence, decided_by, known_at) VALUES (%s, %s, 'split', 'applied', %s, 'base', 1, 'a test', 'test', now())",
        [symbol, ex_date, ratio],
    )


def put_delisting(connection: psycopg.Connection, symbol: str, session: date) -> None:
    """A delisting, the first of its symbol."""
    connection.execute(
        "INSERT INTO market.delisting (symbol, session, name, market, security_group, reason, source, batch_id, "
        "known_at) SELECT %(symbol)s, %(session)s, '시험', 'KOSPI', '주권', '시험', 'krx_portal', 1, now() "
        "WHERE NOT EXISTS (SELECT FROM market.delisting WHERE symbol = %(symbol)s)",
        {"symbol": symbol, "session": session},
    )


def put_book(dsn: str, name: str, capital_krw: int = 3_000_000, **rules: Any) -> None:
    """A book that follows everything, in place of those there are by default."""
    with psycopg.connect(dsn) as connection:
        connection.execute("DELETE FROM derived.paper_book WHERE created_by = 'migration'")
        connection.execute(
            "INSERT INTO derived.paper_book (book, title, capital_krw, rules) VALUES (%s, 'a test', %s, %s)",
            [name, capital_krw, psycopg.types.json.Jsonb(rules)],
        )


def held(dsn: str, book: str) -> dict[str, list[tuple[Any, ...]]]:
    """All that the tables hold of a book."""
    with psycopg.connect(dsn) as connection:
        return {
            table: connection.execute(
                f"SELECT {columns} FROM derived.{table} WHERE book = %s ORDER BY {columns}".encode(), [book]
            ).fetchall()
            for table, columns in TABLES.items()
        }


def fetch(dsn: str, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode(), parameters).fetchall()
