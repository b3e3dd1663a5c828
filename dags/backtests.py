"""
## What it does

Tests every strategy on every bar in the warehouse: what followed its signals after 1, 5, 20 and 60 sessions, in all, by
year and by market, and what a portfolio that buys them would have made by the rules of the paper book. Replaces
`derived.backtest`, `derived.backtest_portfolio`, `derived.backtest_equity` and the pages under `reports/backtests`;
read them as `mart.backtest`, `mart.backtest_portfolio`, `mart.backtest_equity`, or open
`reports/backtests/index.html`.

## When it runs

Sundays at 08:00 KST. By hand: *Trigger*, nothing to fill in; after a backfill of years, for example. Ten million bars
take about a minute on two processors, and 2.2 GB of memory.

## Alarms and what to do

- A red `test_strategies`: tables and pages are those of the run before, none is half written. Read the log. *No daily
  bars*: nothing was loaded yet. *Corporate actions were found*: it is tried again by itself. *A process was killed*:
  the machine has too little memory for the history held.
- Figures that changed much from one week to the next: look for a corporate action that came in
  (`krxw actions list`), or a strategy whose version changed (`derived.strategy`).
"""

from __future__ import annotations

import logging
from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task

from krxw_airflow.policy import TASK_DEFAULTS

log = logging.getLogger("airflow.task")


@dag(
    schedule=CronTriggerTimetable("0 8 * * 0", timezone="Asia/Seoul"),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS | {"execution_timeout": timedelta(hours=1)},
    doc_md=__doc__,
    tags=["strategies"],
)
def backtests() -> None:
    """Every strategy over all history."""

    @task
    def test_strategies() -> str:
        from include.adjustments.refresh import refresh_adjustments
        from include.backtest.run import run_backtests
        from include.settings import load_settings

        settings = load_settings()
        log.info(refresh_adjustments(settings.warehouse_dsn).summary())
        summary = run_backtests(settings).summary()
        log.info(summary)
        return summary

    test_strategies()


backtests()
