"""What a scheduled run collects: its own session, what is not settled before it, and what is to be rechecked."""

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
        )
    ORDER BY calendar.session
"""

# What a batch of these sessions or of a later one changed is as young as they are, though not longer than for a year:
# a backfill of decades is not gone over again.
_RECHECKED = """
    WITH recent AS (
        SELECT min(session) AS first_session
        FROM (
            SELECT session FROM market.session WHERE session < %(session)s ORDER BY session DESC LIMIT %(recheck)s
        ) AS before
    ),
    recent_batch AS (
        SELECT array_agg(batch_id) AS ids FROM ops.batch, recent
        WHERE dataset = %(dataset)s AND status = 'loaded' AND last_session >= recent.first_session
    ),
    doubtful AS (
        SELECT min(session) AS first_session FROM ops.session_outcome, recent
        WHERE dataset = %(dataset)s AND outcome = 'loaded' AND session >= recent.first_session
        UNION ALL
        SELECT min({session_column}) FROM {table}, recent, recent_batch
        WHERE {session_column} >= recent.first_session - 365 AND batch_id = ANY (recent_batch.ids)
        UNION ALL
        SELECT min({session_column}) FROM {revision_table}, recent, recent_batch
        WHERE {session_column} >= recent.first_session - 365 AND superseded_by = ANY (recent_batch.ids)
    )
    SELECT session FROM market.session
    WHERE session < %(session)s AND session >= (SELECT min(first_session) FROM doubtful)
        AND NOT EXISTS (
            SELECT FROM ops.batch
            WHERE dataset = %(dataset)s AND status IN ('loaded', 'unchanged')
                AND first_session < last_session AND last_session = %(session)s
        )
    ORDER BY session
"""


@dataclass(frozen=True)
class Collection:
    """What a scheduled run did: the report of its own session, and sessions it settled or failed to settle late."""

    report: BatchReport
    late: tuple[BatchReport, ...]
    unsettled: Mapping[date, str]


def unsettled_sessions(dsn: str, dataset: Dataset, session: date) -> list[date]:
    """The sessions shortly before ``session`` that a run for it collects again, in order.

    Those since the dataset's first that were never loaded, or have an open alarm.
    """
    parameters = {"dataset": dataset.name, "session": session, "sessions_back": _SESSIONS_BACK}
    with connect(dsn, "etl") as connection:
        return [day for (day,) in connection.execute(_UNSETTLED, parameters).fetchall()]


def rechecked_sessions(dsn: str, dataset: Dataset, session: date) -> list[date]:
    """The sessions before ``session`` that a run for it collects again though they are loaded, in order.

    The last ``dataset.recheck``; and earlier ones, as far back as a batch of one of these changed a row. So whatever a
    source said is asked again in as many runs, be it of a session that was due or of one that was rechecked. None
    where a run for ``session`` did so already and is tried again because the session itself was not published.
    """
    if not dataset.recheck:
        return []
    query = _RECHECKED.format(
        table=dataset.table, revision_table=dataset.revision_table, session_column=dataset.session_column
    )
    parameters = {"dataset": dataset.name, "session": session, "recheck": dataset.recheck}
    with connect(dsn, "etl") as connection:
        return [day for (day,) in connection.execute(query.encode(), parameters).fetchall()]


def collect(
    settings: Settings,
    dataset: str,
    session: date,
    environment: Mapping[str, str] = os.environ,
    on_batch: Callable[[BatchReport], None] = lambda _: None,
) -> Collection:
    """Collect what is due by ``session``: what is unsettled before it, then the session, with those to be rechecked.

    A session before it that still cannot be had stays unsettled; only the session's own failure is one.

    Raises:
        CollectionOutcome, SourceNotConfiguredError: as ``ingest_session`` of the session itself.
    """
    late: list[BatchReport] = []
    unsettled: dict[date, str] = {}
    declared = dataset_named(dataset)
    for day in unsettled_sessions(settings.warehouse_dsn, declared, session):
        try:
            late.append(ingest_session(settings, dataset, day, environment=environment))
            on_batch(late[-1])
        except CollectionOutcome as outcome:
            unsettled[day] = f"{outcome.outcome}: {outcome}"
    recheck = rechecked_sessions(settings.warehouse_dsn, declared, session)
    report = ingest_session(settings, dataset, session, environment=environment, recheck=recheck)
    on_batch(report)
    return Collection(report, tuple(late), unsettled)
