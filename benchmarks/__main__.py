"""``make bench``: how fast this machine loads, against ``psql \\copy``, in what memory, and how long a day takes.

And what is found of corporate actions, and what reading adjusted bars costs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Annotated

import psutil
import typer
from rich.console import Console

from benchmarks.backtests import add_backtests
from benchmarks.bar_files import bar_files
from benchmarks.bar_warehouse import fill
from benchmarks.bulk_copy import copy_seconds, dump
from benchmarks.corporate_actions import SYMBOLS, YEARS, measure_corporate_actions, show
from benchmarks.daily_dags import add_times, measure_daily_dags
from benchmarks.databases import empty_warehouse, running_server
from benchmarks.features import add_features
from benchmarks.figures import Figures
from benchmarks.filled_warehouse import measure_filled
from benchmarks.indicator_table import measure_indicator_table
from benchmarks.indicators import SESSIONS_PER_YEAR, add_indicators
from benchmarks.load import LoadResult, load_in_child
from benchmarks.market_files import MarketFiles, market_files
from benchmarks.session_collection import add_costs, collect_in_child
from include.platform.embedded import embedded_engine
from include.platform.errors import PlatformError
from include.platform.postgres import Engine, PostgresServer
from include.platform.timescale import TimescaleUnavailableError, timescale_engine
from include.settings import Settings, load_settings

RATIO_AIM = 0.5
BUSY_PERCENT = 15
RSS_LIMIT = 1_000_000_000

console = Console()


def main(
    years: Annotated[int, typer.Option(help="Years loaded for the rate.", min=1)] = 2,
    long_years: Annotated[int, typer.Option(help="Years loaded to see whether memory grows.", min=1)] = 6,
    symbols: Annotated[int, typer.Option(help="Rows of a session, about.", min=1)] = 2_700,
    repeats: Annotated[int, typer.Option(help="Loads and copies on each database; the median counts.", min=1)] = 2,
    action_years: Annotated[int, typer.Option(help="Years in which corporate actions are looked for.", min=1)] = YEARS,
    action_symbols: Annotated[int, typer.Option(help="Rows of their sessions, about.", min=1)] = SYMBOLS,
) -> None:
    """Measure loading and storage on this machine, with nothing else running."""
    began = time.monotonic()
    settings = load_settings()
    home = settings.home / "bench"
    home.mkdir(parents=True, exist_ok=True)
    if (busy := psutil.cpu_percent(interval=1)) > BUSY_PERCENT:
        console.print(
            f"[yellow]Other programs use {busy:.0f}% of this machine's processors: the figures will be low.[/]"
        )
    figures = Figures(f"{years} years of {symbols:,} symbols")
    with console.status("") as status:

        def report(step: str) -> None:
            status.update(f"{step} ({time.monotonic() - began:.0f} s)")

        report("simulating the market")
        files = market_files(home, symbols, max(years, long_years))
        files_of_actions = market_files(home, action_symbols, action_years)
        for engine in _engines(settings, figures):
            with running_server(engine) as server:
                _measure(server, home, files, years, repeats, figures, report)
                if engine.name == "postgresql":
                    _measure_long(server, home, files, long_years, figures, report)
                    _measure_derived(server, home, symbols, figures, report)
                _measure_session(server, home, figures, report)
                comparison = measure_corporate_actions(server, home, files_of_actions, figures, report)
        add_times(figures, measure_daily_dags(report))
        report("indicators of 15 years")
        add_indicators(figures, home, symbols, years=15)
        report("14 features")
        add_features(figures, home)
    console.print(figures.table())
    show(comparison, console)
    for reason in figures.not_measured:
        console.print(f"[yellow]Not measured:[/] {reason}")
    console.print(f"Kept in {figures.write(home)}; {time.monotonic() - began:.0f} s", soft_wrap=True)


def _engines(settings: Settings, figures: Figures) -> list[Engine]:
    engines = [embedded_engine(settings.home / "postgresql-binaries")]
    try:
        engines.append(timescale_engine(settings.home / "timescaledb"))
    except TimescaleUnavailableError as error:
        figures.not_measured.append(str(error))
    return engines


def _measure(
    server: PostgresServer,
    home: Path,
    files: MarketFiles,
    years: int,
    repeats: int,
    figures: Figures,
    report: Callable[[str], None],
) -> None:
    """Loads and copies by turns, so that both see the machine in the same state."""
    name = server.engine.name
    first, last = files.first(years), files.last
    csv = home / f"rows-{files.symbols}-symbols-{years}-years.csv"
    filled = Figures("")
    loads: list[LoadResult] = []
    copies: list[float] = []
    for turn in range(1, repeats + 1):
        with empty_warehouse(server) as dsn:
            report(f"{name}: load {turn} of {repeats}")
            loads.append(load_in_child(dsn, home / "scratch", files.folder, first, last))
            if not csv.is_file():
                report("writing the same rows as CSV")
                dump(server.engine, dsn, csv)
            if turn == repeats:
                report(f"{name}: adjusting, hashing, exporting, one more session")
                settings = load_settings({"KRXW_HOME": str(home / "scratch"), "KRXW_WAREHOUSE_DSN": dsn})
                measure_filled(settings, name, files, filled)
        with empty_warehouse(server) as dsn:
            report(f"{name}: \\copy {turn} of {repeats}")
            copies.append(copy_seconds(server.engine, dsn, csv, first, last))
    _add_rates(figures, name, years, loads, copies)
    figures.measured += filled.measured


def _add_rates(figures: Figures, name: str, years: int, loads: list[LoadResult], copies: list[float]) -> None:
    rows, seconds, copied = loads[0].rows, median(load.seconds for load in loads), median(copies)
    ratio = copied / seconds
    figures.add("load, file to commit", name, rows / seconds, "rows/s")
    figures.add("psql \\copy, same rows", name, rows / copied, "rows/s", "the limit")
    figures.add("load / \\copy", name, ratio, "", f"aim {RATIO_AIM}", met=ratio >= RATIO_AIM)
    shown = min(loads, key=lambda load: abs(load.seconds - seconds))
    for step, taken in sorted(shown.foreground.items(), key=lambda item: -item[1]):
        figures.add(f"  {step}", name, taken, "s", f"{taken / shown.seconds:.0%} of {shown.seconds:.1f} s")
    rest = shown.seconds - sum(shown.foreground.values())
    figures.add("  the rest, and waiting", name, rest, "s", f"{rest / shown.seconds:.0%}")
    for step, taken in sorted(shown.background.items(), key=lambda item: -item[1]):
        figures.add(f"  {step}", name, taken, "s", "beside")
    figures.add("  imports, per process", name, shown.import_seconds, "s", "not in the rate")
    _add_peak(figures, f"peak memory, {years} years", name, max(load.peak_rss_bytes for load in loads))


def _measure_long(
    server: PostgresServer,
    home: Path,
    files: MarketFiles,
    years: int,
    figures: Figures,
    report: Callable[[str], None],
) -> None:
    report(f"{server.engine.name}: load of {years} years")
    with empty_warehouse(server) as dsn:
        load = load_in_child(dsn, home / "scratch", files.folder, files.first(years), files.last)
    figures.add(f"load of {years} years", server.engine.name, load.rows_per_second, "rows/s")
    _add_peak(figures, f"peak memory, {years} years", server.engine.name, load.peak_rss_bytes)


def _measure_derived(
    server: PostgresServer, home: Path, symbols: int, figures: Figures, report: Callable[[str], None]
) -> None:
    """Indicators and backtests of 15 years."""
    name = server.engine.name
    with empty_warehouse(server) as dsn:
        report(f"{name}: 15 years of bars")
        sessions = fill(dsn, bar_files(home, symbols, 15 * SESSIONS_PER_YEAR))
        report(f"{name}: backtests of 15 years")
        add_backtests(figures, name, dsn, home / "scratch")
        measure_indicator_table(server.engine, dsn, home, sessions, figures, report)


def _measure_session(server: PostgresServer, home: Path, figures: Figures, report: Callable[[str], None]) -> None:
    report(f"{server.engine.name}: a session of all datasets")
    with empty_warehouse(server) as dsn:
        add_costs(figures, server.engine.name, collect_in_child(dsn, home / "scratch"))


def _add_peak(figures: Figures, name: str, database: str, peak: int) -> None:
    figures.add(name, database, peak / 1e6, "MB", f"limit {RSS_LIMIT / 1e6:,.0f} MB", met=peak <= RSS_LIMIT)


def run() -> None:
    """The command line; an error that explains itself ends it with its message."""
    try:
        typer.run(main)
    except PlatformError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    run()
