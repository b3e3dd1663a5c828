"""Follows runs of DAGs and shows how far they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from rich.status import Status

from include.platform.airflow_client import AirflowClient, AirflowError

POLL_SECONDS = 0.5
RUN_SECONDS = 600
_ENDED = ("success", "failed")


def follow_runs(client: AirflowClient, runs: Mapping[str, str], status: Status) -> None:
    """Wait until all ``runs``, given by DAG, have succeeded, showing their tasks in ``status``.

    Raises:
        AirflowError: one failed, or did not end in ``RUN_SECONDS``.
    """
    title = status.status
    deadline = time.monotonic() + RUN_SECONDS
    waiting = dict(runs)
    while waiting and time.monotonic() < deadline:
        tasks = [
            task
            for dag_id, run_id in runs.items()
            for task in client.get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", limit=100)["task_instances"]
        ]
        status.update(f"{title}: {_told(tasks)}")
        time.sleep(POLL_SECONDS)
        waiting = {dag_id: run_id for dag_id, run_id in waiting.items() if _state(client, dag_id, run_id) not in _ENDED}
    for dag_id, run_id in runs.items():
        client.wait_for_run(dag_id, run_id, timeout=POLL_SECONDS)


def follow_chain(
    client: AirflowClient, earlier: Mapping[str, Collection[str]], is_done: Callable[[], bool], status: Status
) -> None:
    """Wait until ``is_done``, and until no run of the DAGs in ``earlier`` is waiting or at work.

    Their runs are started by one another. That one in ``earlier`` failed is of no account.

    Raises:
        AirflowError: a run failed, or it took longer than ``RUN_SECONDS``.
    """
    title = status.status
    deadline = time.monotonic() + RUN_SECONDS
    while time.monotonic() < deadline:
        runs = {dag_id: client.runs(dag_id) for dag_id in earlier}
        for dag_id, own in runs.items():
            for run in own:
                if run["state"] == "failed" and run["dag_run_id"] not in earlier[dag_id]:
                    client.wait_for_run(dag_id, run["dag_run_id"], timeout=POLL_SECONDS)
        at_work = [dag_id for dag_id, own in runs.items() if any(run["state"] not in _ENDED for run in own)]
        if not at_work and is_done():
            return
        new = sum(run["dag_run_id"] not in earlier[dag_id] for dag_id, own in runs.items() for run in own)
        status.update(f"{title}: {new} runs{', at work: ' + ', '.join(at_work) if at_work else ''}")
        time.sleep(POLL_SECONDS)
    raise AirflowError(
        f"what follows from a session was not done in {RUN_SECONDS} s; look at the UI for {', '.join(earlier)}"
    )


def wait_for_scheduler(client: AirflowClient, dag_id: str) -> str:
    """Wait until the scheduler has made all runs of the DAG that are due; when the next one is, in ISO format.

    Raises:
        AirflowError: it did not in ``RUN_SECONDS``.
    """
    deadline = time.monotonic() + RUN_SECONDS
    while time.monotonic() < deadline:
        due = client.get(f"dags/{dag_id}")["next_dagrun_run_after"]
        if due is not None and datetime.fromisoformat(due) > datetime.now(UTC):
            return str(due)
        time.sleep(POLL_SECONDS)
    raise AirflowError(f"no run of {dag_id} was scheduled in {RUN_SECONDS} s; is the scheduler well? (`krxw status`)")


def start_run(client: AirflowClient, dag_id: str, conf: dict[str, Any] | None = None) -> str:
    """Switch the DAG on, and return the run that its schedule then starts; without one, ask for a run with ``conf``."""
    dag, before = client.get(f"dags/{dag_id}"), run_ids(client, dag_id)
    client.unpause(dag_id)
    due = dag["next_dagrun_run_after"]
    if dag["is_paused"] and due is not None and datetime.fromisoformat(due) <= datetime.now(UTC):
        return next_run(client, dag_id, before)
    return client.trigger_dag(dag_id, conf)


def run_ids(client: AirflowClient, dag_id: str) -> set[str]:
    """The runs of the DAG so far."""
    return {str(run["dag_run_id"]) for run in client.runs(dag_id)}


def next_run(client: AirflowClient, dag_id: str, before: Collection[str]) -> str:
    """Wait for a run of the DAG that is not one of ``before``, and return its id.

    Raises:
        AirflowError: none was started in ``RUN_SECONDS``.
    """
    deadline = time.monotonic() + RUN_SECONDS
    while time.monotonic() < deadline:
        started = run_ids(client, dag_id) - set(before)
        if started:
            return max(started)
        time.sleep(POLL_SECONDS)
    raise AirflowError(f"no run of {dag_id} was started in {RUN_SECONDS} s; is the scheduler well? (`krxw status`)")


def _state(client: AirflowClient, dag_id: str, run_id: str) -> str:
    return str(client.get(f"dags/{dag_id}/dagRuns/{run_id}")["state"])


def _told(tasks: list[dict[str, Any]]) -> str:
    done = sum(task["state"] in ("success", "skipped") for task in tasks)
    running = [
        task["task_id"] + (f" {task['rendered_map_index']}" if task["rendered_map_index"] else "")
        for task in tasks
        if task["state"] == "running"
    ]
    now = f", running: {', '.join(running)}" if running else ""
    return f"{done} of {len(tasks)} tasks done{now}"
