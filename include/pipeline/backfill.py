"""The one way in, for a range of sessions: the same steps as for one, a chunk of the source's at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from itertools import groupby

from include.crawlers.source import Chunk
from include.crawlers.transport import Priority
from include.datasets.registry import Dataset, dataset_named
from include.outcomes import CollectionOutcome, NotASession, SourceNotConfiguredError
from include.pipeline import ledger
from include.pipeline.commit import commit_chunk
from include.pipeline.job import Job, open_job
from include.pipeline.prepare import PreparedChunk
from include.pipeline.report import BatchReport
from include.quality.data_docs import write_data_docs
from include.quality.validate import SuiteReport, prepare_great_expectations
from include.settings import Settings
from include.warehouse.calendar import calendar_between
from include.warehouse.connection import connect


def backfill(
    settings: Settings,
    dataset: str,
    first: date | None,
    last: date | None,
    *,
    source: str | None = None,
    path: str | None = None,
    on_batch: Callable[[BatchReport], None] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> list[BatchReport]:
    """Take in all sessions from ``first`` to ``last`` from ``source``, or the best source that is configured.

    Without ``first`` and ``last`` all the source holds. A chunk that fails is reported as failed and the
    next is tried; the next chunk is fetched and parsed while one loads. ``path`` is the folder of a source
    that reads files.

    Raises:
        LandingError: the landing zone is full; chunks before this one are loaded.
        SourceNotConfiguredError, UnknownSourceError, UnknownDatasetError: nothing was tried.
    """
    declared = dataset_named(dataset)
    *better, last_resort = [source] if source else declared.sources
    for candidate in better:
        with suppress(SourceNotConfiguredError):
            return _backfill_from(settings, declared, candidate, first, last, path, on_batch, environment)
    return _backfill_from(settings, declared, last_resort, first, last, path, on_batch, environment)


def _backfill_from(
    settings: Settings,
    dataset: Dataset,
    source: str,
    first: date | None,
    last: date | None,
    path: str | None,
    on_batch: Callable[[BatchReport], None] | None,
    environment: Mapping[str, str],
) -> list[BatchReport]:
    reports: list[BatchReport] = []
    suites: list[SuiteReport] = []
    with open_job(settings, dataset, source, _with_path(environment, source, path), Priority.BACKFILL) as job:
        parts = _plan(job, first, last)
        for prepared in _prefetched(job, parts):
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
    """The chunks a backfill of the range would load, in order.

    Raises:
        SourceNotConfiguredError, UnknownSourceError, UnknownDatasetError: as for :func:`backfill`.
    """
    with open_job(
        settings, dataset_named(dataset), source, _with_path(environment, source, path), Priority.BACKFILL
    ) as job:
        return [_span(part) for part in _plan(job, first, last)]


def _with_path(environment: Mapping[str, str], source: str, path: str | None) -> Mapping[str, str]:
    return {**environment, f"KRXW_{source.upper()}_PATH": path} if path else environment


def _plan(job: Job, first: date | None, last: date | None) -> list[list[Chunk]]:
    """What to ask the source for, in parts that are loaded together: at most a calendar month of single sessions."""
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
    chunks = job.origin.crawler.split(sessions)
    return [list(part) for _, part in groupby(chunks, key=lambda chunk: (chunk.first.year, chunk.last.month))]


def _span(part: Sequence[Chunk]) -> Chunk:
    return Chunk(part[0].first, part[-1].last)


def _held_within(job: Job, first: date | None, last: date | None) -> list[Chunk]:
    """What the source holds, cut to the end that is given."""
    held = job.origin.crawler.held(job.origin.environment)
    return [
        Chunk(max(days.first, first or days.first), min(days.last, last or days.last))
        for days in held
        if (first is None or days.last >= first) and (last is None or days.first <= last)
    ]


def _prefetched(job: Job, parts: Sequence[Sequence[Chunk]]) -> Iterator[tuple[Chunk, Future[PreparedChunk]]]:
    """Each part's span with its preparation, which runs in the background while the one before is loaded."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="prepare") as background:
        following = background.submit(job.prepare, parts[0])
        prepare_great_expectations()  # seconds of importing, best spent while the first part is read
        for place, part in enumerate(parts):
            current = following
            if place + 1 < len(parts):
                current.exception()  # wait: at most one prepared part beside the one being loaded
                following = background.submit(job.prepare, parts[place + 1])
            yield _span(part), current


def _finish(
    job: Job, chunk: Chunk, preparation: Future[PreparedChunk], *, complete: bool
) -> tuple[BatchReport, SuiteReport | None]:
    dsn = job.settings.warehouse_dsn
    batch_id = 0
    try:
        with ledger.open_batch(dsn, job.dataset, job.source, chunk) as batch_id:
            try:
                return commit_chunk(dsn, job.dataset, job.source, batch_id, preparation.result(), complete=complete)
            except CollectionOutcome as outcome:
                job.record_outcome(chunk, batch_id, outcome)
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
