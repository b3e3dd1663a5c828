"""
## What it does

Runs every screen of `derived.screen` on the sessions it has not been run on, and keeps what each finds:
`mart.screen_result` has the issues with their rank and values, `mart.screen_run` how many were considered and found. No
hit is a result. One of the last five sessions is run again when something it rests on was loaded since; what was found
on older ones stays, whatever becomes of the screen's definition or of the indicators.

## When it runs

When a session of `indicator` or `fundamental` is announced; the run's partition is that session. Whatever the
partition, it works off everything not yet done: runs that pile up cost next to nothing. A screen that asks for
fundamentals waits for them while the others are run. By hand: *Trigger*, nothing to fill in.

## Alarms and what to do

- A red `run`: what was kept before stays, the rest is not done yet. *no screen could be run* says which columns have no
  value; load what they come from and clear the task.
- *screen NAME, version n* in the error: that one cannot be run, or was broken off because it took too long. The others
  were run. Replace or remove it, then clear the task.
- *indicators of n issues are yet to be computed*: a run of `indicators` was cut short; clear it, then this one. A run
  that goes on is waited for.
- *do not have all of ... yet* in the log: bars, flows or holdings were loaded that the indicators do not have. The run
  that follows `indicators` does the rest; if none does, see whether `corporate_actions` or `indicators` is red.
- *waiting* in the log: a screen lacks values of the columns named there. It is run once they are loaded. Fundamentals
  come from `fundamentals`, ownership from `foreign_holdings`, net buying from `investor_flows`.
- A definition that is wrong: `krxw screen check FILE`, then `krxw screen add FILE --replace`; see docs/screens.md.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from airflow.sdk import PartitionedAssetTimetable, StartOfDayMapper, dag, task

from krxw_airflow.assets import dataset_asset, indicator_asset
from krxw_airflow.policy import TASK_DEFAULTS

log = logging.getLogger("airflow.task")


@dag(
    schedule=PartitionedAssetTimetable(
        assets=indicator_asset() | dataset_asset("fundamental"),
        default_partition_mapper=StartOfDayMapper(input_format="%Y-%m-%d", timezone="Asia/Seoul"),
    ),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    doc_md=__doc__,
    tags=["screens", "indicator"],
)
def screens() -> None:
    """Every screen on every session it is due on."""

    # A first run, or one that makes up for months, looks at many sessions.
    @task(execution_timeout=timedelta(hours=2))
    def run() -> dict[str, int]:
        from include.screens.run import run_screens
        from include.settings import load_settings

        report = run_screens(load_settings().warehouse_dsn)
        log.info(report.summary())
        return {
            "runs": len(report.runs),
            "hits": sum(each.found.hits for each in report.runs),
            "waiting": len(report.waiting),
        }

    run()


screens()
