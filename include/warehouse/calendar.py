"""The exchange's sessions as the warehouse holds them: a query instead of building the calendar anew."""

from __future__ import annotations

from datetime import date

import psycopg
import pyarrow as pa


def calendar_between(connection: psycopg.Connection, first: date, last: date) -> pa.Table:
    """Sessions from ``first`` to ``last``: session and next_session (dates), place (int64, from 0)."""
    rows = connection.execute(
        "SELECT session, next_session FROM market.session WHERE session BETWEEN %s AND %s ORDER BY session",
        [first, last],
    ).fetchall()
    return pa.table(
        {
            "session": pa.array([session for session, _ in rows], pa.date32()),
            "next_session": pa.array([following for _, following in rows], pa.date32()),
            "place": pa.array(range(len(rows)), pa.int64()),
        }
    )
