"""
## What it does

Writes every dataset to Parquet under `KRXW_COLD_URL`, one partition per year, and reads it back to verify
it against its manifest and the warehouse. A year in which nothing changed is left as it is.

## When it runs

Saturdays at 07:00 KST, when no session is being collected. By hand: *Trigger*, nothing to fill in.

## Alarms and what to do

- A red `export`: most often no room or no access at `KRXW_COLD_URL`; the log says which. Make room, clear
  the task. Every partition is the old one or the new one, never half of it.
- A red `verify`: a file is not what its manifest says, or the warehouse has moved on. The log names the
  year. Clear `export` of that dataset: it is written anew and verified again. If it fails once more,
  suspect the storage and do not delete the older copy.
- A skipped dataset: the warehouse holds nothing of it yet. Load it, or leave it.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task, task_group
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from krxw_airflow.assets import dataset_names
from krxw_airflow.policy import TASK_DEFAULTS

log = logging.getLogger("airflow.task")


@dag(
    schedule=CronTriggerTimetable("0 7 * * 6", timezone="Asia/Seoul"),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS | {"execution_timeout": timedelta(hours=2)},
    doc_md=__doc__,
    tags=["storage"],
)
def cold_storage() -> None:
    """Every dataset to Parquet and back."""

    @task
    def export(dataset: str) -> None:
        from include.cold.errors import NothingToExportError
        from include.cold.export import export_dataset
        from include.settings import load_settings

        try:
            partitions = export_dataset(load_settings(), dataset)
        except NothingToExportError as error:
            raise AirflowSkipException(str(error)) from error
        for partition in partitions:
            log.info(partition.summary())

    @task
    def verify(dataset: str) -> None:
        from include.cold.verify import verify_dataset
        from include.settings import load_settings

        report = verify_dataset(load_settings(), dataset)
        if not report.ok:
            raise AirflowFailException(report.summary())
        log.info(report.summary())

    for name in dataset_names():

        @task_group(group_id=name)
        def store(dataset: str) -> None:
            export(dataset) >> verify(dataset)

        store(name)


cold_storage()
