"""
## What it does

Finds the base-price resets (splits, bonus issues, rights issues) in the daily bars that have come in and
brings the adjustment factors up to date. Bars are not rewritten: `mart.adjusted_daily_bar` applies the
factors when it is read.

## When it runs

When `daily_bars` or `backfill` announces a session of the asset `daily_bar`; the run's partition is that
session. Whatever the partition, it works off everything not yet processed, so runs that pile up cost next
to nothing. By hand: *Trigger*, nothing to fill in.

## Alarms and what to do

- A red `refresh`: the factors are those of the run before, complete but not up to date. Nothing is half
  written. Read the log, clear the task.
- Events left *pending* (the log counts them) are resets seen across a session that is missing from the
  data. Fill the gap with `backfill`; the run that follows settles them.
"""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any

from airflow.sdk import PartitionedAssetTimetable, StartOfDayMapper, dag, task

from krxw_airflow.assets import dataset_asset
from krxw_airflow.policy import TASK_DEFAULTS

log = logging.getLogger("airflow.task")


@dag(
    schedule=PartitionedAssetTimetable(
        assets=dataset_asset("daily_bar"),
        default_partition_mapper=StartOfDayMapper(input_format="%Y-%m-%d", timezone="Asia/Seoul"),
    ),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    doc_md=__doc__,
    tags=["adjustment", "daily_bar"],
)
def adjustments() -> None:
    """Adjustment factors up to the bars at hand."""

    @task
    def refresh() -> dict[str, Any]:
        from include.adjustments.refresh import refresh_adjustments
        from include.settings import load_settings

        report = refresh_adjustments(load_settings().warehouse_dsn)
        log.info(report.summary())
        return asdict(report)

    refresh()


adjustments()
