"""Quotes of the watched issues at one moment, taken in like everything else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime

from include.crawlers.source import Chunk
from include.crawlers.transport import Priority
from include.datasets.intraday_snapshot import DATASET
from include.market.calendar import KST
from include.outcomes import CollectionOutcome, NotASession, SourceNotConfiguredError
from include.pipeline import ledger
from include.pipeline.commit import commit_chunk
from include.pipeline.ingest import _is_session, _job, _record_outcome, _report_fallback
from include.pipeline.report import BatchReport
from include.settings import Settings


def ingest_snapshot(settings: Settings, at: datetime, environment: Mapping[str, str] = os.environ) -> BatchReport:
    """Take quotes now as those of the moment ``at``, from the first source that gives them.

    Raises:
        NotASession: the calendar knows no session on the day of ``at``; no source was asked.
        CollectionOutcome: no source gave quotes; the outcome is that of the first one asked.
        SourceNotConfiguredError: no source is configured.
    """
    session = at.astimezone(KST).date()
    if not _is_session(settings, session):
        raise NotASession(f"{session} is not a session of the exchange: no quote was asked for")
    failures: list[CollectionOutcome | SourceNotConfiguredError] = []
    for source in DATASET.sources:
        try:
            report = _snapshot_from(settings, source, Chunk(session, session, at=at), environment)
        except (CollectionOutcome, SourceNotConfiguredError) as failure:
            failures.append(failure)
        else:
            _report_fallback(settings, DATASET, report, failures)
            return report
    outcomes = [failure for failure in failures if isinstance(failure, CollectionOutcome)]
    chosen = (outcomes or failures)[0]
    for other in failures:
        if other is not chosen:
            chosen.add_note(f"another source: {other}")
    raise chosen


def _snapshot_from(settings: Settings, source: str, chunk: Chunk, environment: Mapping[str, str]) -> BatchReport:
    dsn = settings.warehouse_dsn
    with (
        _job(settings, DATASET, source, environment, Priority.SESSION) as job,
        ledger.open_batch(dsn, DATASET, source, chunk) as batch_id,
    ):
        try:
            report, _ = commit_chunk(dsn, DATASET, source, batch_id, job.prepare([chunk]), complete=True)
        except CollectionOutcome as outcome:
            _record_outcome(job, chunk, batch_id, outcome)
            raise
    if chunk.first in report.refused:
        raise CollectionOutcome.named(*report.refused[chunk.first].split(": ", 1))
    return report
