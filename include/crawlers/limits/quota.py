"""The day's calls of a source, counted before they are made."""

from __future__ import annotations

from psycopg import Connection
from psycopg.rows import TupleRow

from include.outcomes import RateLimited

_COUNT = """
    INSERT INTO ops.source_quota AS quota (source, day, calls)
    VALUES (%(source)s, (clock_timestamp() AT TIME ZONE 'Asia/Seoul')::date, 1)
    ON CONFLICT (source, day) DO UPDATE SET calls = quota.calls + 1
        WHERE %(limit)s::bigint IS NULL OR quota.calls < %(limit)s
    RETURNING calls
"""


def count_call(connection: Connection[TupleRow], source: str, calls_per_day: int | None) -> None:
    """Count a call of ``source`` today, in Asia/Seoul; one statement, so that no two processes take the last one.

    Raises:
        RateLimited: the day's ``calls_per_day`` are used up; nothing was counted.
    """
    if connection.execute(_COUNT, {"source": source, "limit": calls_per_day}).fetchone() is None:
        raise RateLimited(
            f"{source}: all {calls_per_day:,} calls of the day are used up; they renew at midnight, Asia/Seoul"
        )
