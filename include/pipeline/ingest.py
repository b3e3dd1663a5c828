"""The one way in: fetch, land, parse, check, load. The daily DAG passes a session, a backfill years."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from include.crawlers.rate_limit import SharedLimiter
from include.crawlers.source import Chunk, Crawler, crawler_for
from include.crawlers.transport import CallRecord, Transport
from include.datasets.registry import Dataset, dataset_named
from include.outcomes import CollectionOutcome, NotASession, SourceNotConfiguredError
from include.pipeline import ledger
from include.pipeline.commit import commit_chunk
from include.pipeline.landing import LandingZone
from include.pipeline.prepare import PreparedChunk, prepare_chunk
from include.pipeline.report import BatchReport
from include.quality.data_docs import write_data_docs
from include.quality.session_rules import Refusal
from include.quality.validate import SuiteReport, prepare_great_expectations
from include.settings import Settings
from include.warehouse.calendar import calendar_between
from include.warehouse.connection import connect


@dataclass(frozen=True)
class _Job:
    """One dataset from one source, with all that takes."""

    settings: Settings
    dataset: Dataset
    source: str
    crawler: Crawler
    zone: LandingZone
    transport: Transport
    environment: Mapping[str, str]

    def prepare(self, chunk: Chunk) -> PreparedChunk:
        return prepare_chunk(
            self.dataset, self.source, self.crawler, chunk, self.zone, self.transport, self.environment
        )


def ingest_session(
    settings: Settings,
    dataset: str,
    session: date,
    source: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> BatchReport:
    """Take in one session, from ``source`` or from the first of the dataset's sources that has it.

    Raises:
        NotASession: the calendar knows no session on the day; no source was asked.
        CollectionOutcome: no source gave the session; the outcome is that of the first one asked.
        SourceNotConfiguredError: no source is configured.
    """
    declared = dataset_named(dataset)
    if not _is_session(settings, session):
        raise NotASession(f"{session} is not a session of the exchange: nothing was fetched")
    failures: list[CollectionOutcome | SourceNotConfiguredError] = []
    for candidate in [source] if source else declared.sources:
        try:
            return _ingest_from(settings, declared, candidate, session, environment)
        except (CollectionOutcome, SourceNotConfiguredError) as failure:
            failures.append(failure)
    outcomes = [failure for failure in failures if isinstance(failure, CollectionOutcome)]
    chosen = (outcomes or failures)[0]
    for other in failures:
        if other is not chosen:
            chosen.add_note(f"another source: {other}")
    raise chosen


def backfill(
    settings: Settings,
    dataset: str,
    first: date | None,
    last: date | None,
    *,
    source: str,
    path: str | None = None,
    on_batch: Callable[[BatchReport], None] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> list[BatchReport]:
    """Take in all sessions from ``first`` to ``last``, a chunk of the source's at a time.

    Without ``first`` and ``last`` all the source holds. A chunk that fails is reported as failed and the
    next is tried; the next chunk is fetched and parsed while one loads. ``path`` is the folder of a source
    that reads files.

    Raises:
        LandingError: the landing zone is full; chunks before this one are loaded.
        SourceNotConfiguredError, UnknownSourceError, UnknownDatasetError: nothing was tried.
    """
    declared = dataset_named(dataset)
    reports: list[BatchReport] = []
    suites: list[SuiteReport] = []
    with _job(settings, declared, source, _with_path(environment, path)) as job:
        chunks = _plan(job, first, last)
        for prepared in _prefetched(job, chunks):
            report, suite = _finish(job, *prepared, complete=first is not None and last is not None)
            reports.append(report)
            suites += [suite] if suite else []
            if on_batch:
                on_batch(report)
    if suites:
        write_data_docs(settings.reports, *suites)
    return reports


def plan_chunks(
    settings: Settings,
    dataset: str,
    first: date | None,
    last: date | None,
    source: str,
    path: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> list[Chunk]:
    """The chunks a backfill of the range would take, in order.

    Raises:
        SourceNotConfiguredError, UnknownSourceError, UnknownDatasetError: as for :func:`backfill`.
    """
    with _job(settings, dataset_named(dataset), source, _with_path(environment, path)) as job:
        return _plan(job, first, last)


def _with_path(environment: Mapping[str, str], path: str | None) -> Mapping[str, str]:
    return {**environment, "KRXW_MARCAP_PATH": path} if path else environment


@contextmanager
def _job(settings: Settings, dataset: Dataset, source: str, environment: Mapping[str, str]) -> Iterator[_Job]:
    crawler = crawler_for(dataset.name, source)
    # Arrow's own allocators keep what a chunk needed; over a long range that adds up.
    pa.set_memory_pool(pa.system_memory_pool())
    with (
        SharedLimiter(settings.warehouse_dsn) as limiter,
        connect(settings.warehouse_dsn, "etl", autocommit=True) as calls,
    ):

        def record(call: CallRecord) -> None:
            ledger.record_call(calls, call)

        transport = Transport(limiter, record)
        try:
            zone = LandingZone(settings.landing_url)
            yield _Job(settings, dataset, source, crawler, zone, transport, environment)
        finally:
            transport.close()


def _is_session(settings: Settings, day: date) -> bool:
    with connect(settings.warehouse_dsn, "etl") as connection:
        return bool(calendar_between(connection, day, day).num_rows)


def _plan(job: _Job, first: date | None, last: date | None) -> list[Chunk]:
    ranges = [Chunk(first, last)] if first and last else _held_within(job, first, last)
    with connect(job.settings.warehouse_dsn, "etl") as connection:
        sessions = [
            session
            for days in ranges
            for session in calendar_between(connection, days.first, days.last)["session"].to_pylist()
        ]
    if not sessions:
        raise NotASession(
            "the exchange has no session in the days asked for: "
            + ", ".join(f"{days.first} to {days.last}" for days in ranges)
        )
    return job.crawler.split(sessions)


def _held_within(job: _Job, first: date | None, last: date | None) -> list[Chunk]:
    """What the source holds, cut to the end that is given."""
    held = job.crawler.held(job.environment)
    return [
        Chunk(max(days.first, first or days.first), min(days.last, last or days.last))
        for days in held
        if (first is None or days.last >= first) and (last is None or days.first <= last)
    ]


def _ingest_from(
    settings: Settings, dataset: Dataset, source: str, session: date, environment: Mapping[str, str]
) -> BatchReport:
    with _job(settings, dataset, source, environment) as job:
        chunk = Chunk(session, session)
        with ledger.open_batch(settings.warehouse_dsn, dataset, source, chunk) as batch_id:
            try:
                report, suite = commit_chunk(
                    settings.warehouse_dsn, dataset, source, batch_id, job.prepare(chunk), complete=True
                )
            except CollectionOutcome as outcome:
                _record_outcome(job, chunk, batch_id, outcome)
                raise
        write_data_docs(settings.reports, suite)
    if session in report.refused:
        raise CollectionOutcome.named(*report.refused[session].split(": ", 1))
    return report


def _prefetched(job: _Job, chunks: Sequence[Chunk]) -> Iterator[tuple[Chunk, Future[PreparedChunk]]]:
    """Each chunk with its preparation, which runs in the background while the one before is loaded."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="prepare") as background:
        following = background.submit(job.prepare, chunks[0])
        prepare_great_expectations()  # seconds of importing, best spent while the first chunk is read
        for place, chunk in enumerate(chunks):
            current = following
            if place + 1 < len(chunks):
                current.exception()  # wait: at most one prepared chunk beside the one being loaded
                following = background.submit(job.prepare, chunks[place + 1])
            yield chunk, current


def _finish(
    job: _Job, chunk: Chunk, preparation: Future[PreparedChunk], *, complete: bool
) -> tuple[BatchReport, SuiteReport | None]:
    dsn = job.settings.warehouse_dsn
    batch_id = 0
    try:
        with ledger.open_batch(dsn, job.dataset, job.source, chunk) as batch_id:
            try:
                return commit_chunk(dsn, job.dataset, job.source, batch_id, preparation.result(), complete=complete)
            except CollectionOutcome as outcome:
                _record_outcome(job, chunk, batch_id, outcome)
                raise
    except CollectionOutcome as error:
        failed = BatchReport(
            batch_id=batch_id,
            dataset=job.dataset.name,
            source=job.source,
            first=chunk.first,
            last=chunk.last,
            status="failed",
            outcome=error.outcome,
            error=str(error),
        )
        return failed, None


def _record_outcome(job: _Job, chunk: Chunk, batch_id: int, outcome: CollectionOutcome) -> None:
    """Enter an outcome that gave no rows; of a longer range one alarm, on its first session, speaks for all."""
    with connect(job.settings.warehouse_dsn, "etl") as connection:
        if chunk.first == chunk.last:
            refusal = Refusal(outcome.outcome, str(outcome))
            ledger.record_refused(connection, job.dataset, job.source, batch_id, {chunk.first: refusal})
        else:
            message = f"{job.source}, {chunk.first} to {chunk.last}: {outcome}"
            ledger.open_alarm(connection, job.dataset, chunk.first, outcome.outcome, message, batch_id)
