"""
## What it does

Fetches one session's daily bars of every listed stock, lands the bytes, checks them, loads them into
`market.daily_bar`, and announces the session as a partition of the asset `daily_bar`. The DAG `adjustments`
starts on that.

## When it runs

2 hours 40 minutes after each session's close: 18:10 KST, and 19:10 on days that close an hour late (college
entrance examination). Volumes are final at about 18:00. It does not run on days without a session. Switched
on, it collects the latest session due at once. The source may publish only the next morning: the task then
waits as *up for retry* and asks again every hour, until the next day's noon.

By hand: *Trigger*, with `session` empty for the latest session due, or a date. Loading a session twice
changes nothing.

## Alarms and what to do

Open alarms are in `ops.alarm`, attempts in `ops.batch`. An alarm closes itself when its session is loaded.

- `not_published`: the source does not hold the session yet. Wait. If it lasts into the afternoon of the
  next day, look at the source's own site, then trigger the DAG with that `session`.
- `rate_limited`: the source allows no further call now. It is asked again by itself.
- `source_down`: the source does not answer. It is asked again by itself; if the run has failed in the end,
  trigger the session again once the source is back.
- `auth_required`: the key is missing, expired (keys last one year) or not approved for this service. Renew
  it, set `KRXW_KRX_OPENAPI_KEY`, clear the task.
- `malformed`: the answer is not what the source is known to publish, such as a maintenance page or a
  changed field. Read the landed body named in the alarm. Once the page is gone clear the task; if the
  source changed for good, its crawler needs work.
- `coverage_drop`: a part of the market is missing. Compare with the source's own site; once it is complete
  there, clear the task.

A task that ends *skipped* was asked for a day without a session: nothing to do.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from airflow.sdk import Param, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from include.outcomes import NotASession
from krxw_airflow.assets import dataset_asset
from krxw_airflow.policy import COLLECTION_RETRIES, COLLECTION_RETRY_POLICY, TASK_DEFAULTS
from krxw_airflow.timetable import SessionTimetable

DATASET = "daily_bar"
ASSET = dataset_asset(DATASET)
TIMETABLE = SessionTimetable(offset=timedelta(hours=2, minutes=40))


@dag(
    schedule=TIMETABLE,
    catchup=False,
    max_active_runs=4,
    default_args=TASK_DEFAULTS,
    doc_md=__doc__,
    tags=["collection", DATASET],
    params={
        "session": Param(
            None,
            type=["null", "string"],
            format="date",
            description="Session to collect; empty for the run's own",
        )
    },
)
def daily_bars() -> None:
    """One session's daily bars, from the source to the warehouse."""

    @task(outlets=[ASSET], retries=COLLECTION_RETRIES, retry_policy=COLLECTION_RETRY_POLICY)
    def ingest() -> dict[str, Any]:
        from include.pipeline.ingest import ingest_session
        from include.settings import load_settings
        from krxw_airflow.reports import batch_reference

        context = get_current_context()
        run = context["dag_run"]
        asked = context["params"]["session"] or run.partition_key
        session = date.fromisoformat(asked) if asked else TIMETABLE.latest_due(run.run_after)
        try:
            report = ingest_session(load_settings(), DATASET, session)
        except NotASession as outcome:
            raise AirflowSkipException(str(outcome)) from outcome
        context["outlet_events"][ASSET].add_partitions(session.isoformat())
        return batch_reference(report)

    ingest()


daily_bars()
