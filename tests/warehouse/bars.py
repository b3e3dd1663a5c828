"""Made-up daily bars, and putting them into a warehouse as they are."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import psycopg
import pyarrow as pa
from adbc_driver_postgresql import dbapi

from include.datasets.registry import dataset_named

DAILY_BAR = dataset_named("daily_bar")
YEARS = (2022, 2023, 2024)
SYMBOLS = tuple(f"{number:05d}{ending}" for number in range(12) for ending in "0K")
SESSIONS = tuple(date(year, 1, 3) + timedelta(days=7 * week) for year in YEARS for week in range(50))

_SCHEMA = pa.schema([(column.name, column.type) for column in DAILY_BAR.table_columns])


def made_up_bars() -> pa.Table:
    """3,600 rows over three years, the same at every call, in an order that sorts nothing."""
    chance = random.Random(20240103)
    rows = [_bar(symbol, session, chance) for session in SESSIONS for symbol in SYMBOLS]
    return shuffled(pa.Table.from_pylist(rows, schema=_SCHEMA), seed=1)


def shuffled(rows: pa.Table, seed: int) -> pa.Table:
    """``rows`` in another order."""
    order = list(range(rows.num_rows))
    random.Random(seed).shuffle(order)
    return rows.take(order)


def load(dsn: str, rows: pa.Table) -> None:
    """Insert ``rows`` into the warehouse in their order."""
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "SELECT ops.ensure_year_partitions(%s::regclass, %s, %s)",
            [DAILY_BAR.table, SESSIONS[0], SESSIONS[-1]],
        )
    schema, table = DAILY_BAR.table.split(".")
    with dbapi.connect(dsn, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.adbc_ingest(table, rows, mode="append", db_schema_name=schema)


def _bar(symbol: str, session: date, chance: random.Random) -> dict[str, object]:
    close, change = chance.randrange(1_000, 2_000_000), chance.randrange(-900, 900)
    shares = chance.randrange(1, 6_000_000_000)
    return {
        "symbol": symbol,
        "session": session,
        "open": close - 5,
        "high": close + 10,
        "low": close - 10,
        "close": close,
        "volume": chance.randrange(10**9),
        "value_krw": chance.randrange(10**13),
        "market_cap_krw": close * shares,
        "listed_shares": shares,
        "change": change,
        "base_price": close - change,
        "fluctuation_code": chance.randrange(6),
        "market": chance.choice(["KOSPI", "KOSDAQ", "KOSDAQ GLOBAL", "KONEX"]),
        "venue": "KRX",
        "halted": chance.random() < 0.01,
        "source": "marcap",
        "batch_id": chance.randrange(1, 100),
        "known_at": datetime(session.year, session.month, session.day, 9, 0, 0, 123456, tzinfo=UTC),
    }
