"""``python -m benchmarks.backtests``: all strategies over 2,700 symbols and 15 years, from the warehouse to its tables.

On the same simulated bars as the table of indicators. The times are those of one run, by what it was doing. Signals,
results and charts are worked out by as many processes as there are processors, four at most.

python -m benchmarks.backtests run DSN FOLDER: one run, in a process of its own.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.bar_files import bar_files
from benchmarks.bar_warehouse import fill
from benchmarks.databases import empty_warehouse, running_server
from benchmarks.figures import Figures
from benchmarks.indicators import SESSIONS_PER_YEAR
from include.backtest.run import run_backtests
from include.platform.embedded import embedded_engine
from include.settings import load_settings

SECONDS_AIM = 60.0


@dataclass(frozen=True)
class BacktestResult:
    """Seconds without imports, by what was done, and the most memory of the process and of one it split off."""

    strategies: int
    bars: int
    signals: int
    seconds: float
    finding_seconds: float
    following_seconds: float
    peak_rss_bytes: int
    peak_child_rss_bytes: int


def add_backtests(figures: Figures, database: str, dsn: str, home: Path) -> None:
    """Measure on the warehouse ``dsn``, with the pages under ``home``."""
    command = [sys.executable, "-m", "benchmarks.backtests", "run", dsn, str(home)]
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = BacktestResult(**json.loads(finished.stdout.splitlines()[-1]))
    against = f"aim {SECONDS_AIM:.0f} s; {found.bars:,} bars, {found.signals:,} signals"
    title = f"{found.strategies} strategies backtested"
    figures.add(title, database, found.seconds, "s", against, met=found.seconds <= SECONDS_AIM)
    figures.add("  reading, indicators, signals", database, found.finding_seconds, "s")
    figures.add("  results and portfolios", database, found.following_seconds, "s")
    rest = found.seconds - found.finding_seconds - found.following_seconds
    figures.add("  tables and pages", database, rest, "s")
    figures.add("  peak memory, of the run", database, found.peak_rss_bytes / 1e6, "MB")
    shared = "shared for the most part"
    figures.add("  and of one of its processes", database, found.peak_child_rss_bytes / 1e6, "MB", shared)


def _time(dsn: str, home: Path) -> BacktestResult:
    settings = load_settings({"KRXW_HOME": str(home), "KRXW_WAREHOUSE_DSN": dsn})
    ends: dict[str, float] = {}

    def note(what: str, *_: int) -> None:
        ends[what] = time.perf_counter()

    began = time.perf_counter()
    report = run_backtests(settings, on_progress=note)
    seconds = time.perf_counter() - began
    unit = 1 if sys.platform == "darwin" else 1024
    return BacktestResult(
        strategies=report.strategies,
        bars=report.bars,
        signals=report.signals,
        seconds=seconds,
        finding_seconds=ends["issues"] - began,
        following_seconds=ends["strategies"] - ends["issues"],
        peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
        peak_child_rss_bytes=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit,
    )


def main(
    symbols: Annotated[int, typer.Option(help="Rows of a session, about.", min=1)] = 2_700,
    years: Annotated[int, typer.Option(help="Years of bars.", min=1)] = 15,
) -> None:
    """Measure backtests on plain PostgreSQL on this machine, with nothing else running."""
    settings = load_settings()
    home = settings.home / "bench"
    home.mkdir(parents=True, exist_ok=True)
    figures = Figures(f"Backtests, {years} years of {symbols:,} symbols")
    console = Console()
    engine = embedded_engine(settings.home / "postgresql-binaries")
    with running_server(engine) as server, empty_warehouse(server) as dsn:
        fill(dsn, bar_files(home, symbols, years * SESSIONS_PER_YEAR))
        add_backtests(figures, engine.name, dsn, home / "scratch")
    console.print(figures.table())


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        print(json.dumps(asdict(_time(sys.argv[2], Path(sys.argv[3])))))
    else:
        typer.run(main)
