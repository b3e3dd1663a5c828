"""
## What it does

Writes every dataset to Parquet under `KRXW_COLD_URL`, one partition per year, and reads it back to verify
it against its manifest and the warehouse. A year in which nothing changed is left as it is, a dataset of which the
warehouse holds nothing yet is left out; the log says so.

## When it runs

Saturdays at 07:00 KST, when no session is being collected. By hand: *Trigger*, nothing to fill in.

## Alarms and what to do

- A red `export`: most often no room or no access at `KRXW_COLD_URL`; the log says which, and for which datasets. Make
  room, clear the task. Every partition is the old one or the new one, never half of it.
- A red `verify`: a file is not what its manifest says, or the warehouse has moved on. The log names the
  dataset and the year. Clear `export`: what differs is written anew and verified again. If it fails once more,
  suspect the storage and do not delete the older copy.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task
from airflow.sdk.exceptions import AirflowFailException

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
    def export() -> None:
        from include.cold.errors import ColdStorageError, NothingToExportError
        from include.cold.export import export_dataset
        from include.settings import load_settings

        failures = []
        for dataset in dataset_names():
            try:
                for partition in export_dataset(load_settings(), dataset):
                    log.info(partition.summary())
            except NothingToExportError as error:
                log.info(str(error))
            except ColdStorageError as error:
                failures.append(f"{dataset}: {error}")
        if failures:
            raise ColdStorageError("; ".join(failures))

    @task
    def verify() -> None:
        from include.cold.errors import NothingToVerifyError
        from include.cold.verify import verify_dataset
        from include.settings import load_settings

        failed = []
        for dataset in dataset_names():
            try:
                report = verify_dataset(load_settings(), dataset)
            except NothingToVerifyError as error:
                log.info(str(error))
                continue
            log.info(report.summary())
            if not report.ok:
                failed.append(dataset)
        if failed:
            raise AirflowFailException(f"not what was exported: {', '.join(failed)}; see above")

    export() >> verify()


cold_storage()
