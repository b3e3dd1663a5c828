"""Read every DAG file in a fresh process, as Airflow does, and print as JSON what was seen."""

from __future__ import annotations

import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

HEAVY = ("pandas", "pyarrow", "great_expectations", "pykrx", "yfinance", "duckdb", "exchange_calendars", "numpy")


class NoNetwork(socket.socket):
    def connect(self, address: Any) -> None:
        raise AssertionError(f"a DAG file connects to {address} while it is parsed")


def main(folder: Path) -> None:
    from airflow.dag_processing.dagbag import DagBag

    # What Airflow itself brings is not the files' doing.
    before = {name for name in HEAVY if name in sys.modules}
    socket.socket = NoNetwork  # type: ignore[misc]
    started = time.perf_counter()
    bag = DagBag(dag_folder=folder, collect_dags=True, bundle_path=folder, bundle_name="dags")
    seconds = time.perf_counter() - started
    seen = {
        "seconds": seconds,
        "heavy": sorted(name for name in HEAVY if name in sys.modules and name not in before),
        "import_errors": bag.import_errors,
        "dags": {dag_id: describe(dag) for dag_id, dag in bag.dags.items()},
    }
    sys.stdout.write(f"{json.dumps(seen)}\n")


def describe(dag: Any) -> dict[str, Any]:
    return {
        "file": Path(dag.fileloc).name,
        "tags": sorted(dag.tags),
        "doc_md": dag.doc_md,
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "schedule": type(dag.timetable).__name__,
        "params": {name: dag.params.get_param(name).schema for name in dag.params},
        "tasks": {
            task.task_id: {
                "owner": task.owner,
                "pool": task.pool,
                "retries": task.retries,
                "retry_delay": task.retry_delay.total_seconds(),
                "timeout": task.execution_timeout and task.execution_timeout.total_seconds(),
                "outlets": [outlet.uri for outlet in task.outlets],
            }
            for task in dag.tasks
        },
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
