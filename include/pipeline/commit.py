"""The second half of the way in: check a prepared chunk and load it, all in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.compute as pc

from include.datasets.registry import Dataset
from include.outcomes import Missing
from include.pipeline import ledger
from include.pipeline.instruments import observation_runs, record_observations
from include.pipeline.ledger import RowCounts
from include.pipeline.load import load_staged
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
    dsn: str, dataset: Dataset, source: str, batch_id: int, prepared: PreparedChunk, *, complete: bool
) -> tuple[BatchReport, SuiteReport]:
    """Check and load ``prepared``; everything it changes becomes visible at once or not at all.

    ``complete`` says that the source is expected to hold every session of the chunk; otherwise only those
    between the first and the last it gave.

    Raises:
        SuiteDisagreesError: see there.
    """
    judged = _judge(dsn, dataset, prepared, complete=complete)
    table = staging.stage(dsn, dataset, batch_id, judged.rows)
    # The suite reads the staging table while the load does; nothing is committed before it has passed.
    with ThreadPoolExecutor(max_workers=2) as beside, connect(dsn, "etl") as connection:
        checking = beside.submit(run_suite, dsn, dataset, table, batch_id)
        observing = beside.submit(observation_runs, judged.clean, judged.calendar)
        counts = _load(connection, dataset, source, batch_id, prepared.fetched_at, judged)
        if dataset.parsed_only:
            record_observations(connection, observing.result())
        per_session = _rows_per_session(judged.clean)
        ledger.record_refused(connection, dataset, source, batch_id, judged.refusals)
        ledger.record_loaded(connection, dataset, source, batch_id, per_session)
        suite = checking.result()
        _require_agreement(suite, judged, dataset, batch_id)
        store_results(connection, batch_id, suite)
        status = _status(counts, judged.clean)
        ledger.close_batch(connection, batch_id, status, counts, prepared.landing_keys, prepared.fetched_at)
        staging.drop(connection, dataset, batch_id)
    report = BatchReport(
        batch_id=batch_id,
        dataset=dataset.name,
        source=source,
        first=prepared.chunk.first,
        last=prepared.chunk.last,
        status=status,
        sessions=tuple(sorted(per_session)),
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


def _judge(dsn: str, dataset: Dataset, prepared: PreparedChunk, *, complete: bool) -> _Judged:
    with connect(dsn, "etl") as connection:
        calendar, baseline = _surroundings(connection, dataset, prepared)
    refusals = refuse_sessions(prepared.rows, baseline, dataset, set(calendar["session"].to_pylist()))
    rows = _mark_refused(prepared.rows, refusals)
    rejected = rows.filter(pc.is_valid(rows["violated_rule"]))
    return _Judged(
        rows=rows,
        clean=rows.filter(pc.is_null(rows["violated_rule"])) if rejected.num_rows else rows,
        rejected=rejected,
        refusals=refusals | _missing(prepared, calendar, complete=complete),
        calendar=calendar,
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
    fetched_at: datetime,
    judged: _Judged,
) -> RowCounts:
    clean, rejected = judged.clean, judged.rejected
    quarantine(connection, dataset, source, batch_id, rejected)
    inserted = updated = 0
    if clean.num_rows:
        days = pc.min_max(clean["session"]).as_py()
        loaded = load_staged(connection, dataset, source, batch_id, (days["min"], days["max"]), fetched_at)
        inserted, updated = loaded.inserted, loaded.updated
    return RowCounts(
        rows_published=clean.num_rows + rejected.num_rows,
        rows_inserted=inserted,
        rows_updated=updated,
        rows_unchanged=clean.num_rows - inserted - updated,
        rows_quarantined=rejected.num_rows,
    )


def _surroundings(
    connection: psycopg.Connection, dataset: Dataset, prepared: PreparedChunk
) -> tuple[pa.Table, pa.Table | None]:
    """The calendar over the rows' days, and the rows of the session loaded last before them."""
    days = pc.min_max(prepared.rows["session"]).as_py()
    first = min(prepared.chunk.first, days["min"] or prepared.chunk.first)
    last = max(prepared.chunk.last, days["max"] or prepared.chunk.last)
    calendar = calendar_between(connection, first, last + timedelta(days=1))
    prior = connection.execute(
        "SELECT max(session) FROM ops.session_outcome WHERE dataset = %s AND outcome = 'loaded' AND session < %s",
        [dataset.name, days["min"] or first],
    ).fetchone()
    if prior is None or prior[0] is None:
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


def _rows_per_session(clean: pa.Table) -> dict[date, int]:
    with duckdb.connect() as database:
        database.register("clean", clean.select(["session"]))
        return dict(database.execute("SELECT session, count(*) FROM clean GROUP BY session").fetchall())


def _status(counts: RowCounts, clean: pa.Table) -> str:
    if clean.num_rows == 0:
        return "refused"
    return "unchanged" if counts.rows_inserted + counts.rows_updated == 0 else "loaded"
