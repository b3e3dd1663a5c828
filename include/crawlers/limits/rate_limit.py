"""Token buckets in the warehouse, so that all processes and workers share a source's limit.

The algorithm is pyrate-limiter's generic cell rate algorithm. Its own PostgreSQL bucket stamps a call with the
time its wait should have ended, which under contention lies well before the call; here the stamp is the server's
clock under the bucket's lock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext

from psycopg import Connection
from psycopg.rows import TupleRow
from pyrate_limiter import GCRA, Rate

from include.crawlers.limits.priority import going_first, someone_goes_first
from include.crawlers.limits.quota import count_call
from include.crawlers.limits.shared_state import SharedState
from include.crawlers.limits.slots import Slots
from include.crawlers.transport import Priority, SourceLimits
from include.outcomes import RateLimited

# Calls are spread evenly and this much further apart than the limit asks, so that a window of a second holds at
# the source too although calls take unequal times to get there: one may be late by a tenth of a second.
SLACK = 0.1
_ALGORITHM = GCRA()


class SharedLimiter:
    """A limiter over all processes that use the same warehouse. Safe to use from several threads."""

    def __init__(self, state: SharedState, sleep: Callable[[float], None] = time.sleep) -> None:
        self._state = state
        self._sleep = sleep
        self._slots = Slots(state)
        self._turn = threading.Lock()  # one thread waits at the database, the others here

    def release_slots(self) -> None:
        """Let go of the sources' slots; the next call takes one again."""
        self._slots.close()

    def close(self) -> None:
        """Let go of the sources' slots for good."""
        self.release_slots()

    def acquire(self, source: str, endpoint: str, limits: SourceLimits, priority: Priority) -> None:
        """Return when the call is allowed, counted against the day's quota.

        A backfill waits as long as anyone's session waits for the source; that time is not held against it.

        Raises:
            RateLimited: no call became allowed within ``limits.total`` seconds, or the day's are used up.
        """
        with self._turn, self._state.connection() as connection:
            with going_first(connection, source) if priority is Priority.SESSION else nullcontext():
                if limits.slots and priority is Priority.BACKFILL and not self._slots.holds(source):
                    self._let_sessions_pass(connection, source, limits)
                self._slots.hold(source, limits)
                self._wait_for_token(connection, source, endpoint, limits, priority)
            count_call(connection, source, limits.calls_per_day)

    def _let_sessions_pass(self, connection: Connection[TupleRow], source: str, limits: SourceLimits) -> None:
        while someone_goes_first(connection, source):
            self._sleep(1 / limits.calls_per_second)

    def _wait_for_token(
        self,
        connection: Connection[TupleRow],
        source: str,
        endpoint: str,
        limits: SourceLimits,
        priority: Priority,
    ) -> None:
        buckets = _buckets(source, endpoint, limits)
        waited = 0.0
        while True:
            if priority is Priority.BACKFILL:
                self._let_sessions_pass(connection, source, limits)
            seconds = _take(connection, buckets)
            if seconds == 0:
                return
            waited += seconds
            if waited > limits.total:
                raise RateLimited(
                    f"{source}: no call was free within {limits.total:g} s at {limits.calls_per_second:g} calls/s; "
                    "another run is using the source"
                )
            self._sleep(seconds)


def _buckets(source: str, endpoint: str, limits: SourceLimits) -> Mapping[str, Rate]:
    buckets = {source: _rate(limits.calls_per_second)}
    if limits.calls_per_second_per_endpoint is not None:
        buckets[f"{source} {endpoint}"] = _rate(limits.calls_per_second_per_endpoint)
    return buckets


def _rate(calls_per_second: float) -> Rate:
    calls = 1_000  # the library counts time in whole milliseconds, so that the more calls the finer the rate
    return Rate(calls, round(calls * 1_000 * (1 + SLACK) / calls_per_second), burst=1)


def _take(connection: Connection[TupleRow], buckets: Mapping[str, Rate]) -> float:
    """Take a token of every bucket, or of none: 0, or the seconds until all may be there."""
    with connection.transaction():
        arrivals = _lock(connection, list(buckets))
        now = _now(connection)
        taken: dict[str, int] = {}
        wait = 0
        for name, rate in buckets.items():
            [arrival], decision = _ALGORITHM.step([rate], (arrivals[name],), now, 1)
            taken[name] = int(arrival)
            wait = max(wait, decision.retry_after_ms or 0)
        if wait == 0:
            with connection.cursor() as cursor:
                cursor.executemany(
                    "UPDATE rate_limit.bucket SET theoretical_arrival_us = %s WHERE name = %s",
                    [(arrival, name) for name, arrival in taken.items()],
                )
    return wait / 1_000


def _lock(connection: Connection[TupleRow], names: list[str]) -> dict[str, int]:
    query = "SELECT name, theoretical_arrival_us FROM rate_limit.bucket WHERE name = ANY (%s) ORDER BY name FOR UPDATE"
    rows = connection.execute(query, [names]).fetchall()
    if len(rows) < len(names):
        connection.execute(
            "INSERT INTO rate_limit.bucket SELECT name, 0 FROM unnest(%s::text[]) AS name ORDER BY name "
            "ON CONFLICT DO NOTHING",
            [names],
        )
        rows = connection.execute(query, [names]).fetchall()
    return dict(rows)


def _now(connection: Connection[TupleRow]) -> int:
    """The server's clock, in milliseconds."""
    [[now]] = connection.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint").fetchall()
    return int(now)
