"""The batch ledger: who is loading what, what became of each session, and the alarms people should see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime

import psycopg

from include.crawlers.source import Chunk
from include.crawlers.transport import CallRecord
from include.datasets.registry import Dataset, dataset_named
from include.outcomes import SourceNotConfiguredError
from include.quality.session_rules import Refusal
from include.warehouse import staging
from include.warehouse.connection import connect

# Advisory locks take two integers: this one, and the batch. The server lets go of it when the process dies.
_LOCK_CLASS = 0x6B727877


@dataclass(frozen=True)
class RowCounts:
    """What became of a batch's rows; they add up: published = inserted + updated + unchanged + quarantined."""

    rows_published: int
    rows_inserted: int
    rows_updated: int
    rows_unchanged: int
    rows_quarantined: int


@contextmanager
def open_batch(dsn: str, dataset: Dataset, source: str, chunk: Chunk) -> Iterator[int]:
    """Enter a batch into the ledger as running; one left by an exception is entered as failed.

    A source that is not configured was not asked for anything: that is no batch.
    Batches whose process died are entered as abandoned and their staging tables dropped.
    """
    with connect(dsn, "etl", autocommit=True) as connection:
        _clear_abandoned(connection)
        with connection.transaction():
            batch_id = _fetch_int(
                connection,
                "INSERT INTO ops.batch (dataset, source, first_session, last_session, status) "
                "VALUES (%s, %s, %s, %s, 'running') RETURNING batch_id",
                [dataset.name, source, chunk.first, chunk.last],
            )
            connection.execute("SELECT pg_advisory_lock(%s, %s)", [_LOCK_CLASS, batch_id])
        try:
            yield batch_id
        except SourceNotConfiguredError:
            connection.execute("DELETE FROM ops.batch WHERE batch_id = %s", [batch_id])
            raise
        except Exception as error:
            staging.drop(connection, dataset, batch_id)
            connection.execute(
                "UPDATE ops.batch SET status = 'failed', error = %s, finished_at = clock_timestamp() "
                "WHERE batch_id = %s",
                [str(error), batch_id],
            )
            raise


def _clear_abandoned(connection: psycopg.Connection) -> None:
    running = connection.execute("SELECT batch_id, dataset FROM ops.batch WHERE status = 'running'").fetchall()
    for batch_id, dataset in running:
        with connection.transaction():
            [free] = connection.execute(
                "SELECT pg_try_advisory_xact_lock(%s, %s)", [_LOCK_CLASS, batch_id]
            ).fetchone() or [False]
            if free:
                staging.drop(connection, dataset_named(dataset), batch_id)
                connection.execute(
                    "UPDATE ops.batch SET status = 'abandoned', finished_at = clock_timestamp(), "
                    "error = 'the process ended before the batch did' "
                    "WHERE batch_id = %s AND status = 'running'",
                    [batch_id],
                )


def close_batch(
    connection: psycopg.Connection,
    batch_id: int,
    status: str,
    counts: RowCounts,
    landing_keys: list[str],
    fetched_at: datetime,
) -> None:
    """Enter what became of a batch, in the transaction that loads its rows."""
    connection.execute(
        "UPDATE ops.batch SET status = %(status)s, landing_keys = %(landing_keys)s, "
        "fetched_at = %(fetched_at)s, rows_published = %(rows_published)s, rows_inserted = %(rows_inserted)s, "
        "rows_updated = %(rows_updated)s, rows_unchanged = %(rows_unchanged)s, "
        "rows_quarantined = %(rows_quarantined)s, finished_at = clock_timestamp() "
        "WHERE batch_id = %(batch_id)s",
        {
            "status": status,
            "landing_keys": landing_keys,
            "fetched_at": fetched_at,
            "batch_id": batch_id,
            **asdict(counts),
        },
    )


def record_loaded(
    connection: psycopg.Connection, dataset: Dataset, source: str, batch_id: int, rows: Mapping[date, int]
) -> None:
    """Enter sessions as loaded, close their alarms, and release what quarantine held of them."""
    trust = list(dataset.sources)
    with connection.cursor() as cursor:
        # What a better source settled stays settled by it.
        cursor.executemany(
            "INSERT INTO ops.session_outcome (dataset, session, outcome, source, rows, batch_id) "
            "VALUES (%s, %s, 'loaded', %s, %s, %s) ON CONFLICT (dataset, session) DO UPDATE SET "
            "outcome = 'loaded', source = excluded.source, rows = excluded.rows, detail = NULL, "
            "batch_id = excluded.batch_id, decided_at = excluded.decided_at "
            "WHERE session_outcome.outcome <> 'loaded' OR ("
            "(session_outcome.source, session_outcome.rows) IS DISTINCT FROM (excluded.source, excluded.rows) "
            "AND array_position(%s, excluded.source) <= array_position(%s, session_outcome.source))",
            [(dataset.name, session, source, count, batch_id, trust, trust) for session, count in rows.items()],
        )
    sessions = list(rows)
    connection.execute(
        "UPDATE ops.alarm SET closed_at = clock_timestamp(), closed_by = %s "
        "WHERE dataset = %s AND session = ANY (%s) AND closed_at IS NULL",
        [batch_id, dataset.name, sessions],
    )
    connection.execute(
        f"UPDATE ops.quarantine AS held SET released_by = %s FROM {dataset.table} AS fact "
        "WHERE held.dataset = %s AND held.session = ANY (%s) AND held.released_by IS NULL "
        f"AND fact.{dataset.subject} = held.symbol AND fact.session = held.session",
        [batch_id, dataset.name, sessions],
    )


def record_refused(
    connection: psycopg.Connection,
    dataset: Dataset,
    source: str,
    batch_id: int,
    refusals: Mapping[date, Refusal],
) -> None:
    """Enter sessions as refused and open an alarm for each; a session already loaded stays loaded."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ops.session_outcome (dataset, session, outcome, source, rows, detail, batch_id) "
            "VALUES (%s, %s, %s, %s, 0, %s, %s) ON CONFLICT (dataset, session) DO UPDATE SET "
            "outcome = excluded.outcome, source = excluded.source, detail = excluded.detail, "
            "batch_id = excluded.batch_id, decided_at = excluded.decided_at "
            "WHERE session_outcome.outcome <> 'loaded'",
            [
                (dataset.name, session, refusal.outcome, source, refusal.reason, batch_id)
                for session, refusal in refusals.items()
            ],
        )
    for session, refusal in refusals.items():
        open_alarm(connection, dataset, session, refusal.outcome, refusal.reason, batch_id, source)


def open_alarm(
    connection: psycopg.Connection,
    dataset: Dataset,
    session: date,
    kind: str,
    message: str,
    batch_id: int | None,
    source: str | None = None,
) -> None:
    """Open an alarm, or bring the message of the same open one up to date.

    What is said of a ``source`` takes a line of its own, and leaves what is said of others.
    """
    connection.execute(
        "INSERT INTO ops.alarm AS open (dataset, session, kind, message, batch_id) "
        "VALUES (%(dataset)s, %(session)s, %(kind)s, %(message)s, %(batch_id)s) "
        "ON CONFLICT (dataset, session, kind) WHERE closed_at IS NULL "
        "DO UPDATE SET batch_id = excluded.batch_id, message = concat_ws(E'\\n', ("
        "SELECT string_agg(line, E'\\n' ORDER BY place) "
        "FROM regexp_split_to_table(open.message, E'\\n') WITH ORDINALITY AS said (line, place) "
        "WHERE NOT starts_with(line, %(head)s)), excluded.message)",
        {
            "dataset": dataset.name,
            "session": session,
            "kind": kind,
            "message": f"{source}: {' '.join(message.split())}" if source else message,
            "batch_id": batch_id,
            "head": f"{source}: " if source else "",
        },
    )


def record_call(connection: psycopg.Connection, call: CallRecord) -> None:
    """Enter one attempt at a call of a source."""
    connection.execute(
        "INSERT INTO ops.source_call (source, endpoint, attempt, status, outcome, latency_ms, bytes) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [
            call.source,
            call.endpoint,
            call.attempt,
            call.status,
            call.outcome,
            round(call.latency * 1000),
            call.bytes,
        ],
    )


def _fetch_int(connection: psycopg.Connection, query: str, parameters: list[object]) -> int:
    row = connection.execute(query.encode(), parameters).fetchone()
    if row is None:
        raise LookupError(f"no row from: {query}")
    return int(row[0])
