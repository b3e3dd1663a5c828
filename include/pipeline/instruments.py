"""What daily rows tell of the issues themselves: names, markets and sections, and when they were seen."""

from __future__ import annotations

import duckdb
import psycopg
import pyarrow as pa

from include.warehouse.connection import SQL_QUERIES

_RUNS = """
    WITH observed AS (
        SELECT rows.symbol, rows.name, rows.market, rows.section, calendar.session, calendar.next_session,
               calendar.place - row_number() OVER (
                   PARTITION BY rows.symbol, rows.name, rows.market, rows.section ORDER BY calendar.session
               ) AS run
        FROM rows JOIN calendar USING (session)
    )
    SELECT symbol, name, market, section, min(session) AS first_day, max(next_session) AS end_day
    FROM observed GROUP BY symbol, name, market, section, run
"""


def observation_runs(rows: pa.Table, calendar: pa.Table) -> pa.Table:
    """Unbroken runs of sessions each symbol was seen in under the same attributes.

    ``rows`` holds symbol, session, name, market and section; ``calendar`` holds session, next_session and
    place (its ordinal). A run is given as ``first_day`` and the exclusive ``end_day``: the session after it.
    """
    with duckdb.connect() as database:
        database.register("rows", rows.select(["symbol", "session", "name", "market", "section"]))
        database.register("calendar", calendar)
        return database.sql(_RUNS).to_arrow_table()


def record_observations(connection: psycopg.Connection, runs: pa.Table) -> None:
    """Add ``runs`` to what is known of each issue; where they contradict it, they replace it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE observed_run (symbol text, name text, market text, section text, "
            "first_day date, end_day date) ON COMMIT DROP"
        )
        with cursor.copy("COPY observed_run FROM STDIN") as copy:
            for run in runs.to_pylist():
                copy.write_row(tuple(run.values()))
        cursor.execute((SQL_QUERIES / "record_observations.sql").read_bytes())
