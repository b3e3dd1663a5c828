"""What daily rows tell of the issues themselves: names, markets, sections and halts, and when they were seen."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import psycopg
import pyarrow as pa

from include.warehouse.connection import SQL_QUERIES

LABELS = ("name", "market", "section")
HALTED = ("halted",)


def observation_runs(rows: pa.Table, calendar: pa.Table, attributes: Sequence[str]) -> pa.Table:
    """Unbroken runs of sessions each symbol was seen in under the same ``attributes``.

    ``rows`` holds symbol, session and the attributes; ``calendar`` holds session, next_session and place (its
    ordinal). A run is given as symbol, the attributes, ``first_day`` and the exclusive ``end_day``: the session
    after it.
    """
    with duckdb.connect() as database:
        database.register("rows", rows.select(["symbol", "session", *attributes]))
        database.register("calendar", calendar)
        same = ", ".join(["symbol", *attributes])
        return database.sql(
            f"""
            WITH observed AS (
                SELECT {same}, session, next_session,
                       place - row_number() OVER (PARTITION BY {same} ORDER BY session) AS run
                FROM rows JOIN calendar USING (session)
            )
            SELECT {same}, min(session) AS first_day, max(next_session) AS end_day
            FROM observed GROUP BY {same}, run
            """
        ).to_arrow_table()


def record_observations(connection: psycopg.Connection, runs: pa.Table) -> None:
    """Add ``runs`` of :data:`LABELS` to what is known of each issue; where they contradict it, they replace it."""
    _record(connection, runs, "observed_run", "name text, market text, section text", "record_observations.sql")


def record_halts(connection: psycopg.Connection, runs: pa.Table) -> None:
    """Add ``runs`` of :data:`HALTED`, halted and traded ones, to what is known of each issue."""
    _record(connection, runs, "halt_run", "halted boolean", "record_halts.sql")


def _record(connection: psycopg.Connection, runs: pa.Table, table: str, attributes: str, query: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TEMPORARY TABLE {table} (symbol text, {attributes}, first_day date, end_day date) ON COMMIT DROP"
        )
        with cursor.copy(f"COPY {table} FROM STDIN") as copy:
            for run in runs.to_pylist():
                copy.write_row(tuple(run.values()))
        cursor.execute((SQL_QUERIES / query).read_bytes())
