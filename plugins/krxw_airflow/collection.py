"""The DAG that collects one dataset, session by session."""

from __future__ import annotations

import logging
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow.sdk import Param, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from include.outcomes import NotASession
from krxw_airflow.assets import dataset_asset
from krxw_airflow.credentials import source_environment
from krxw_airflow.policy import COLLECTION_RETRIES, COLLECTION_RETRY_POLICY, COLLECTION_TIMEOUT, TASK_DEFAULTS

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from include.pipeline.report import BatchReport
    from krxw_airflow.timetable import SessionTimetable

log = logging.getLogger("airflow.task")

ALARMS = """
## Alarms and what to do

Open alarms are in `mart.open_alarm`, attempts in `ops.batch`, calls in `ops.source_call`. An alarm closes itself when
its session is loaded. A run of the schedule also collects what is unsettled of the ten sessions before its own:
sessions that failed, that were never asked for, or that have an open alarm. So most of these heal by themselves:

- `not_published`: no source holds the session yet. Asked again every hour until the next day's noon.
- `rate_limited`: no further call is allowed now. Asked again in an hour.
- `source_down`, `circuit_open`: the source does not answer, or has failed so often of late that it is left alone for
  a minute. Asked again in half an hour.
- `fallback`: a better source failed, or one that knows only a part stands in for it; the rows name it. The next run
  asks the better one.
- `auth_required`: a key or a login is missing, expired or not approved. Renew it (see the operator's guide, *Going
  live*), clear the task.
- `malformed`: the answer is not what the source is known to publish, such as a maintenance page or a changed field.
  Read the landed body named in the alarm. Once the page is gone clear the task; if the source changed for good, its
  crawler needs work.
- `coverage_drop`: a part of the market is missing. Compare with the source's own site; once it is complete there,
  clear the task.

A task that ends *skipped* was asked for a day without a session: nothing to do. One that failed with *not configured*
has no source to ask: set one up, or switch the DAG off.
"""


def collection_dag(dag_id: str, dataset: str, timetable: SessionTimetable, doc_md: str) -> DAG:
    """A DAG whose runs take a session of ``dataset`` from its sources to the warehouse and announce it.

    ``doc_md`` says what it does and when it runs; what to do about alarms is the same for all.
    """
    asset = dataset_asset(dataset)

    @dag(
        dag_id=dag_id,
        schedule=timetable,
        catchup=False,
        max_active_runs=4,
        default_args=TASK_DEFAULTS | {"execution_timeout": COLLECTION_TIMEOUT},
        doc_md=doc_md + ALARMS,
        tags=["collection", dataset],
        params={
            "session": Param(
                None,
                type=["null", "string"],
                format="date",
                description="Session to collect; empty for the run's own and what is unsettled before it",
            )
        },
    )
    def collecting() -> None:
        @task(outlets=[asset], retries=COLLECTION_RETRIES, retry_policy=COLLECTION_RETRY_POLICY)
        def ingest() -> dict[str, Any]:
            from krxw_airflow.reports import batch_reference

            context = get_current_context()
            run = context["dag_run"]
            asked = context["params"]["session"]
            due = date.fromisoformat(run.partition_key) if run.partition_key else timetable.latest_due(run.run_after)
            try:
                reports = _collect(dataset, date.fromisoformat(asked) if asked else None, due)
            except NotASession as outcome:
                raise AirflowSkipException(str(outcome)) from outcome
            for session in sorted({session for report in reports for session in report.sessions}):
                context["outlet_events"][asset].add_partitions(session.isoformat())
            return batch_reference(reports[-1])

        ingest()

    return collecting()


def _collect(dataset: str, asked: date | None, due: date) -> list[BatchReport]:
    """The session ``asked`` for, or else the session ``due`` last, after what is unsettled before it."""
    from include.datasets.registry import dataset_named
    from include.pipeline.due import collect
    from include.pipeline.ingest import ingest_session
    from include.settings import load_settings

    settings = load_settings()
    environment = source_environment(dataset_named(dataset).sources)
    if asked:
        reports = [ingest_session(settings, dataset, asked, environment=environment)]
    else:
        collection = collect(settings, dataset, due, environment)
        reports = [*collection.late, collection.report]
        for session, reason in collection.unsettled.items():
            log.warning("%s of %s is still unsettled: %s", dataset, session, reason)
    for report in reports:
        log.info(report.summary())
    return reports
