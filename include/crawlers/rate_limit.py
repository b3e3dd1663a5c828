"""Token buckets in the warehouse, so that all processes and workers share a source's limit."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import psycopg
from psycopg_pool import ConnectionPool
from pyrate_limiter import Limiter as TokenLimiter
from pyrate_limiter import PostgresBucket, Rate

from include.crawlers.transport import SourceLimits
from include.outcomes import RateLimited


class SharedLimiter:
    """A context manager: a limiter whose buckets are tables of the warehouse's ``rate_limit`` schema."""

    def __init__(self, dsn: str) -> None:
        self._pool = ConnectionPool(dsn, min_size=0, max_size=2, open=False, configure=_as_etl)
        self._limiters: dict[str, TokenLimiter] = {}

    def __enter__(self) -> Self:
        self._pool.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for limiter in self._limiters.values():
            limiter.close()
        self._pool.close()

    def acquire(self, source: str, limits: SourceLimits) -> None:
        """Return when ``source`` may be called.

        Raises:
            RateLimited: no call became allowed within ``limits.total`` seconds.
        """
        limiter = self._limiters.get(source)
        if limiter is None:
            bucket = PostgresBucket(self._pool, source, [_rate(limits.calls_per_second)])
            limiter = self._limiters[source] = TokenLimiter(bucket)
        if not limiter.try_acquire(source, timeout=limits.total):
            raise RateLimited(
                f"{source}: no call was free within {limits.total:g} s at {limits.calls_per_second:g} calls/s; "
                "another run is using the source"
            )


def _rate(calls_per_second: float) -> Rate:
    second = 1000  # the library counts in milliseconds
    if calls_per_second >= 1:
        return Rate(int(calls_per_second), second)
    return Rate(1, round(second / calls_per_second))


def _as_etl(connection: psycopg.Connection) -> None:
    connection.execute("SET ROLE etl")
    connection.execute("SET search_path = rate_limit")
    connection.commit()
