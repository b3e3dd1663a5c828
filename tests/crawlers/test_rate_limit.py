"""A source's limit holds over all processes, because its tokens are kept in the warehouse."""

from __future__ import annotations

import multiprocessing
import time

import pytest

from include.crawlers.rate_limit import SharedLimiter
from include.crawlers.transport import SourceLimits
from include.outcomes import RateLimited

LIMITS = SourceLimits(calls_per_second=5)
CALLS, WORKERS = 8, 2


def _call_repeatedly(dsn: str, moments: multiprocessing.Queue) -> None:
    with SharedLimiter(dsn) as limiter:
        for _ in range(CALLS):
            limiter.acquire("a_source", LIMITS)
            moments.put(time.time())


def test_two_processes_together_stay_within_the_limit(warehouse: str) -> None:
    context = multiprocessing.get_context("spawn")
    moments = context.Queue()
    workers = [context.Process(target=_call_repeatedly, args=(warehouse, moments)) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    called = sorted(moments.get(timeout=60) for _ in range(CALLS * WORKERS))
    for worker in workers:
        worker.join(30)
        assert worker.exitcode == 0
    window = int(LIMITS.calls_per_second)
    spans = [later - earlier for earlier, later in zip(called, called[window:], strict=False)]
    # The token is taken a moment before the clock is read: a little jitter is the measurement's.
    assert min(spans) > 0.9


def test_no_token_in_time_is_rate_limited(warehouse: str) -> None:
    slow = SourceLimits(calls_per_second=0.01, total=0.5)
    with SharedLimiter(warehouse) as limiter:
        limiter.acquire("slow_source", slow)
        with pytest.raises(RateLimited, match="slow_source"):
            limiter.acquire("slow_source", slow)
