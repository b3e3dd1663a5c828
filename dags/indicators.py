"""
## What it does

Computes the indicators of the issues whose bars, factors, index, flows or foreign holdings changed, from the earliest
session that changed on, and puts them into `derived.indicator` (`mart.indicator` has them with names). An issue whose
adjustment factors changed is computed whole, the others are not looked at. The first run computes everything, and so
does the one after a release that changed a formula.

Before it does so it brings corporate actions and factors up to date, as the DAG `corporate_actions` does: an index or
flows may be announced before that DAG has looked at the session's bars, and no indicator is to take a split for a fall
of the price. Whose factors changed is left for `corporate_actions` to announce.

It publishes the asset `indicator`; the event's `symbols` says how many issues were written, `since` from which session
on.

## When it runs

When a session of `corporate_action`, `index_bar`, `investor_flow` or `foreign_holding` is announced; the run's
partition is that session. Bars announce themselves through `corporate_action`. Whatever the partition, it works off
everything not yet looked at, so runs that pile up cost next to nothing. By hand: *Trigger*, nothing to fill in.

## Alarms and what to do

- A red `refresh`: some issues are up to date, the others as they were; none is half written. Read the log, clear the
  task: it goes on with those that are left, which are in `ops.indicator_due`.
- *holds no daily bars*: none were ever loaded. Run `daily_bars` or `backfill`; the next run computes them.
- *has no range of prices* and the like: a bar of which nothing can be computed, with its symbol and session. The checks
  keep such rows out, so somebody wrote it by hand. Correct it. All other issues are up to date; nothing is announced
  until these are too.
- *has two bars*: the issue is in `market.daily_bar` and in `market.etp_daily_bar` on that session. One is wrong.
- Values you do not believe: `krxw indicators --all` computes every row again. It comes to the same values, or there is
  a fault to report.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import PartitionedAssetTimetable, StartOfDayMapper, dag, get_current_context, task

from krxw_airflow.assets import corporate_action_asset, dataset_asset, indicator_asset
from krxw_airflow.policy import TASK_DEFAULTS

if TYPE_CHECKING:
    from pydantic import JsonValue

log = logging.getLogger("airflow.task")


@dag(
    schedule=PartitionedAssetTimetable(
        assets=corporate_action_asset()
        | dataset_asset("index_bar")
        | dataset_asset("investor_flow")
        | dataset_asset("foreign_holding"),
        default_partition_mapper=StartOfDayMapper(input_format="%Y-%m-%d", timezone="Asia/Seoul"),
    ),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    doc_md=__doc__,
    tags=["indicators"],
)
def indicators() -> None:
    """Indicators up to what the warehouse holds."""

    # The first run computes decades.
    @task(outlets=[indicator_asset()], execution_timeout=timedelta(hours=2))
    def refresh() -> dict[str, Any]:
        from include.adjustments.refresh import refresh_adjustments
        from include.indicators.table import refresh_indicators
        from include.settings import load_settings

        dsn = load_settings().warehouse_dsn
        log.info(refresh_adjustments(dsn).summary())
        report = refresh_indicators(dsn)
        log.info(report.summary())
        told: dict[str, JsonValue] = {
            "symbols": len(report.symbols),
            "since": str(report.since) if report.since else None,
        }
        get_current_context()["outlet_events"][indicator_asset()].extra = told
        return told | {"rows": report.rows, "symbols_removed": len(report.symbols_removed)}

    refresh()


indicators()
