"""
## What it does

Finds corporate actions (splits, bonus and rights issues, capital reductions, mergers and others) in the bars that have
come in, records them with evidence in `market.corporate_action`, and rebuilds the factors of the symbols they touch.
Bars are not rewritten: `mart.adjusted_daily_bar` and `mart.total_return_daily_bar` apply the factors when they are
read. Then it writes the page of the session's week, `reports/corporate_actions/YEAR-Wnn.html`.

It publishes the asset `corporate_action`; the event's `symbols` are those whose factors changed since the run
before, by commands of `krxw` too, so that what depends on adjusted prices recomputes these and no others.

## When it runs

When a session of `daily_bar`, `etp_daily_bar` or `dividend` is announced, by its collecting DAG or by `backfill`; the
run's partition is that session. Whatever the partition, it works off everything not yet looked at, operators'
decisions entered by SQL included, so runs that pile up cost next to nothing. By hand: *Trigger*, nothing to fill in.

## Alarms and what to do

- A red `refresh`: actions and factors are those of the run before, complete but not up to date. Nothing is half
  written. Read the log, clear the task.
- Actions left *pending* (the log counts them): the base price moved further than the market can have, over sessions
  that are missing. Fill the gap with `backfill`, and the run that follows settles them, or decide:
  `krxw actions list --status pending`, then `krxw actions correct` or `dismiss`.
- An action of the wrong kind or ratio: `krxw actions correct SYMBOL EX-DATE --kind ... --reason ...`. Decisions are
  kept and can be withdrawn; see docs/adjustment.md.
"""

from __future__ import annotations

import logging
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow.sdk import PartitionedAssetTimetable, StartOfDayMapper, dag, get_current_context, task

from krxw_airflow.assets import corporate_action_asset, dataset_asset
from krxw_airflow.policy import TASK_DEFAULTS

if TYPE_CHECKING:
    from pydantic import JsonValue

log = logging.getLogger("airflow.task")


@dag(
    schedule=PartitionedAssetTimetable(
        assets=dataset_asset("daily_bar") | dataset_asset("etp_daily_bar") | dataset_asset("dividend"),
        default_partition_mapper=StartOfDayMapper(input_format="%Y-%m-%d", timezone="Asia/Seoul"),
    ),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    doc_md=__doc__,
    tags=["adjustment", "daily_bar"],
)
def corporate_actions() -> None:
    """Corporate actions and factors up to the bars at hand."""

    @task(outlets=[corporate_action_asset()])
    def refresh() -> dict[str, Any]:
        from include.adjustments.refresh import refresh_adjustments, take_readjusted_symbols
        from include.settings import load_settings

        dsn = load_settings().warehouse_dsn
        report = refresh_adjustments(dsn)
        log.info(report.summary())
        symbols: list[JsonValue] = [*take_readjusted_symbols(dsn)]
        get_current_context()["outlet_events"][corporate_action_asset()].extra = {"symbols": symbols}
        return {
            "actions_applied": report.actions_applied,
            "actions_pending": report.actions_pending,
            "symbols_with_factors_changed": len(symbols),
        }

    @task
    def report_week() -> None:
        from include.adjustments.report import Week, write_weekly_report
        from include.market.calendar import KST
        from include.settings import load_settings

        run = get_current_context()["dag_run"]
        today = run.run_after.astimezone(KST).date()
        session = date.fromisoformat(run.partition_key[:10]) if run.partition_key else today
        log.info("%s", write_weekly_report(load_settings(), Week.of(session)))

    refresh() >> report_week()


corporate_actions()
