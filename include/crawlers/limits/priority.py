"""Who waits for a source and goes first: advisory locks, which the server drops with the process that held them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import Connection
from psycopg.rows import TupleRow

# Advisory locks take two integers: this one, and the source's hash. All who go first share the lock.
_LOCK_CLASS = 0x6B727878


@contextmanager
def going_first(connection: Connection[TupleRow], source: str) -> Iterator[None]:
    """Until the block ends, others see that someone waits for ``source`` and goes first."""
    connection.execute("SELECT pg_advisory_lock_shared(%s, hashtext(%s))", [_LOCK_CLASS, source])
    try:
        yield
    finally:
        connection.execute("SELECT pg_advisory_unlock_shared(%s, hashtext(%s))", [_LOCK_CLASS, source])


def someone_goes_first(connection: Connection[TupleRow], source: str) -> bool:
    """Whether anyone, in any process, is within :func:`going_first` of ``source``."""
    return bool(
        connection.execute(
            "SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid = hashtext(%s)::oid "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            [_LOCK_CLASS, source],
        ).fetchall()
    )
