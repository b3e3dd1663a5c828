"""``python -m benchmarks.daily_dags``: the wall time of all daily DAGs under a local Airflow, as ``krxw up`` starts it.

The warehouse holds the two sessions before, and Airflow has run a task. Then the DAGs that collect after the close are
switched on at once; each starts the run of the session at hand by its own schedule. The time is from the first switch
to the last run's success. Dividends are asked for symbol by symbol on days that have any, in most years from February
to October.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import typer
from rich.console import Console

from benchmarks.figures import Figures
from benchmarks.session_collection import SYMBOLS
from benchmarks.source_servers import source_servers
from include.datasets.registry import datasets
from include.market.calendar import KST, previous_session, trading_hours
from include.pipeline.ingest import ingest_session
from include.platform.airflow import PORT_VARIABLE as AIRFLOW_PORT
from include.platform.airflow_client import AirflowClient
from include.platform.local import remove_platform, start_airflow_here, start_database
from include.platform.postgres import PORT_VARIABLE as POSTGRES_PORT
from include.settings import Settings, load_settings

SECONDS_AIM = 60.0
_RUN_SECONDS = 300.0
# What the environment may say of another platform than this one.
_ELSEWHERE = (POSTGRES_PORT, AIRFLOW_PORT, "KRXW_WAREHOUSE_DSN")
_WARM_UP = "cold_storage"
_SCHEDULE = "session close"

_DATABASE = "postgresql"


@dataclass(frozen=True)
class TaskTime:
    """A task's wait and work; ``queued``, ``started`` and ``ended`` are seconds after the first DAG was switched on."""

    dag_id: str
    queued: float
    started: float
    ended: float


def measure_daily_dags(report: Callable[[str], None]) -> list[TaskTime]:
    """Each DAG's task, by its end; ``report`` is told the step."""
    report("starting Airflow")
    with _platform() as (settings, client, session):
        report("loading the sessions before the one the daily DAGs collect")
        _load_before(settings, session)
        dag_ids = _daily_dags(client)
        _run_once(client, _WARM_UP)
        report(f"{len(dag_ids)} daily DAGs")
        return sorted(_run_all(client, dag_ids), key=lambda time: time.ended)


def add_times(figures: Figures, times: list[TaskTime]) -> None:
    """The wall time against its aim, and each task's own."""
    wall = times[-1].ended
    aim = f"limit {SECONDS_AIM:.0f} s, of it {wall / SECONDS_AIM:.0%}; load average {os.getloadavg()[0]:.1f}"
    figures.add(f"all {len(times)} daily DAGs, wall time", _DATABASE, wall, "s", aim, met=wall <= SECONDS_AIM)
    for each in times:
        about = f"queued at {each.queued:.0f} s, started at {each.started:.0f} s, ended at {each.ended:.0f} s"
        figures.add(f"  {each.dag_id}", _DATABASE, each.ended - each.started, "s", about)


def main() -> None:
    """Measure it once and print it."""
    console = Console()
    figures = Figures(f"daily DAGs, {SYMBOLS:,} symbols")
    with console.status("") as status:
        add_times(figures, measure_daily_dags(status.update))
    console.print(figures.table())


@contextmanager
def _platform() -> Iterator[tuple[Settings, AirflowClient, date]]:
    """A platform of its own beside any other, with its sources; nothing is left of it."""
    session = _latest_session(datetime.now(KST))
    with tempfile.TemporaryDirectory(prefix="krxw-bench-") as folder, source_servers(SYMBOLS, session) as environment:
        Path(folder).chmod(0o755)  # the server's account has to enter
        elsewhere = dict.fromkeys(_ELSEWHERE, "")
        settings = load_settings({"KRXW_HOME": str(Path(folder) / "home")})
        with patch.dict(os.environ, environment | elsewhere):
            try:
                start_database(settings, report=_say_nothing)
                client = AirflowClient(start_airflow_here(settings, report=_say_nothing))
                yield settings, client, session
            finally:
                remove_platform(settings, report=_say_nothing)


def _say_nothing(_: str) -> None:
    """The steps before the measurement are not shown."""


def _latest_session(now: datetime) -> date:
    session = previous_session(now.date() + timedelta(days=1))
    return session if trading_hours(session).close < now else previous_session(session)


def _load_before(settings: Settings, session: date) -> None:
    names = ["daily_bar", *sorted(set(datasets()) - {"daily_bar", "intraday_snapshot"})]
    prior = previous_session(session)
    for day in (previous_session(prior), prior):
        for name in names:
            ingest_session(settings, name, day)


def _run_once(client: AirflowClient, dag_id: str) -> None:
    """The first task after a start waits until the process that workers are forked from has loaded its modules."""
    client.wait_for_dag(dag_id)
    client.unpause(dag_id)
    client.wait_for_run(dag_id, client.trigger_dag(dag_id), _RUN_SECONDS)


def _daily_dags(client: AirflowClient) -> list[str]:
    """Those the schedule runs after each close, once Airflow has read them all."""
    client.wait_for_dag("sectors")
    dags = client.get("dags", tags="collection", limit=100)["dags"]
    return [dag["dag_id"] for dag in dags if (dag["timetable_summary"] or "").startswith(_SCHEDULE)]


def _run_all(client: AirflowClient, dag_ids: list[str]) -> list[TaskTime]:
    began = time.time()
    for dag_id in dag_ids:
        client.unpause(dag_id)
    deadline = time.monotonic() + _RUN_SECONDS
    waiting = set(dag_ids)
    while waiting:
        for dag_id in sorted(waiting):
            runs = client.runs(dag_id)
            if runs:
                client.wait_for_run(dag_id, runs[0]["dag_run_id"], deadline - time.monotonic())
                waiting.remove(dag_id)
        time.sleep(1)
    return [_task_time(client, dag_id, began) for dag_id in dag_ids]


def _task_time(client: AirflowClient, dag_id: str, began: float) -> TaskTime:
    [task] = client.get(f"dags/{dag_id}/dagRuns/~/taskInstances")["task_instances"]
    run = client.runs(dag_id)[0]
    return TaskTime(
        dag_id, *(_moment(text) - began for text in (task["queued_when"], task["start_date"], run["end_date"]))
    )


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).astimezone(UTC).timestamp()


if __name__ == "__main__":
    typer.run(main)
