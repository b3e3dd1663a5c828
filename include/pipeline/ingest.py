"""The one way in: fetch, land, parse, check, load. The daily DAG passes a session, a backfill years."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from itertools import groupby

import pyarrow as pa

from include.crawlers.circuit_breaker import SharedBreaker
from include.crawlers.rate_limit import SharedLimiter
from include.crawlers.shared_state import open_shared_state
from include.crawlers.source import Chunk, crawler_for
from include.crawlers.transport import Priority, Transport
from include.datasets.registry import Dataset, dataset_named
from include.outcomes import CollectionOutcome, NotASession, SourceNotConfiguredError
from include.pipeline import ledger
from include.pipeline.commit import commit_chunk
from include.pipeline.landing import LandingZone
from include.pipeline.prepare import Origin, PreparedChunk
from include.pipeline.report import BatchReport
from include.pipeline.universe import universe_of
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
    origin: Origin
    open_circuits: list[str]
    release_slots: Callable[[], None]

    @property
    def dataset(self) -> Dataset:
        return self.origin.dataset

    @property
    def source(self) -> str:
        return self.origin.source

    def prepare(self, asked: Sequence[Chunk]) -> PreparedChunk:
        if self.dataset.universe:
            issues = universe_of(self.settings.warehouse_dsn, self.dataset.universe, asked[-1].last)
            asked = [replace(chunk, universe=issues) for chunk in asked]
        try:
            return self.origin.prepare(asked)
        finally:
            # Between two parts of a backfill somebody's session may go first.
            self.release_slots()
            self._report_open_circuits(asked[0])

    def _report_open_circuits(self, chunk: Chunk) -> None:
        if self.open_circuits:
            with connect(self.settings.warehouse_dsn, "etl") as connection:
                ledger.open_alarm(
                    connection, self.dataset, chunk.first, "circuit_open", self.open_circuits.pop(), batch_id=None
                )
            self.open_circuits.clear()


def ingest_session(
    settings: Settings,
    dataset: str,
    session: date,
    source: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> BatchReport:
    """Take in one session, from ``source`` or from the first of the dataset's sources that has it.

    Where a source that is asked fails and another answers, an alarm says so until the better one gives the session.

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
            report = _ingest_from(settings, declared, candidate, session, environment)
        except (CollectionOutcome, SourceNotConfiguredError) as failure:
            failures.append(failure)
        else:
            _report_fallback(settings, declared, report, failures)
            return report
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
    with _job(settings, declared, source, _with_path(environment, source, path), Priority.BACKFILL) as job:
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
    with _job(
        settings, dataset_named(dataset), source, _with_path(environment, source, path), Priority.BACKFILL
    ) as job:
        return [_span(part) for part in _plan(job, first, last)]


def _with_path(environment: Mapping[str, str], source: str, path: str | None) -> Mapping[str, str]:
    return {**environment, f"KRXW_{source.upper()}_PATH": path} if path else environment


@contextmanager
def _job(
    settings: Settings, dataset: Dataset, source: str, environment: Mapping[str, str], priority: Priority
) -> Iterator[_Job]:
    crawler = crawler_for(dataset.name, source)
    # Arrow's own allocators keep what a chunk needed; over a long range that adds up.
    pa.set_memory_pool(pa.system_memory_pool())
    open_circuits: list[str] = []
    with (
        connect(settings.warehouse_dsn, "etl", autocommit=True) as calls,
        open_shared_state(settings.warehouse_dsn) as shared,
        closing(SharedLimiter(shared)) as limiter,
    ):
        breaker = SharedBreaker(shared, on_open=lambda _, message: open_circuits.append(message))
        with closing(
            Transport(
                limiter,
                partial(ledger.record_call, calls),
                priority=priority,
                breaker=breaker,
                rates=_operator_rates(source, environment),
            )
        ) as transport:
            zone = LandingZone(settings.landing_url)
            # Brokers' crawlers keep their tokens in the warehouse.
            known = {**environment, "KRXW_WAREHOUSE_DSN": settings.warehouse_dsn}
            origin = Origin(dataset, source, crawler, zone, transport, known)
            yield _Job(settings, origin, open_circuits, limiter.release_slots)


def _operator_rates(source: str, environment: Mapping[str, str]) -> dict[str, float]:
    """The rate set by the variable ``KRXW_<SOURCE>_CALLS_PER_SECOND``, by source.

    Raises:
        SourceNotConfiguredError: it is not a positive number.
    """
    variable = f"KRXW_{source.upper()}_CALLS_PER_SECOND"
    text = environment.get(variable)
    if not text:
        return {}
    try:
        rate = float(text)
    except ValueError:
        rate = 0
    if not 0 < rate < float("inf"):
        raise SourceNotConfiguredError(f"{variable} is {text!r}, expected a number of calls per second, as 0.5")
    return {source: rate}


def _is_session(settings: Settings, day: date) -> bool:
    with connect(settings.warehouse_dsn, "etl") as connection:
        return bool(calendar_between(connection, day, day).num_rows)


def _plan(job: _Job, first: date | None, last: date | None) -> list[list[Chunk]]:
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


def _held_within(job: _Job, first: date | None, last: date | None) -> list[Chunk]:
    """What the source holds, cut to the end that is given."""
    held = job.origin.crawler.held(job.origin.environment)
    return [
        Chunk(max(days.first, first or days.first), min(days.last, last or days.last))
        for days in held
        if (first is None or days.last >= first) and (last is None or days.first <= last)
    ]


def _ingest_from(
    settings: Settings, dataset: Dataset, source: str, session: date, environment: Mapping[str, str]
) -> BatchReport:
    with _job(settings, dataset, source, environment, Priority.SESSION) as job:
        chunk = Chunk(session, session)
        with ledger.open_batch(settings.warehouse_dsn, dataset, source, chunk) as batch_id:
            try:
                report, suite = commit_chunk(
                    settings.warehouse_dsn, dataset, source, batch_id, job.prepare([chunk]), complete=True
                )
            except CollectionOutcome as outcome:
                _record_outcome(job, chunk, batch_id, outcome)
                raise
        write_data_docs(settings.reports, suite)
    if session in report.refused:
        raise CollectionOutcome.named(*report.refused[session].split(": ", 1))
    return report


def _report_fallback(settings: Settings, dataset: Dataset, report: BatchReport, failures: Sequence[Exception]) -> None:
    outcomes = [f"{failure.outcome}: {failure}" for failure in failures if isinstance(failure, CollectionOutcome)]
    if not outcomes:
        return
    message = (
        f"loaded from {report.source}, because better sources failed: {'; '.join(outcomes)}. The next scheduled run "
        "asks them again"
    )
    with connect(settings.warehouse_dsn, "etl") as connection:
        ledger.open_alarm(connection, dataset, report.first, "fallback", message, report.batch_id)


def _prefetched(job: _Job, parts: Sequence[Sequence[Chunk]]) -> Iterator[tuple[Chunk, Future[PreparedChunk]]]:
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
