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
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.bar_files import bar_files
from benchmarks.bar_warehouse import add_session, fill
from benchmarks.databases import checkpoint, empty_warehouse, running_server
from benchmarks.figures import Figures
from benchmarks.indicators import SESSIONS_PER_YEAR
from include.indicators.table import refresh_indicators
from include.platform.embedded import embedded_engine
from include.platform.postgres import Engine
from include.settings import load_settings
from include.warehouse.connection import connect

INCREMENT_AIM = 10.0
RSS_LIMIT = 2_000_000_000
_COPIED_YEARS = 2


@dataclass(frozen=True)
class RefreshResult:
    """Rows written, seconds without imports, and the most memory the process had."""

    rows: int
    seconds: float
    peak_rss_bytes: int


def measure_indicator_table(
    engine: Engine, dsn: str, home: Path, sessions: Sequence[date], figures: Figures, report: Callable[[str], None]
) -> None:
    """Add the figures, on a warehouse filled with bars of ``sessions``; it is left without indicators."""
    name = engine.name
    report(f"{name}: indicators of all sessions")
    whole = _refresh(dsn)
    checkpoint(dsn)
    report(f"{name}: indicators of one more session")
    add_session(dsn, sessions[-1])
    increment = _refresh(dsn)
    report(f"{name}: \\copy of indicators")
    copied, seconds = _copy(engine, dsn, home, date(sessions[-1].year - _COPIED_YEARS + 1, 1, 1))
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
    engine = embedded_engine(settings.home / "postgresql-binaries")
    with running_server(engine) as server, empty_warehouse(server) as dsn:
        sessions = fill(dsn, bar_files(home, symbols, years * SESSIONS_PER_YEAR))
        measure_indicator_table(engine, dsn, home, sessions, figures, console.print)
    console.print(figures.table())


if __name__ == "__main__":
    if sys.argv[1:2] == ["refresh"]:
        print(json.dumps(asdict(_time(sys.argv[2]))))
    else:
        typer.run(main)
