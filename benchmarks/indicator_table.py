"""``python -m benchmarks.indicator_table``: ``derived.indicator`` of a simulated market, read, computed and written.

Beside ``psql \\copy`` of the rows of the last years into the same table, and what one more session of the whole market
takes. The bars are put into the warehouse without the pipeline, which has figures of its own; the indices, and the
flows of the last sessions, are random.

python -m benchmarks.indicator_table refresh DSN: one refresh, in a process of its own.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import typer
from adbc_driver_postgresql import dbapi
from rich.console import Console

from benchmarks.bar_files import BarFiles, bar_files
from benchmarks.databases import checkpoint, empty_warehouse, running_server
from benchmarks.figures import Figures
from benchmarks.indicators import SESSIONS_PER_YEAR
from include.indicators.index_level import INDICES
from include.indicators.table import refresh_indicators
from include.platform.embedded import embedded_engine
from include.platform.postgres import Engine, PostgresServer
from include.settings import load_settings
from include.warehouse.connection import connect

INCREMENT_AIM = 10.0
RSS_LIMIT = 2_000_000_000
_COPIED_YEARS = 2
_SESSIONS_WITH_FLOWS = 60
_BLOCK_ROWS = 16_384


@dataclass(frozen=True)
class RefreshResult:
    """Rows written, seconds without imports, and the most memory the process had."""

    rows: int
    seconds: float
    peak_rss_bytes: int


def measure_indicator_table(
    server: PostgresServer, home: Path, symbols: int, years: int, figures: Figures, report: Callable[[str], None]
) -> None:
    """Add the figures, of a market written under ``home`` the first time."""
    name = server.engine.name
    files = bar_files(home, symbols, years * SESSIONS_PER_YEAR)
    with empty_warehouse(server) as dsn:
        report(f"{name}: bars to compute indicators of")
        sessions = fill(dsn, files)
        report(f"{name}: indicators of {years} years")
        whole = _refresh(dsn)
        checkpoint(dsn)
        report(f"{name}: indicators of one more session")
        _add_session(dsn, sessions[-1])
        increment = _refresh(dsn)
        report(f"{name}: \\copy of indicators")
        copied, seconds = _copy(server.engine, dsn, home, date(sessions[-1].year - _COPIED_YEARS + 1, 1, 1))
    rate, limit = whole.rows / whole.seconds, copied / seconds
    figures.add("indicators, bars to commit", name, rate, "rows/s", f"{whole.rows:,} rows in {whole.seconds:.0f} s")
    figures.add("psql \\copy of such rows", name, limit, "rows/s", f"the limit, on {copied:,} of them")
    figures.add("indicators / \\copy", name, rate / limit, "")
    met = increment.seconds <= INCREMENT_AIM
    against = f"aim {INCREMENT_AIM:.0f} s; {increment.rows:,} rows"
    figures.add("indicators of one more session", name, increment.seconds, "s", against, met=met)
    peak = max(whole.peak_rss_bytes, increment.peak_rss_bytes)
    figures.add("  peak memory", name, peak / 1e6, "MB", f"limit {RSS_LIMIT / 1e6:,.0f} MB", met=peak <= RSS_LIMIT)


def _refresh(dsn: str) -> RefreshResult:
    command = [sys.executable, "-m", "benchmarks.indicator_table", "refresh", dsn]
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return RefreshResult(**json.loads(finished.stdout.splitlines()[-1]))


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


def _add_session(dsn: str, last: date) -> None:
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


def _copy(engine: Engine, dsn: str, home: Path, first: date) -> tuple[int, float]:
    """How many rows there are from ``first`` on, and the seconds ``\\copy`` takes to put them into the empty table."""
    file = home / "indicators.csv"

    def psql(command: str) -> None:
        arguments = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "-c", command, dsn]
        subprocess.run([engine.program("psql"), *arguments], check=True)

    try:
        query = f"SELECT * FROM derived.indicator WHERE session >= '{first}' ORDER BY symbol, session"
        psql(f"\\copy ({query}) TO '{file}' WITH (FORMAT csv)")
        with connect(dsn) as connection:
            [count] = connection.execute(
                "SELECT count(*) FROM derived.indicator WHERE session >= %s", [first]
            ).fetchall()[0]
            connection.execute("TRUNCATE derived.indicator")
        checkpoint(dsn)
        began = time.perf_counter()
        psql(f"\\copy derived.indicator FROM '{file}' WITH (FORMAT csv)")
        return count, time.perf_counter() - began
    finally:
        file.unlink(missing_ok=True)


def _time(dsn: str) -> RefreshResult:
    began = time.perf_counter()
    report = refresh_indicators(dsn)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return RefreshResult(report.rows, seconds, peak)


def main(
    symbols: Annotated[int, typer.Option(help="Rows of a session, about.", min=1)] = 2_700,
    years: Annotated[int, typer.Option(help="Years of bars.", min=_COPIED_YEARS)] = 15,
) -> None:
    """Measure the table of indicators on plain PostgreSQL on this machine, with nothing else running."""
    settings = load_settings()
    home = settings.home / "bench"
    home.mkdir(parents=True, exist_ok=True)
    figures = Figures(f"The table of indicators, {years} years of {symbols:,} symbols")
    console = Console()
    with running_server(embedded_engine(settings.home / "postgresql-binaries")) as server:
        measure_indicator_table(server, home, symbols, years, figures, console.print)
    console.print(figures.table())


if __name__ == "__main__":
    if sys.argv[1:2] == ["refresh"]:
        print(json.dumps(asdict(_time(sys.argv[2]))))
    else:
        typer.run(main)
