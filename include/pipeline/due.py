"""What a scheduled run collects: its own session, and those of the sessions before it that are not settled."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from include.datasets.registry import Dataset, dataset_named
from include.outcomes import CollectionOutcome
from include.pipeline.ingest import ingest_session
from include.pipeline.report import BatchReport
from include.settings import Settings
from include.warehouse.connection import connect

# Two weeks of trading: what has not healed by then takes a person and a backfill.
_SESSIONS_BACK = 10

_UNSETTLED = """
    SELECT calendar.session
    FROM (
        SELECT session, row_number() OVER (ORDER BY session DESC) AS sessions_before
        FROM market.session WHERE session < %(session)s AND session > %(session)s - 60
    ) AS calendar
    LEFT JOIN ops.session_outcome AS known ON known.dataset = %(dataset)s AND known.session = calendar.session
    WHERE calendar.sessions_before <= %(sessions_back)s
        AND calendar.session > (
            SELECT min(session) FROM ops.session_outcome WHERE dataset = %(dataset)s AND outcome = 'loaded'
        )
        AND (
            known.outcome IS DISTINCT FROM 'loaded'
            OR EXISTS (
                SELECT FROM ops.alarm
                WHERE alarm.dataset = %(dataset)s AND alarm.session = calendar.session AND alarm.closed_at IS NULL
            )
            OR (%(recheck)s AND (calendar.sessions_before = 1 OR 'unchanged' IS DISTINCT FROM (
                SELECT status FROM ops.batch
                WHERE batch.dataset = known.dataset AND batch.source = known.source
                    AND status IN ('loaded', 'unchanged')
                    AND calendar.session BETWEEN first_session AND last_session
                ORDER BY batch_id DESC LIMIT 1
            )))
        )
    ORDER BY calendar.session
"""


@dataclass(frozen=True)
class Collection:
    """What a scheduled run did: the report of its own session, and sessions it settled or failed to settle late."""

    report: BatchReport
    late: tuple[BatchReport, ...]
    unsettled: Mapping[date, str]


def unsettled_sessions(dsn: str, dataset: Dataset, session: date) -> list[date]:
    """The sessions shortly before ``session`` that a run for it collects again, in order.

    Those since the dataset's first that were never loaded, or have an open alarm; of a dataset to be rechecked also
    the session just before, and those where the last answer did not confirm the one before it.
    """
    parameters = {
        "dataset": dataset.name,
        "session": session,
        "sessions_back": _SESSIONS_BACK,
        "recheck": dataset.recheck,
    }
    with connect(dsn, "etl") as connection:
        return [day for (day,) in connection.execute(_UNSETTLED, parameters).fetchall()]


def collect(
    settings: Settings,
    dataset: str,
    session: date,
    environment: Mapping[str, str] = os.environ,
    on_batch: Callable[[BatchReport], None] = lambda _: None,
) -> Collection:
    """Collect what is due by ``session``: what is unsettled before it, then the session itself.

    A session before it that still cannot be had stays unsettled; only the session's own failure is one.

    Raises:
        CollectionOutcome, SourceNotConfiguredError: as ``ingest_session`` of the session itself.
    """
    late: list[BatchReport] = []
    unsettled: dict[date, str] = {}
    for day in unsettled_sessions(settings.warehouse_dsn, dataset_named(dataset), session):
        try:
            late.append(ingest_session(settings, dataset, day, environment=environment))
            on_batch(late[-1])
        except CollectionOutcome as outcome:
            unsettled[day] = f"{outcome.outcome}: {outcome}"
    report = ingest_session(settings, dataset, session, environment=environment)
    on_batch(report)
    return Collection(report, tuple(late), unsettled)
