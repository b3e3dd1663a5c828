"""
## What it does

Evaluates the strategies (docs/signals.md) on the issues whose indicators changed, from the session they did on, and
writes what they say to `derived.signal`; `mart.signal_today` has the newest session's. A signal that a correction took
away is marked as withdrawn; its row stays. A strategy that is new, or has a new version, is evaluated over all history,
which takes minutes.

It publishes the asset `signal`; the event's `added`, `changed` and `withdrawn` count signals.

## When it runs

When `indicator` is announced; the run's partition is that session. Whatever the partition, it works off all issues
whose indicators changed since the run before, so runs that pile up cost next to nothing. By hand: *Trigger*, nothing to
fill in.

## Alarms and what to do

- A red `refresh`: signals are those of the run before for some issues, up to date for the others; none is half
  written. Read the log, clear the task: the issues that are left are in `ops.unsignalled_symbol`.
- *looks ahead*, *looks further back*, *has no value*: a strategy that somebody wrote is wrong. The message names it;
  mend it and raise its version, or remove it. Until then no signals are brought up to date.
- *no indicators are in the warehouse*: load daily bars, and see that `indicators` went through.
- Signals you do not believe: `reason` has the numbers. `krxw signals refresh --all` evaluates all history again and
  says what differed.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import PartitionedAssetTimetable, StartOfDayMapper, dag, get_current_context, task

from krxw_airflow.assets import indicator_asset, signal_asset
from krxw_airflow.policy import TASK_DEFAULTS

if TYPE_CHECKING:
    from pydantic import JsonValue

log = logging.getLogger("airflow.task")


@dag(
    schedule=PartitionedAssetTimetable(
        assets=indicator_asset(),
        default_partition_mapper=StartOfDayMapper(input_format="%Y-%m-%d", timezone="Asia/Seoul"),
    ),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    doc_md=__doc__,
    tags=["signals"],
)
def signals() -> None:
    """Signals up to the indicators."""

    @task(outlets=[signal_asset()], execution_timeout=timedelta(hours=2))
    def refresh() -> dict[str, Any]:
        from include.settings import load_settings
        from include.signals.table import refresh_signals

        report = refresh_signals(load_settings().warehouse_dsn)
        log.info(report.summary())
        told: dict[str, JsonValue] = {"added": report.added, "changed": report.changed, "withdrawn": report.withdrawn}
        get_current_context()["outlet_events"][signal_asset()].extra = told
        return told | {"symbols": report.symbols, "strategies_evaluated_anew": len(report.strategies_evaluated_anew)}

    refresh()


signals()
