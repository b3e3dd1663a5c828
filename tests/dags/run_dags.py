"""``dag.test()`` of DAGs, one after the other, in a process of its own; prints what became of them as JSON.

    python run_dags.py '[["daily_bars", {"session": "2026-11-19"}], ["corporate_actions", {}]]'

No task is tried again: a retry would wait for its minutes here.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def main(asked: list[tuple[str, dict[str, Any]]]) -> None:
    from airflow import settings
    from airflow.dag_processing.dagbag import DagBag

    settings.initialize()
    bag = DagBag(settings.DAGS_FOLDER)
    runs = []
    for dag_id, conf in asked:
        dag = bag.dags[dag_id]
        for task in dag.tasks:
            task.retries = 0
        runs.append(describe(dag.test(logical_date=None, run_conf=conf)))
    sys.stdout.write(f"{json.dumps({'runs': runs, 'queued': queued_runs()})}\n")


def describe(run: Any) -> dict[str, Any]:
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    def name(task: Any) -> str:
        return task.task_id if task.map_index < 0 else f"{task.task_id}[{task.map_index}]"

    with create_session() as session:
        events = session.scalars(select(AssetEvent).where(AssetEvent.source_run_id == run.run_id)).all()
        announced = [[event.asset.name, event.partition_key] for event in events]
    tasks = {name(task): task.state for task in run.get_task_instances()}
    return {"dag": run.dag_id, "state": run.state, "tasks": tasks, "announced": announced}


def queued_runs() -> list[list[str]]:
    """The runs a scheduler would now start because of announced partitions: DAG and partition."""
    from airflow.models.asset import AssetPartitionDagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        queued = session.scalars(select(AssetPartitionDagRun)).all()
        return sorted([run.target_dag_id, run.partition_key] for run in queued)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
