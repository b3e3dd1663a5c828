"""
## What it does

Loads a range of past sessions of one dataset from one source, one task per calendar year, and then
announces the latest loaded session as a partition of the dataset's asset. The DAG `adjustments` starts on
that and works off the whole range.

## When it runs

Only by hand: *Trigger* with the dataset, the first and last day, the source, and for `marcap` the folder of
its files (empty for `KRXW_MARCAP_PATH`). Two years are loaded at a time. Loading a range twice changes
nothing, so after a failure trigger the same range again, or clear the failed tasks.

## Alarms and what to do

Open alarms are in `ops.alarm`, one per session that could not be loaded; attempts are in `ops.batch`; rows
that were kept out are in `ops.quarantine` with the rule they broke. The log of `summarise` has one line per
batch.

- A red `load`: a part of that year failed, its log says which and why; the rest of the year is in. Other
  years are loaded and announced all the same. If no year was announced, trigger `adjustments` by hand.
- A red `summarise` only says that a `load` is red.
- `auth_required`, `malformed`, `coverage_drop`: as in `daily_bars`. Trying again brings the same answer;
  another source may have the session.
- `source_down`, `rate_limited`: tried again by itself; if the task has failed in the end, clear it later.
- `missing`: the source spans the session and lacks it. Backfill that day from another source: until then no
  corporate action is inferred across the gap.
"""

from __future__ import annotations

import logging
from datetime import date, timedelta
from typing import Any

from airflow.sdk import Param, PartitionedAtRuntime, TriggerRule, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.outcomes import CollectionOutcome
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

log = logging.getLogger("airflow.task")


@dag(
    schedule=PartitionedAtRuntime(),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    doc_md=__doc__,
    tags=["collection", "history"],
    params={
        "dataset": Param("daily_bar", type="string", enum=list(dataset_names())),
        "first": Param(type="string", format="date", description="First day, YYYY-MM-DD"),
        "last": Param(type="string", format="date", description="Last day, YYYY-MM-DD"),
        "source": Param("marcap", type="string", enum=list(SOURCES)),
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
        from itertools import groupby

        from include.pipeline.ingest import plan_chunks
        from include.settings import load_settings

        params = get_current_context()["params"]
        first, last = date.fromisoformat(params["first"]), date.fromisoformat(params["last"])
        source = params["source"]
        environment = source_environment([source])
        chunks = plan_chunks(load_settings(), params["dataset"], first, last, source, params["path"], environment)
        years = [list(year) for _, year in groupby(chunks, key=lambda chunk: chunk.first.year)]
        return [{"first": year[0].first.isoformat(), "last": year[-1].last.isoformat()} for year in years]

    # Two at a time: each holds a year of rows in memory.
    @task(
        retry_policy=COLLECTION_RETRY_POLICY,
        execution_timeout=timedelta(hours=2),
        max_active_tis_per_dagrun=2,
        map_index_template="{{ task.op_kwargs['first'][:4] }}",
    )
    def load(first: str, last: str) -> list[dict[str, Any]]:
        from include.pipeline.ingest import backfill
        from include.settings import load_settings
        from krxw_airflow.reports import batch_reference

        params = get_current_context()["params"]
        reports = backfill(
            load_settings(),
            params["dataset"],
            date.fromisoformat(first),
            date.fromisoformat(last),
            source=params["source"],
            path=params["path"],
            environment=source_environment([params["source"]]),
            on_batch=lambda report: log.info(report.summary()),
        )
        if failed := [report for report in reports if report.status == "failed"]:
            raise CollectionOutcome.named(failed[0].outcome, "\n".join(report.summary() for report in failed))
        if all(report.status == "refused" for report in reports):
            raise AirflowFailException(f"not one session was loaded: {reports[0].summary()}")
        return [batch_reference(report) for report in reports]

    @task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS, retries=0)
    def summarise(planned: Any, years: Any) -> None:
        loaded = list(years)
        for batch in (batch for year in loaded for batch in year):
            log.info(batch["summary"])
        if failed := len(planned) - len(loaded):
            raise AirflowFailException(f"{failed} of {len(planned)} years failed: see the log of each `load`")

    # Only the branch taken costs a process.
    @task.branch(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
    def choose_announcement(years: Any) -> str:
        return f"announce_{get_current_context()['params']['dataset']}"

    def announce(dataset: str, years: Any) -> Any:
        asset = dataset_asset(dataset)

        # One partition, not one per session: a consumer works off all there is at once.
        @task(
            task_id=f"announce_{dataset}",
            outlets=[asset],
            trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
        )
        def latest_loaded(years: Any) -> None:
            sessions = [batch["latest_loaded"] for year in years for batch in year if batch["latest_loaded"]]
            if not sessions:
                raise AirflowSkipException(f"no session of {dataset} was loaded")
            get_current_context()["outlet_events"][asset].add_partitions(max(sessions))

        return latest_loaded(years)

    planned = plan()
    years = load.expand_kwargs(planned)
    summarise(planned, years)
    chosen = choose_announcement(years)
    for dataset in dataset_names():
        chosen >> announce(dataset, years)


backfill()
