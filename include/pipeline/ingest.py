"""The one way in: fetch, land, parse, check, load. Here one session of a dataset, from the best source that has it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import date, datetime

from include.crawlers.source import Chunk
from include.crawlers.transport import Priority
from include.datasets import intraday_snapshot
from include.datasets.registry import Dataset, dataset_named
from include.market.calendar import KST
from include.outcomes import CollectionOutcome, NotASession, NotPublished, SourceNotConfiguredError
from include.pipeline import ledger
from include.pipeline.commit import commit_chunk
from include.pipeline.job import open_job
from include.pipeline.report import BatchReport
from include.quality.data_docs import write_data_docs
from include.settings import Settings
from include.warehouse.calendar import calendar_between
from include.warehouse.connection import connect


def ingest_session(
    settings: Settings,
    dataset: str,
    session: date,
    source: str | None = None,
    environment: Mapping[str, str] = os.environ,
    recheck: Sequence[date] = (),
) -> BatchReport:
    """Take in one session, from ``source`` or from the first of the dataset's sources that has it.

    The first that is configured is asked at once for the sessions of ``recheck`` again, which are those before it, in
    order: what it now says differently replaces what it or a worse source said.

    Where a source that is asked fails and another answers, an alarm says so until the better one gives the session;
    unless that has only not published it yet, and the other one gives all there is.

    Raises:
        NotASession: the calendar knows no session on the day; no source was asked.
        CollectionOutcome: no source gave the session; the outcome is that of the first one asked.
        SourceNotConfiguredError: no source is configured.
    """
    return _ingest(settings, dataset_named(dataset), Chunk(session, session), source, environment, recheck)


def ingest_snapshot(settings: Settings, at: datetime, environment: Mapping[str, str] = os.environ) -> BatchReport:
    """Take quotes now as those of the moment ``at``, from the first source that gives them.

    Raises:
        NotASession, CollectionOutcome, SourceNotConfiguredError: as :func:`ingest_session`.
    """
    session = at.astimezone(KST).date()
    return _ingest(settings, intraday_snapshot.DATASET, Chunk(session, session, at=at), None, environment)


def _ingest(
    settings: Settings,
    dataset: Dataset,
    chunk: Chunk,
    source: str | None,
    environment: Mapping[str, str],
    recheck: Sequence[date] = (),
) -> BatchReport:
    """Take in ``chunk``, which is of one session, from ``source`` or the first that has it."""
    if not _is_session(settings, chunk.first):
        raise NotASession(f"{chunk.first} is not a session of the exchange: nothing was fetched")
    failures: list[CollectionOutcome | SourceNotConfiguredError] = []
    for candidate in [source] if source else dataset.sources:
        try:
            report = _ingest_from(settings, dataset, candidate, chunk, environment, recheck)
        except SourceNotConfiguredError as failure:
            failures.append(failure)
        except CollectionOutcome as failure:
            failures.append(failure)
            recheck = ()
        else:
            _report_fallback(settings, dataset, chunk.first, report, failures)
            return report
    outcomes = [failure for failure in failures if isinstance(failure, CollectionOutcome)]
    chosen = (outcomes or failures)[0]
    for other in failures:
        if other is not chosen:
            chosen.add_note(f"another source: {other}")
    raise chosen


def _is_session(settings: Settings, day: date) -> bool:
    with connect(settings.warehouse_dsn, "etl") as connection:
        return bool(calendar_between(connection, day, day).num_rows)


def _ingest_from(
    settings: Settings,
    dataset: Dataset,
    source: str,
    chunk: Chunk,
    environment: Mapping[str, str],
    recheck: Sequence[date],
) -> BatchReport:
    dsn = settings.warehouse_dsn
    with open_job(settings, dataset, source, environment, Priority.SESSION) as job:
        asked = job.origin.crawler.split([*recheck, chunk.first]) if recheck else [chunk]
        with ledger.open_batch(dsn, dataset, source, Chunk(asked[0].first, chunk.last)) as batch_id:
            try:
                report, suite = commit_chunk(
                    dsn, dataset, source, batch_id, job.prepare(asked), complete=True, due=chunk.first
                )
            except CollectionOutcome as outcome:
                job.record_outcome(chunk, batch_id, outcome)
                raise
        write_data_docs(settings.reports, suite)
    if chunk.first in report.refused:
        raise CollectionOutcome.named(*report.refused[chunk.first].split(": ", 1))
    return report


def _report_fallback(
    settings: Settings, dataset: Dataset, session: date, report: BatchReport, failures: Sequence[Exception]
) -> None:
    outcomes = [failure for failure in failures if isinstance(failure, CollectionOutcome)]
    whole = report.source not in dataset.partial_sources
    # The best source publishes the next morning: an evening without it is no failure.
    if not outcomes or (whole and all(isinstance(outcome, NotPublished) for outcome in outcomes)):
        return
    told = "; ".join(f"{outcome.outcome}: {outcome}" for outcome in outcomes)
    message = (
        f"loaded from {report.source}, because better sources failed: {told}. The next scheduled run asks them again"
    )
    with connect(settings.warehouse_dsn, "etl") as connection:
        ledger.open_alarm(connection, dataset, session, "fallback", message, report.batch_id)
