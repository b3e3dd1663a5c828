"""The second half of the way in: check a prepared chunk and load it, all in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date, timedelta

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.compute as pc

from include.datasets.registry import Dataset
from include.outcomes import Missing
from include.pipeline import ledger
from include.pipeline.instruments import HALTED, LABELS, observation_runs, record_halts, record_observations
from include.pipeline.ledger import RowCounts
from include.pipeline.load import changed_sessions, load_staged
from include.pipeline.prepare import PreparedChunk
from include.pipeline.report import BatchReport
from include.quality.quarantine import quarantine
from include.quality.session_rules import Refusal, refuse_sessions
from include.quality.validate import SuiteReport, run_suite, store_results
from include.warehouse import staging
from include.warehouse.calendar import calendar_between
from include.warehouse.connection import connect


class SuiteDisagreesError(RuntimeError):
    """The expectation suite found fault with rows that passed every rule: the two must say the same."""


def commit_chunk(
    dsn: str,
    dataset: Dataset,
    source: str,
    batch_id: int,
    prepared: PreparedChunk,
    *,
    complete: bool,
    due: date = date.min,
) -> tuple[BatchReport, SuiteReport]:
    """Check and load ``prepared``; everything it changes becomes visible at once or not at all.

    ``complete`` says that the source is expected to hold every session of the chunk; otherwise only those
    between the first and the last it gave. Sessions before ``due`` are rechecked: one that is refused stays as it was,
    without an alarm, and the report names those whose rows changed.

    Raises:
        SuiteDisagreesError: see there.
    """
    judged = _judge(dsn, dataset, source, prepared, complete=complete)
    table = staging.stage(dsn, dataset, batch_id, judged.rows)
    # The suite reads the staging table while the load does; nothing is committed before it has passed.
    with ThreadPoolExecutor(max_workers=2) as beside, connect(dsn, "etl") as connection:
        checking = beside.submit(run_suite, dsn, dataset, table, batch_id)
        observing = beside.submit(_observations, dataset, judged)
        per_session = _loaded_sessions(dataset, prepared, judged)
        counts, removed = _load(connection, dataset, source, batch_id, prepared, judged, per_session)
        if observations := observing.result():
            record_observations(connection, observations.labels)
            record_halts(connection, observations.halts)
        refusals = {day: refusal for day, refusal in judged.refusals.items() if day >= due}
        ledger.record_refused(connection, dataset, source, batch_id, refusals)
        ledger.record_loaded(connection, dataset, source, batch_id, per_session)
        suite = checking.result()
        _require_agreement(suite, judged, dataset, batch_id)
        store_results(connection, batch_id, suite)
        status = _status(counts, removed, per_session)
        ledger.close_batch(connection, batch_id, status, counts, prepared.landing_keys, prepared.fetched_at)
        rechecked = [day for day in per_session if day < due]
        changed = changed_sessions(connection, dataset, batch_id, rechecked)
        staging.drop(connection, dataset, batch_id)
    report = BatchReport(
        batch_id=batch_id,
        dataset=dataset.name,
        source=source,
        first=prepared.chunk.first,
        last=prepared.chunk.last,
        status=status,
        sessions=tuple(sorted(day for day in per_session if day >= due or day in changed)),
        refused={day: f"{refusal.outcome}: {refusal.reason}" for day, refusal in judged.refusals.items()},
        **asdict(counts),
    )
    return report, suite


@dataclass(frozen=True)
class _Judged:
    """A chunk's rows, all of them and split by whether they may load; why sessions may not; the calendar over them."""

    rows: pa.Table
    clean: pa.Table
    rejected: pa.Table
    refusals: Mapping[date, Refusal]
    calendar: pa.Table


def _judge(dsn: str, dataset: Dataset, source: str, prepared: PreparedChunk, *, complete: bool) -> _Judged:
    with connect(dsn, "etl") as connection:
        calendar, baseline = _surroundings(connection, dataset, prepared)
    refusals = refuse_sessions(
        prepared.rows,
        baseline,
        dataset,
        set(calendar["session"].to_pylist()),
        partial=source in dataset.partial_sources,
    )
    rows = _mark_refused(prepared.rows, refusals)
    rejected = rows.filter(pc.is_valid(rows["violated_rule"]))
    return _Judged(
        rows=rows,
        clean=rows.filter(pc.is_null(rows["violated_rule"])) if rejected.num_rows else rows,
        rejected=rejected,
        refusals=_absent(dataset, prepared, calendar, complete=complete) | refusals,
        calendar=calendar,
    )


@dataclass(frozen=True)
class _Observations:
    """What daily rows tell of the issues: runs of labels and runs of halted and of traded sessions."""

    labels: pa.Table
    halts: pa.Table


def _observations(dataset: Dataset, judged: _Judged) -> _Observations | None:
    """None for a dataset whose rows do not come with their issues' labels."""
    if not dataset.parsed_only:
        return None
    return _Observations(
        labels=observation_runs(judged.clean, judged.calendar, LABELS),
        halts=observation_runs(judged.clean, judged.calendar, HALTED),
    )


def _require_agreement(suite: SuiteReport, judged: _Judged, dataset: Dataset, batch_id: int) -> None:
    if suite.success or judged.rejected.num_rows:
        return
    failed = "; ".join(f"{result.expectation} {result.target}" for result in suite.results if not result.success)
    raise SuiteDisagreesError(
        f"the suite of {dataset.name} failed on batch {batch_id} though every row passed the rules: {failed}"
    )


def _load(
    connection: psycopg.Connection,
    dataset: Dataset,
    source: str,
    batch_id: int,
    prepared: PreparedChunk,
    judged: _Judged,
    settled: Iterable[date],
) -> tuple[RowCounts, int]:
    """The batch's rows into quarantine and table; how many, and how many rows this took out of the table."""
    clean, rejected = judged.clean, judged.rejected
    quarantine(connection, dataset, source, batch_id, rejected)
    inserted = updated = removed = 0
    # Of a sparse dataset a day without rows is an answer, too: those held of it are wrong.
    answered = _answered(prepared) if dataset.sparse else ()
    if days := {*pc.unique(clean["session"]).to_pylist(), *settled, *answered} - judged.refusals.keys():
        span = prepared.chunk.first, prepared.chunk.last
        loaded = load_staged(connection, dataset, source, batch_id, sorted(days), prepared.fetched_at, span)
        inserted, updated, removed = loaded.inserted, loaded.updated, loaded.removed
    counts = RowCounts(
        rows_published=clean.num_rows + rejected.num_rows,
        rows_inserted=inserted,
        rows_updated=updated,
        rows_unchanged=clean.num_rows - inserted - updated,
        rows_quarantined=rejected.num_rows,
    )
    return counts, removed


def _answered(prepared: PreparedChunk) -> Iterator[date]:
    """The days the source was asked for and gave an answer about."""
    for number in range((prepared.chunk.last - prepared.chunk.first).days + 1):
        day = prepared.chunk.first + timedelta(days=number)
        if not any(part.first <= day <= part.last for part in prepared.failures):
            yield day


def _surroundings(
    connection: psycopg.Connection, dataset: Dataset, prepared: PreparedChunk
) -> tuple[pa.Table, pa.Table | None]:
    """The calendar over the rows' days, and the rows of the session loaded last before them."""
    days = pc.min_max(prepared.rows["session"]).as_py()
    first = min(prepared.chunk.first, days["min"] or prepared.chunk.first)
    last = max(prepared.chunk.last, days["max"] or prepared.chunk.last)
    calendar = calendar_between(connection, first, last + timedelta(days=1))
    prior = connection.execute(
        "SELECT max(session) FROM ops.session_outcome "
        "WHERE dataset = %s AND outcome = 'loaded' AND session < %s AND NOT source = ANY (%s)",
        [dataset.name, days["min"] or first, list(dataset.partial_sources)],
    ).fetchone()
    if dataset.sparse or prior is None or prior[0] is None:
        return calendar, None
    columns = ", ".join(f'"{name}"' for name in dataset.column_names)
    held = connection.execute(
        f"SELECT {columns} FROM {dataset.table} WHERE {dataset.session_column} = %s".encode(), [prior[0]]
    ).fetchall()
    schema = pa.schema([(column.name, column.type) for column in dataset.columns])
    arrays = zip(*held, strict=True)
    return calendar, pa.table(
        [pa.array(values, field.type) for values, field in zip(arrays, schema, strict=True)], schema=schema
    )


def _mark_refused(rows: pa.Table, refusals: Mapping[date, Refusal]) -> pa.Table:
    """``rows`` with those of refused sessions marked by the outcome; a row's own rule comes first."""
    if not refusals:
        return rows
    days = pa.array(list(refusals), pa.date32())
    outcomes = pa.array([refusal.outcome for refusal in refusals.values()])
    of_session = outcomes.take(pc.index_in(rows["session"], days).combine_chunks())
    marked = pc.coalesce(rows["violated_rule"], pa.chunked_array([of_session]))
    return rows.set_column(rows.schema.get_field_index("violated_rule"), "violated_rule", marked)


def _absent(dataset: Dataset, prepared: PreparedChunk, calendar: pa.Table, *, complete: bool) -> dict[date, Refusal]:
    """Sessions without rows: those the source failed to give, and those it should have given and did not."""
    missing = {} if dataset.sparse else _missing(prepared, calendar, complete=complete)
    failed = {
        session: refusal
        for part, refusal in prepared.failures.items()
        for session in calendar["session"].to_pylist()
        if part.first <= session <= part.last
    }
    return missing | failed


def _missing(prepared: PreparedChunk, calendar: pa.Table, *, complete: bool) -> dict[date, Refusal]:
    """Sessions of the exchange the source should have given rows of, and did not."""
    given = set(pc.unique(prepared.rows["session"]).to_pylist()) - {None}
    first, last = prepared.chunk.first, prepared.chunk.last
    if not complete and given:
        first, last = max(first, min(given)), min(last, max(given))
    return {
        session: Refusal(Missing.outcome, f"the source spans {session} and holds no row of it")
        for session in calendar["session"].to_pylist()
        if first <= session <= last and session not in given
    }


def _loaded_sessions(dataset: Dataset, prepared: PreparedChunk, judged: _Judged) -> dict[date, int]:
    """Rows of each session the batch settles; of a sparse dataset also the sessions asked for that have none."""
    with duckdb.connect() as database:
        database.register("clean", judged.clean.select(["session"]))
        counts: dict[date, int] = dict(
            database.execute("SELECT session, count(*) FROM clean GROUP BY session").fetchall()
        )
    if not dataset.sparse:
        return counts
    return {
        session: counts.get(session, 0)
        for session in judged.calendar["session"].to_pylist()
        if prepared.chunk.first <= session <= prepared.chunk.last and session not in judged.refusals
    }


def _status(counts: RowCounts, removed: int, settled: Mapping[date, int]) -> str:
    if not settled:
        return "refused"
    return "unchanged" if counts.rows_inserted + counts.rows_updated + removed == 0 else "loaded"
