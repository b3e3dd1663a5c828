"""The issues that sources which answer symbol by symbol are asked for."""

from __future__ import annotations

from datetime import date

from include.crawlers.source import Issue
from include.warehouse.connection import SQL_QUERIES, connect


def universe_of(dsn: str, name: str, session: date) -> tuple[Issue, ...]:
    """The issues of the universe ``name`` on ``session``, by symbol; none in a warehouse without daily bars."""
    query = (SQL_QUERIES / f"universe_{name}.sql").read_bytes()
    with connect(dsn, "etl") as connection:
        return tuple(Issue(*row) for row in connection.execute(query, {"session": session}).fetchall())
