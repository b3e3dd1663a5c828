"""A source's limits hold over all processes, because what they count is kept in the warehouse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import replace

import psycopg
import pytest

from benchmarks.hammer import ArrivalServer, Caller, hammer, worst_second
from include.crawlers.limits.priority import going_first, someone_goes_first
from include.crawlers.limits.rate_limit import SharedLimiter
from include.crawlers.limits.shared_state import SharedState
from include.crawlers.transport import Priority, SourceLimits
from include.outcomes import RateLimited

FAST = SourceLimits(calls_per_second=10_000)
SESSION, BACKFILL = Priority.SESSION, Priority.BACKFILL


@pytest.fixture
def limiter(shared: SharedState) -> Iterator[SharedLimiter]:
    with closing(SharedLimiter(shared)) as limiter:
        yield limiter


class FakeClock:
    """Adds up what a limiter sleeps instead of letting it sleep."""

    def __init__(self) -> None:
        self.slept = 0.0

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        if self.slept > 10:
            raise TimeoutError("nobody should wait as long in these tests")


def test_four_processes_together_stay_within_the_limit_as_the_server_sees_it(warehouse: str) -> None:
    with ArrivalServer() as server:
        moments = hammer(warehouse, server, calls_per_second=15, processes=4, calls=12)
    assert len(moments) == 48
    assert worst_second(moments) <= 15


def test_a_session_overtakes_a_running_backfill(warehouse: str) -> None:
    calls, limit = 10, 12
    with ArrivalServer() as server, ExitStack() as callers:

        def caller(name: str, priority: Priority, calls: int) -> Caller:
            made = Caller(warehouse, f"{server.url}/{name}", "source", limit, priority, calls)
            callers.callback(made.stop)
            return made

        session = caller("session", SESSION, calls)
        backfills = [caller("backfill", BACKFILL, 1_000) for _ in range(2)]
        for waiting in (session, *backfills):
            waiting.wait_ready()
        for backfill in backfills:
            backfill.start()
        server.wait_for(4)
        session.start()
        session.wait(60)
        order = [arrival.path for arrival in server.arrivals]
    first = order.index("/session")
    last = len(order) - order[::-1].index("/session")
    # A backfill's call that already had its token may still arrive; without priorities twenty would.
    assert Counter(order[first:last])["/backfill"] <= calls / 2


def test_a_backfill_waits_while_a_session_does_and_is_not_refused_for_it(shared: SharedState) -> None:
    with shared.connection() as connection, ExitStack() as session:
        session.enter_context(going_first(connection, "source"))
        pauses: list[float] = []

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 5:
                session.close()

        limits = SourceLimits(calls_per_second=1, total=2)
        with closing(SharedLimiter(shared, sleep)) as backfill:
            backfill.acquire("another_source", "/", limits, BACKFILL)
            assert pauses == []
            backfill.acquire("source", "/", limits, BACKFILL)
        assert pauses == [1] * 5


def test_a_session_whose_process_died_holds_nobody_up(warehouse: str, shared: SharedState) -> None:
    session = psycopg.connect(warehouse, autocommit=True)
    with shared.connection() as connection, ExitStack() as waiting:
        waiting.enter_context(going_first(session, "source"))
        assert someone_goes_first(connection, "source")
        assert not someone_goes_first(connection, "another_source")
        with psycopg.connect(warehouse) as operator:
            operator.execute("SELECT pg_terminate_backend(%s, 10000)", [session.info.backend_pid])
        assert not someone_goes_first(connection, "source")
        with pytest.raises(psycopg.OperationalError):
            waiting.close()


def test_an_endpoint_has_a_limit_of_its_own_within_the_sources(shared: SharedState) -> None:
    clock = FakeClock()
    limits = SourceLimits(calls_per_second=1_000, calls_per_second_per_endpoint=0.5)
    with closing(SharedLimiter(shared, clock.sleep)) as limiter:
        limiter.acquire("kiwoom", "ka10081", limits, SESSION)
        limiter.acquire("kiwoom", "ka10059", limits, SESSION)
        assert clock.slept < 1
        with pytest.raises(RateLimited):
            limiter.acquire("kiwoom", "ka10081", replace(limits, total=1), SESSION)


def test_an_endpoint_refused_takes_nothing_from_its_source(shared: SharedState) -> None:
    clock = FakeClock()
    limits = SourceLimits(calls_per_second=0.02, calls_per_second_per_endpoint=0.01, total=1)
    with closing(SharedLimiter(shared, clock.sleep)) as limiter:
        limiter.acquire("source", "/a", limits, SESSION)
        before = _buckets(shared)
        with pytest.raises(RateLimited):
            limiter.acquire("source", "/a", limits, SESSION)
        with pytest.raises(RateLimited):
            limiter.acquire("source", "/b", limits, SESSION)
        assert _buckets(shared) == before | {"source /b": 0}
    assert clock.slept == 0


def test_no_token_in_time_is_rate_limited(limiter: SharedLimiter) -> None:
    slow = SourceLimits(calls_per_second=0.01, total=0.5)
    limiter.acquire("slow_source", "/", slow, SESSION)
    with pytest.raises(RateLimited, match="slow_source"):
        limiter.acquire("slow_source", "/", slow, SESSION)


def test_a_days_calls_are_counted_exactly_over_all_workers(shared: SharedState) -> None:
    limits = replace(FAST, calls_per_day=25)

    granted: list[int] = []

    def work(_: int) -> None:
        with closing(SharedLimiter(shared)) as limiter, suppress(RateLimited):
            for _ in range(10):
                limiter.acquire("krx_openapi", "/", limits, SESSION)
                granted.append(1)

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(work, range(4)))
    assert len(granted) == 25
    with closing(SharedLimiter(shared)) as limiter, pytest.raises(RateLimited, match=r"all 25 calls .* midnight"):
        limiter.acquire("krx_openapi", "/", limits, BACKFILL)
    with shared.connection() as connection:
        assert connection.execute("SELECT source, calls FROM mart.source_budget").fetchall() == [("krx_openapi", 25)]


def test_a_new_day_in_seoul_renews_the_quota(shared: SharedState, limiter: SharedLimiter) -> None:
    limits = replace(FAST, calls_per_day=1)
    limiter.acquire("source", "/", limits, SESSION)
    with pytest.raises(RateLimited):
        limiter.acquire("source", "/", limits, SESSION)
    with shared.connection() as connection:
        connection.execute("UPDATE ops.source_quota SET day = day - 1")
    limiter.acquire("source", "/", limits, SESSION)


def test_a_source_of_one_slot_is_used_by_one_job_at_a_time(shared: SharedState) -> None:
    limits = replace(FAST, slots=1, total=0.3)
    with closing(SharedLimiter(shared)) as waiting:
        with closing(SharedLimiter(shared)) as using:
            for _ in range(2):
                using.acquire("portal", "/", limits, SESSION)
            with pytest.raises(RateLimited, match="slot"):
                waiting.acquire("portal", "/", limits, SESSION)
        waiting.acquire("portal", "/", replace(limits, total=30), SESSION)


def _buckets(shared: SharedState) -> dict[str, int]:
    with shared.connection() as connection:
        return dict(connection.execute("SELECT name, theoretical_arrival_us FROM rate_limit.bucket").fetchall())
