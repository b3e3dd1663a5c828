"""``python -m benchmarks.session_collection``: one session of every dataset, each from its first source, on loopback.

A process of its own collects the session, with all modules loaded and the session before it in the warehouse, from
servers in another process. Our own time is all that passes except while we only wait for the servers; no call waits for
its turn, because the rates are set far above what is reached.

python -m benchmarks.session_collection DSN HOME SYMBOLS: that process.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.databases import empty_warehouse, running_server
from benchmarks.figures import Figures
from include.market.calendar import previous_session
from include.platform.embedded import embedded_engine
from include.settings import Settings, load_settings

SECONDS_AIM = 20.0
# An ordinary one, with a few dividends.
SESSION = date(2024, 5, 7)
SYMBOLS = 2_900
_REST = "the rest"
STEPS = ("fetch", "land", "parse, check", "load, suite", "data docs", _REST)


@dataclass(frozen=True)
class DatasetCost:
    """What one dataset took, in seconds; ``own`` of them by step, ``waiting`` for the source."""

    dataset: str
    source: str
    rows: int
    calls: int
    bytes: int
    waiting: float
    own: Mapping[str, float]

    @property
    def own_seconds(self) -> float:
        """Of all steps."""
        return sum(self.own.values())


@dataclass(frozen=True)
class CollectionCost:
    """What a session took; ``processor_seconds`` are this process's the others the database's."""

    datasets: list[DatasetCost]
    import_seconds: float
    processor_seconds: float
    load_average: float

    @property
    def own_seconds(self) -> float:
        """Of all datasets."""
        return sum(cost.own_seconds for cost in self.datasets)


def collect_in_child(dsn: str, home: Path, symbols: int = SYMBOLS) -> CollectionCost:
    """Run this module as a program, with ``home`` emptied first."""
    shutil.rmtree(home, ignore_errors=True)
    arguments = [dsn, str(home), str(symbols)]
    finished = subprocess.run(
        [sys.executable, "-m", "benchmarks.session_collection", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    told = json.loads(finished.stdout.splitlines()[-1])
    return CollectionCost(**told | {"datasets": [DatasetCost(**cost) for cost in told["datasets"]]})


def add_costs(figures: Figures, database: str, cost: CollectionCost) -> None:
    """The total against its aim, and each dataset's share of it."""
    own = cost.own_seconds
    aim = f"limit {SECONDS_AIM:.0f} s, of it {own / SECONDS_AIM:.0%}; load average {cost.load_average:.1f}"
    figures.add("one session, all datasets, own time", database, own, "s", aim, met=own <= SECONDS_AIM)
    for each in sorted(cost.datasets, key=lambda each: each.own_seconds, reverse=True):
        figures.add(f"  {each.dataset}", database, each.own_seconds, "s", f"{each.calls:,} calls, {each.rows:,} rows")
    figures.add("  imports, per process", database, cost.import_seconds, "s", "not in the total")


def table_of(cost: CollectionCost) -> Table:
    """Each dataset's seconds by step."""
    table = Table("dataset", "source", "rows", "calls", "MB", "waiting", *STEPS, "own", box=None)
    for column in table.columns[2:]:
        column.justify = "right"
    for each in cost.datasets:
        seconds = [each.waiting, *(each.own.get(step, 0) for step in STEPS), each.own_seconds]
        counts = f"{each.rows:,}", f"{each.calls:,}", f"{each.bytes / 1e6:.1f}"
        table.add_row(each.dataset, each.source, *counts, *(f"{value:.2f}" for value in seconds))
    return table


def _collect(dsn: str, home: str, symbols: str) -> CollectionCost:
    began = time.perf_counter()
    from benchmarks.source_servers import source_servers
    from include.datasets.registry import datasets
    from include.pipeline.ingest import ingest_session

    _import_what_tasks_import()
    imported = time.perf_counter() - began
    settings = load_settings({"KRXW_HOME": home, "KRXW_WAREHOUSE_DSN": dsn})
    names = ["daily_bar", *sorted(set(datasets()) - {"daily_bar", "intraday_snapshot"})]
    costs: list[DatasetCost] = []
    with source_servers(int(symbols), SESSION) as environment:
        for name in names:
            ingest_session(settings, name, previous_session(SESSION), environment=environment)
        processor = time.process_time()
        for name in names:
            costs.append(_cost(settings, name, environment))
        processor = time.process_time() - processor
    return CollectionCost(costs, imported, processor, os.getloadavg()[0])


def _import_what_tasks_import() -> None:
    """Where a task pays for it: within its first fetch, parse or suite."""
    import great_expectations.render.renderer.page_renderer  # noqa: F401
    import pykrx.website.krx.krxio  # noqa: F401
    import yfinance  # noqa: F401

    import include.quality.suite  # noqa: F401
    from include.quality.validate import prepare_great_expectations

    prepare_great_expectations()


def _cost(settings: Settings, name: str, environment: Mapping[str, str]) -> DatasetCost:
    from benchmarks.step_clock import StepClock
    from benchmarks.wait_clock import WaitClock
    from include.crawlers.source import crawler_for
    from include.datasets.registry import dataset_named
    from include.pipeline import ingest, prepare
    from include.pipeline.landing import LandingZone

    source = dataset_named(name).sources[0]
    crawler = type(crawler_for(name, source))
    clock, waits = (
        StepClock(
            [
                (crawler, "fetch", "fetch"),
                (LandingZone, "land", "land"),
                (crawler, "parse", "parse, check"),
                (prepare, "mark_violations", "parse, check"),
                (ingest, "commit_chunk", "load, suite"),
                (ingest, "write_data_docs", "data docs"),
            ]
        ),
        WaitClock(),
    )
    began = time.perf_counter()
    with clock.running(), waits.running():
        report = ingest.ingest_session(settings, name, SESSION, source, environment)
    seconds = time.perf_counter() - began
    if report.status not in ("loaded", "unchanged"):  # the list of delistings may hold no new one
        raise RuntimeError(report.summary())
    own = dict(clock.foreground)
    own["fetch"] -= waits.seconds
    own[_REST] = seconds - waits.seconds - sum(own.values())
    return DatasetCost(name, source, report.rows_published, waits.calls, waits.bytes, waits.seconds, own)


def main() -> None:
    """Measure it on plain PostgreSQL and print it."""
    settings = load_settings()
    home = settings.home / "bench"
    figures = Figures(f"one session of {SYMBOLS:,} symbols")
    engine = embedded_engine(settings.home / "postgresql-binaries")
    with running_server(engine) as server, empty_warehouse(server) as dsn:
        cost = collect_in_child(dsn, home / "scratch")
    add_costs(figures, engine.name, cost)
    console = Console()
    console.print(table_of(cost), figures.table(), sep="\n\n")
    console.print(f"Our processes' share of the own time: {cost.processor_seconds:.1f} s; the rest is the database's.")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(asdict(_collect(*sys.argv[1:]))))
    else:
        main()
