"""The issues that sources which answer symbol by symbol are asked for."""

from __future__ import annotations

from datetime import date

from include.crawlers.source import Issue
from include.warehouse.connection import SQL_QUERIES, connect


def universe_of(dsn: str, name: str, first: date, last: date) -> tuple[Issue, ...]:
    """The issues of the universe ``name`` from ``first`` to ``last``, by symbol; none where no daily bar is loaded."""
    query = (SQL_QUERIES / f"universe_{name}.sql").read_bytes()
    with connect(dsn, "etl") as connection:
        return tuple(Issue(*row) for row in connection.execute(query, {"first": first, "session": last}).fetchall())
