"""A warehouse with a little of everything the dashboard shows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import psycopg
import pytest

from include.platform.postgres import PostgresServer
from include.warehouse.migrations import migrate

SYMBOL = "000001"
LONG_AGO = [date(2020, 3, day) for day in (2, 3, 4)]
SESSIONS = [date(2024, 5, day) for day in (2, 3, 7, 8, 9)]

# Symbol, market, and in turn for each session: fluctuation code, change, whether halted.
_ISSUES = [
    (SYMBOL, "KOSPI", [(1, 100, False), (2, -100, False), (0, 0, True), (1, 50, False), (1, 10, False)]),
    (
        "000002",
        "KOSPI",
        [(4, 2300, False), (5, -2300, False), (3, 0, False), (2, -5, False), (4, 3000, False)],
    ),
    ("0004Y0", "KOSDAQ", [(2, -1, False), (1, 1, False), (1, 2, False), (3, 0, False), (5, -3000, False)]),
]


@pytest.fixture(scope="module")
def filled_warehouse(server: PostgresServer) -> Iterator[str]:
    """The connection string of a migrated and filled database on each kind of server."""
    name = "grafana_test"
    dsn = server.create_database(name)
    migrate(dsn)
    with psycopg.connect(dsn) as connection:
        _fill_bars(connection)
        _fill_instruments(connection)
        _fill_findings(connection)
        _fill_operations(connection)
    yield dsn
    server.drop_database(name)


def _fill_bars(connection: psycopg.Connection) -> None:
    for index, session in enumerate(LONG_AGO + SESSIONS):
        connection.execute("SELECT ops.ensure_year_partitions('market.daily_bar', %s, %s)", [session, session])
        for symbol, market, days in _ISSUES:
            code, change, halted = days[index % len(days)]
            base, close, shares = 10_000, 10_000 + change, 1_000_000
            traded = (
                (0, 0, 0, close, 0, 0)
                if halted
                else (base, max(base, close), min(base, close), close, 5_000, 5_000 * close)
            )
            connection.execute(
                "INSERT INTO market.daily_bar VALUES "
                "(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'KRX', %s, 'marcap', 1, now())",
                [symbol, session, *traded, close * shares, shares, change, base, code, market, halted],
            )
        connection.execute(
            "INSERT INTO ops.session_outcome (dataset, session, outcome, source, rows, batch_id) "
            "VALUES ('daily_bar', %s, 'loaded', 'marcap', %s, 1)",
            [session, len(_ISSUES)],
        )


def _fill_instruments(connection: psycopg.Connection) -> None:
    for symbol, market, _ in _ISSUES:
        connection.execute(
            "INSERT INTO market.instrument VALUES (%s, %s, %s, %s, %s, '')",
            [symbol, LONG_AGO[0], SESSIONS[-1], f"Made-up {symbol}", market],
        )
    connection.execute(
        "INSERT INTO market.corporate_action VALUES (%s, %s, 'split', 'applied', %s, 50000, 10000, 0.2, 5, 0.2, "
        "'base', 0.9, 'made up', 'detection', now())",
        [SYMBOL, SESSIONS[3], SESSIONS[2]],
    )
    connection.execute(
        "INSERT INTO market.adjustment_factor VALUES (%s, %s, %s, 0.2, 5)",
        [SYMBOL, LONG_AGO[0], SESSIONS[2]],
    )


def _fill_findings(connection: psycopg.Connection) -> None:
    for session in LONG_AGO + SESSIONS:
        for table in ("signal", "screen_result"):
            connection.execute("SELECT ops.ensure_year_partitions(%s, %s, %s)", [f"derived.{table}", session, session])
        for symbol, side, strength in ((SYMBOL, "buy", 60), ("000002", "sell", 80)):
            connection.execute(
                "INSERT INTO derived.signal (symbol, session, strategy, strategy_version, side, strength, priority, "
                "reason, close, known_at) VALUES (%s, %s, 'rsi', 1, %s, %s, 'medium', 'RSI 28', 10000, now())",
                [symbol, session, side, strength],
            )
        connection.execute("INSERT INTO derived.screen_run VALUES ('stable_trend', 1, %s, 3, 1, now())", [session])
        connection.execute(
            "INSERT INTO derived.screen_result VALUES ('stable_trend', 1, %s, %s, 1, '{\"adx_14\": 30}', now())",
            [session, SYMBOL],
        )


def _fill_operations(connection: psycopg.Connection) -> None:
    connection.execute(
        """
        INSERT INTO ops.batch (dataset, source, first_session, last_session, status, rows_published,
                               rows_inserted, rows_updated, rows_unchanged, rows_quarantined)
            VALUES ('daily_bar', 'marcap', '2024-05-02', '2024-05-10', 'loaded', 16, 15, 0, 0, 1);
        INSERT INTO ops.batch (dataset, source, first_session, last_session, status, error)
            VALUES ('daily_bar', 'krx_openapi', '2024-05-13', '2024-05-13', 'failed', 'the disk is full');
        INSERT INTO ops.session_outcome (dataset, session, outcome, source, rows, detail)
            VALUES ('daily_bar', '2024-05-10', 'coverage_drop', 'marcap', 1, '1 row, expected about 3'),
                   ('daily_bar', '2024-05-11', 'not_a_session', 'krx_openapi', 0, 'a Saturday');
        INSERT INTO ops.quarantine (dataset, source, session, symbol, rule, row_number, "row", batch_id)
            VALUES ('daily_bar', 'marcap', '2024-05-09', '00000X', 'high_below_low', 4, '{"high": 1}', 1);
        INSERT INTO ops.alarm (dataset, session, kind, message)
            VALUES ('daily_bar', '2024-05-10', 'coverage_drop', 'marcap: 1 row, expected about 3');
        """
    )
