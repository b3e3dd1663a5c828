"""
## What it does

Takes quotes of the watched issues every few minutes of a session into `market.intraday_snapshot`, from the first of
KIS, Kiwoom and Naver that gives them. `mart.latest_quote` shows the latest of each issue. Watched are the symbols in
`ops.watched_symbol`, or, while it is empty, the 200 largest by turnover of the session before.

## When it runs

From the open of each session to its close: 09:00-15:30 KST, from 10:00 on the first session of a year, 10:00-16:30 on
college entrance examination days. `market_hours` waits for the open and `snapshots` for each tick; both wait
*deferred*, which takes no worker slot. Ticks are `KRXW_SNAPSHOT_MINUTES` apart (10 unless set), the last is the close.

By hand: *Trigger*, with `minutes` empty for the usual interval. It joins today's session wherever that is. Quotes
are of the present moment: ticks that have passed are not made up for.

## Alarms and what to do

Open alarms are in `mart.open_alarm`, attempts in `ops.batch`. An alarm closes itself with the next tick that loads. A
missed tick is a warning in the log of `snapshots` and does not end the run; a crashed task goes on with the next tick.

- A red `snapshots` that took no tick: no source gave quotes all session long. The last alarm says why.
- `auth_required`: the key or its token is refused. Check `KRXW_KIS_APP_KEY` and its secret, or Kiwoom's, and that
  `KRXW_KIS_ENVIRONMENT` (real or mock) is the one the key was issued for, then clear `snapshots`.
- `rate_limited`: another program uses the same key. Give it a key of its own, or make the interval longer.
- `source_down`, `circuit_open`, `not_published`: the next tick asks again; nothing to do.
- `fallback`: a better source failed and another one answered; the next tick asks the better one.
- `malformed`, `coverage_drop`: as in `daily_bars`. The other sources are asked meanwhile.
- Failed with *load daily_bar first*: the warehouse does not know yet whom to watch. Run `daily_bars`.

A run that ends *skipped* was on a day without a session, or started after the close: nothing to do.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow.sdk import Param, dag

from krxw_airflow.assets import dataset_asset
from krxw_airflow.credentials import source_environment
from krxw_airflow.market_hours import MarketHoursSensor, MarketTicksOperator
from krxw_airflow.policy import TASK_DEFAULTS
from krxw_airflow.timetable import SessionTimetable

if TYPE_CHECKING:
    from airflow.sdk import Context

DATASET = "intraday_snapshot"
USUAL_MINUTES = "10"


def snapshot_interval(context: Context) -> timedelta:
    """How far ticks are apart: as the run's parameter says, or the environment."""
    minutes = context["params"]["minutes"] or int(os.environ.get("KRXW_SNAPSHOT_MINUTES", USUAL_MINUTES))
    return timedelta(minutes=minutes)


def take_snapshot(at: datetime) -> str:
    """Quotes of the moment ``at`` into the warehouse; what was done, in one line."""
    from include.datasets.registry import dataset_named
    from include.pipeline.ingest import ingest_snapshot
    from include.settings import load_settings

    environment = source_environment(dataset_named(DATASET).sources)
    return ingest_snapshot(load_settings(), at, environment).summary()


@dag(
    schedule=SessionTimetable(offset=timedelta(0), since="open"),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    doc_md=__doc__,
    tags=["collection", DATASET],
    params={
        "minutes": Param(
            None, type=["null", "integer"], minimum=1, description="Minutes between ticks; empty for the usual interval"
        )
    },
)
def intraday_snapshots() -> None:
    """One session's quotes, tick by tick."""
    market_hours = MarketHoursSensor(task_id="market_hours")
    # A tick lost to a crash costs a tick: try again soon, and often enough for a bad day.
    snapshots = MarketTicksOperator(
        task_id="snapshots",
        on_tick=take_snapshot,
        every=snapshot_interval,
        outlets=[dataset_asset(DATASET)],
        retries=12,
        retry_delay=timedelta(minutes=1),
    )
    market_hours >> snapshots


intraday_snapshots()
