"""Where all workers keep what they share about the sources: the warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import Connection
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool

SharedState = ConnectionPool[Connection[TupleRow]]


@contextmanager
def open_shared_state(dsn: str) -> Iterator[SharedState]:
    """Connections for a limiter and a breaker, made as they are needed."""
    with ConnectionPool(
        dsn,
        connection_class=Connection[TupleRow],
        kwargs={"autocommit": True, "application_name": "krxw"},
        min_size=0,
        max_size=8,
        open=False,
        configure=_as_etl,
    ) as pool:
        yield pool


def _as_etl(connection: Connection[TupleRow]) -> None:
    connection.execute("SET ROLE etl")
    # What a crash of the server may take with it is the last second's count of calls: no call waits for the disk.
    connection.execute("SET synchronous_commit = off")
