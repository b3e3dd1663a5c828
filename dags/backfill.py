"""
## What it does

Loads a range of past sessions of one dataset, or of all, one task per dataset and calendar year, and then
announces the latest loaded session of each as a partition of the dataset's asset. The DAG
`corporate_actions` starts on those of bars and dividends and works off the whole range.

## When it runs

Only by hand: *Trigger* with the dataset (or `all`), the first and last day, the source (empty for the best one
that is configured, dataset by dataset), and for a source of files their folder (empty for its variable, such as
`KRXW_MARCAP_PATH`). Two tasks load at a time. Loading a range twice changes nothing, so after a failure trigger
the same range again, or clear the failed tasks. Calls for today's session go ahead of a backfill's.

## Alarms and what to do

Open alarms are in `mart.open_alarm`, one per session that could not be loaded; attempts are in `ops.batch`; rows
that were kept out are in `ops.quarantine` with the rule they broke. The log of `summarise` has one line per
batch.

- A red `load`: a part of that year failed, its log says which and why; the rest of the year is in. Other
  years and datasets are loaded and announced all the same. If nothing of the daily bars was announced, trigger
  `corporate_actions` by hand.
- A red `summarise` only says that a `load` is red.
- `auth_required`, `malformed`, `coverage_drop`: as in `daily_bars`. Trying again brings the same answer;
  another source may have the session.
- `source_down`, `circuit_open`, `rate_limited`: tried again by itself; if the task has failed in the end, clear it
  later.
- `not_published`: the source does not hold that session. Of some datasets a source holds the present only, such as
  the portal's master.
- `missing`: the source spans the session and lacks it. Backfill that day from another source: until then no
  corporate action is inferred across the gap.
"""

from __future__ import annotations

import logging
from datetime import date, timedelta
from typing import Any

from airflow.sdk import Param, PartitionedAtRuntime, TriggerRule, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.outcomes import CollectionOutcome, NotASession
from krxw_airflow.assets import dataset_asset, dataset_names
from krxw_airflow.credentials import source_environment
from krxw_airflow.policy import COLLECTION_RETRY_POLICY, TASK_DEFAULTS

SOURCES = (
    "krx_openapi",
    "krx_portal",
    "naver",
    "yfinance",
    "kis",
    "kiwoom",
    "marcap",
    "krx_export",
    "krx_listings",
    "flow_files",
    "funetf",
)

ALL = "all"
# Quotes are of the present moment.
BY_SESSION = [name for name in dataset_names() if name != "intraday_snapshot"]

log = logging.getLogger("airflow.task")


@dag(
    schedule=PartitionedAtRuntime(),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    doc_md=__doc__,
    tags=["collection", "history"],
    params={
        "dataset": Param("daily_bar", type="string", enum=[*dataset_names(), ALL]),
        "first": Param(type="string", format="date", description="First day, YYYY-MM-DD"),
        "last": Param(type="string", format="date", description="Last day, YYYY-MM-DD"),
        "source": Param(
            None, type=["null", "string"], enum=[None, *SOURCES], description="Empty for the best that is configured"
        ),
        "path": Param(
            None,
            type=["null", "string"],
            description="Folder on the worker, for a source of files; empty for its variable, as KRXW_MARCAP_PATH",
        ),
    },
)
def backfill() -> None:
    """A range of past sessions, year by year."""

    @task(retry_policy=COLLECTION_RETRY_POLICY)
    def plan() -> list[dict[str, str]]:
        params = get_current_context()["params"]
        first, last = date.fromisoformat(params["first"]), date.fromisoformat(params["last"])
        if last < first:
            raise AirflowFailException(f"the last day, {last}, is before the first, {first}")
        asked = BY_SESSION if params["dataset"] == ALL else [params["dataset"]]
        return [
            {
                "dataset": dataset,
                "first": max(first, date(year, 1, 1)).isoformat(),
                "last": min(last, date(year, 12, 31)).isoformat(),
            }
            for dataset in asked
            for year in range(first.year, last.year + 1)
        ]

    # Two at a time: each holds a year of rows in memory.
    @task(
        retry_policy=COLLECTION_RETRY_POLICY,
        execution_timeout=timedelta(hours=12),
        max_active_tis_per_dagrun=2,
        map_index_template="{{ task.op_kwargs['dataset'] }} {{ task.op_kwargs['first'][:4] }}",
    )
    def load(dataset: str, first: str, last: str) -> dict[str, Any]:
        from include.datasets.registry import dataset_named
        from include.pipeline.backfill import backfill
        from include.settings import load_settings

        params = get_current_context()["params"]
        sources = [params["source"]] if params["source"] else dataset_named(dataset).sources
        try:
            reports = backfill(
                load_settings(),
                dataset,
                date.fromisoformat(first),
                date.fromisoformat(last),
                source=params["source"],
                path=params["path"],
                environment=source_environment(sources),
                on_batch=lambda report: log.info(report.summary()),
            )
        except NotASession as outcome:
            raise AirflowSkipException(str(outcome)) from outcome
        if failed := [report for report in reports if report.status == "failed"]:
            raise CollectionOutcome.named(failed[0].outcome, "\n".join(report.summary() for report in failed))
        if all(report.status == "refused" for report in reports):
            raise AirflowFailException(f"not one session was loaded: {reports[0].summary()}")
        loaded = [session for report in reports for session in report.sessions]
        return {
            "dataset": dataset,
            "latest_loaded": max(loaded).isoformat() if loaded else None,
            "summaries": [report.summary() for report in reports],
        }

    @task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS, retries=0)
    def summarise(planned: Any, loads: Any) -> None:
        done = list(loads)
        for load in done:
            for summary in load["summaries"]:
                log.info(summary)
        if missing := len(planned) - len(done):
            raise AirflowFailException(f"{missing} of {len(planned)} parts failed: see the log of each `load`")

    # Only the branches taken cost a process.
    @task.branch(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
    def choose_announcements(loads: Any) -> list[str]:
        return sorted({f"announce_{load['dataset']}" for load in loads if load["latest_loaded"]})

    def announce(dataset: str, loads: Any) -> Any:
        asset = dataset_asset(dataset)

        # One partition, not one per session: a consumer works off all there is at once.
        @task(
            task_id=f"announce_{dataset}",
            outlets=[asset],
            trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
        )
        def latest_loaded(loads: Any) -> None:
            sessions = [load["latest_loaded"] for load in loads if load["dataset"] == dataset]
            get_current_context()["outlet_events"][asset].add_partitions(max(filter(None, sessions)))

        return latest_loaded(loads)

    planned = plan()
    loads = load.expand_kwargs(planned)
    summarise(planned, loads)
    chosen = choose_announcements(loads)
    for dataset in dataset_names():
        chosen >> announce(dataset, loads)


backfill()
