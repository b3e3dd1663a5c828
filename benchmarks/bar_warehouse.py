"""A warehouse of simulated bars, put in without the pipeline: what indicators and backtests are measured on."""

from __future__ import annotations

from datetime import date

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from adbc_driver_postgresql import dbapi

from benchmarks.bar_files import BarFiles
from benchmarks.databases import checkpoint
from include.indicators.index_level import INDICES
from include.warehouse.connection import connect

_SESSIONS_WITH_FLOWS = 60
_BLOCK_ROWS = 16_384


def fill(dsn: str, files: BarFiles) -> list[date]:
    """Bars as if loaded session by session, factors, indices, flows of the last sessions; returns the sessions."""
    days: set[date] = set()
    with dbapi.connect(dsn) as connection, connection.cursor() as cursor:
        for path in files.files:
            bars = pq.read_table(path, partitioning=None).sort_by([("session", "ascending"), ("symbol", "ascending")])
            span = pc.min_max(bars["session"]).as_py()
            batch = _enter_batch(dsn, "daily_bar", span["min"], span["max"])
            rows = _fact_rows(bars, batch).to_reader(max_chunksize=_BLOCK_ROWS)
            cursor.adbc_ingest("daily_bar", rows, mode="append", db_schema_name="market")
            connection.commit()
            days |= set(pc.unique(bars["session"]).to_pylist())
    sessions = sorted(days)
    with connect(dsn) as connection, connection.cursor() as copying:
        with copying.copy("COPY market.adjustment_factor FROM STDIN") as copy:
            for factor in files.factors():
                copy.write_row(factor)
        connection.execute(
            "INSERT INTO market.instrument SELECT symbol, min(session), max(session), symbol, max(market), '' "
            "FROM market.daily_bar GROUP BY symbol"
        )
        _add_indices(connection, sessions)
        _add_flows(connection, sessions[-_SESSIONS_WITH_FLOWS], sessions[-1])
    with connect(dsn, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    checkpoint(dsn)
    return sessions


def _enter_batch(dsn: str, dataset: str, first: date, last: date) -> int:
    """A loaded batch, and the partitions of its rows."""
    with connect(dsn) as connection:
        connection.execute("SELECT ops.ensure_year_partitions(%s, %s, %s)", [f"market.{dataset}", first, last])
        [batch] = connection.execute(
            "INSERT INTO ops.batch (dataset, source, first_session, last_session, status) "
            "VALUES (%s, 'marcap', %s, %s, 'loaded') RETURNING batch_id",
            [dataset, first, last],
        ).fetchall()[0]
        return int(batch)


def _fact_rows(bars: pa.Table, batch: int) -> pa.Table:
    """Rows of ``market.daily_bar``; every second issue is on KOSDAQ."""
    count = bars.num_rows
    symbols = bars["symbol"].cast(pa.string())
    on_kosdaq = pc.equal(pc.bit_wise_and(pc.index_in(symbols, pc.unique(symbols)), 1), 1)
    whole = ("open", "high", "low", "close", "volume", "value_krw", "base_price")
    columns = {"symbol": symbols, "session": bars["session"], "halted": bars["halted"]}
    columns |= {name: bars[name].cast(pa.int64()) for name in whole}
    columns |= {"market_cap_krw": columns["close"], "market": pc.if_else(on_kosdaq, "KOSDAQ", "KOSPI")}
    columns["change"] = pc.subtract(columns["close"], columns["base_price"])
    columns |= {"listed_shares": pa.repeat(1, count), "batch_id": pa.repeat(batch, count)}
    columns |= {"fluctuation_code": pa.repeat(pa.scalar(0, pa.int16()), count)}
    columns |= {"venue": pa.repeat("KRX", count), "source": pa.repeat("marcap", count)}
    columns["known_at"] = pa.repeat(pa.scalar(0, pa.timestamp("us", "UTC")), count)
    return pa.table(columns)


def _add_indices(connection: psycopg.Connection, sessions: list[date]) -> None:
    random = np.random.default_rng(1)
    connection.execute("SELECT ops.ensure_year_partitions('market.index_bar', %s, %s)", [sessions[0], sessions[-1]])
    statement = "COPY market.index_bar (index_name, family, session, close, source, batch_id, known_at) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for index in INDICES:
            closes = 2_000 * np.exp(np.cumsum(random.normal(0, 0.01, len(sessions))))
            for session, close in zip(sessions, closes.tolist(), strict=True):
                copy.write_row((*index, session, round(close, 2), "krx_openapi", 0, session))


def _add_flows(connection: psycopg.Connection, first: date, last: date) -> None:
    for table in ("investor_flow", "foreign_holding"):
        connection.execute("SELECT ops.ensure_year_partitions(%s, %s, %s)", [f"market.{table}", first, last])
    connection.execute(
        "INSERT INTO market.investor_flow (symbol, session, investor, net_krw, source, batch_id, known_at) "
        "SELECT symbol, session, investor, (random() * 2e9 - 1e9)::bigint, 'krx_portal', 0, now() "
        "FROM market.daily_bar "
        "CROSS JOIN unnest('{foreign,other_foreign,institution,individual,pension,bank}'::text[]) AS investor "
        "WHERE session BETWEEN %s AND %s",
        [first, last],
    )
    connection.execute(
        "INSERT INTO market.foreign_holding (symbol, session, foreign_shares, foreign_pct, source, batch_id, known_at) "
        "SELECT symbol, session, 1, random() * 100, 'krx_portal', 0, now() FROM market.daily_bar "
        "WHERE session BETWEEN %s AND %s",
        [first, last],
    )


def add_session(dsn: str, last: date) -> None:
    """The session after ``last`` with its bars, indices, flows and holdings."""
    with connect(dsn) as connection:
        [following] = connection.execute(
            "SELECT next_session FROM market.session WHERE session = %s", [last]
        ).fetchall()[0]
    batch = _enter_batch(dsn, "daily_bar", following, following)
    with connect(dsn) as connection:
        connection.execute(
            "CREATE TEMPORARY TABLE following AS SELECT * FROM market.daily_bar WHERE session = %s", [last]
        )
        connection.execute(
            "UPDATE following SET session = %s, batch_id = %s, base_price = close, "
            "close = greatest(low, close - 1, 1), volume = volume + 1",
            [following, batch],
        )
        connection.execute("INSERT INTO market.daily_bar SELECT * FROM following")
        _add_indices(connection, [following])
        _add_flows(connection, following, following)
