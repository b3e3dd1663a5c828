"""A source that fails is left alone for a while, by all workers at once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from include.crawlers.limits.circuit_breaker import FAILURES, SharedBreaker
from include.crawlers.limits.rate_limit import SharedLimiter
from include.crawlers.limits.shared_state import SharedState
from include.crawlers.transport import CallRecord, CircuitOpen, SourceLimits, Transport
from include.outcomes import AuthRequired, Malformed, RateLimited, SourceDown
from tests.crawlers.scripted_server import Answer, ScriptedServer

LIMITS = SourceLimits(calls_per_second=10_000)


class Source:
    """Fails as it is told to, called through breakers of several workers."""

    def __init__(self, shared: SharedState, name: str = "source") -> None:
        self.calls = 0
        self.opened: list[tuple[str, str]] = []
        self.failure: Exception | None = None
        self._name = name
        self._shared = shared

    def call(self) -> str:
        breaker = SharedBreaker(self._shared, lambda source, message: self.opened.append((source, message)))
        breaker.require_closed(self._name)
        return breaker.call(self._name, self._answer)

    def fail(self, times: int, failure: Exception) -> None:
        self.failure = failure
        for _ in range(times):
            with pytest.raises(type(failure)):
                self.call()
        self.failure = None

    def _answer(self) -> str:
        self.calls += 1
        if self.failure:
            raise self.failure
        return "rows"


@pytest.fixture
def source(shared: SharedState) -> Source:
    return Source(shared)


@pytest.fixture
def cool_down(shared: SharedState) -> Callable[[], None]:
    """Lets the cool-down of every open circuit pass."""

    def pass_by() -> None:
        with shared.connection() as connection:
            connection.execute("UPDATE ops.source_breaker SET opened_at = opened_at - interval '1 hour'")

    return pass_by


def _state(shared: SharedState) -> list[tuple[str, str, int]]:
    with shared.connection() as connection:
        return connection.execute("SELECT source, state, failures FROM ops.source_breaker").fetchall()


def test_failures_in_a_row_open_the_circuit_for_all_workers_and_no_call_is_made(
    shared: SharedState, source: Source
) -> None:
    source.fail(FAILURES, SourceDown("no answer"))
    assert source.calls == FAILURES
    with pytest.raises(CircuitOpen, match=r"source was not called: .* tried again from \d{4}-"):
        source.call()
    assert source.calls == FAILURES
    assert _state(shared) == [("source", "open", FAILURES)]
    [(name, message)] = source.opened
    assert name == "source"
    assert "no answer" in message
    assert Source(shared, "another_source").call() == "rows"


def test_the_message_says_when_the_source_is_tried_again(shared: SharedState, source: Source) -> None:
    source.fail(FAILURES, SourceDown("no answer"))
    with shared.connection() as connection:
        [[moment]] = connection.execute(
            "SELECT to_char((opened_at + interval '1 minute') AT TIME ZONE 'Asia/Seoul', 'YYYY-MM-DD HH24:MI:SS') "
            "FROM ops.source_breaker"
        ).fetchall()
    [(_, message)] = source.opened
    assert f"tried again from {moment} Asia/Seoul" in message


@pytest.mark.parametrize("failure", [RateLimited("429"), AuthRequired("401"), Malformed("html"), ValueError("a bug")])
def test_what_is_not_the_servers_failure_does_not_count(
    shared: SharedState, source: Source, failure: Exception
) -> None:
    source.fail(FAILURES + 1, failure)
    assert source.call() == "rows"
    assert _state(shared) == []


def test_a_success_starts_the_count_anew(shared: SharedState, source: Source) -> None:
    source.fail(FAILURES - 1, SourceDown("no answer"))
    source.call()
    source.fail(FAILURES - 1, SourceDown("no answer"))
    assert source.call() == "rows"
    assert _state(shared) == [("source", "closed", 0)]


def test_after_the_cool_down_a_success_closes_the_circuit(
    shared: SharedState, source: Source, cool_down: Callable[[], None]
) -> None:
    source.fail(FAILURES, SourceDown("no answer"))
    cool_down()
    assert source.call() == "rows"
    assert _state(shared) == [("source", "closed", 0)]
    source.fail(FAILURES - 1, SourceDown("no answer"))
    assert source.call() == "rows"


def test_after_the_cool_down_one_failure_opens_it_again(
    shared: SharedState, source: Source, cool_down: Callable[[], None]
) -> None:
    source.fail(FAILURES, SourceDown("no answer"))
    cool_down()
    source.fail(1, SourceDown("still no answer"))
    with pytest.raises(CircuitOpen):
        source.call()
    assert source.calls == FAILURES + 1
    assert [state for _, state, _ in _state(shared)] == ["open"]
    assert "still no answer" in source.opened[-1][1]


def test_a_worker_that_died_while_trying_leaves_the_trial_to_the_next(
    shared: SharedState, source: Source, cool_down: Callable[[], None]
) -> None:
    source.fail(FAILURES, SourceDown("no answer"))
    cool_down()
    with shared.connection() as connection:
        connection.execute("UPDATE ops.source_breaker SET state = 'half-open'")
    assert source.call() == "rows"
    assert _state(shared) == [("source", "closed", 0)]


def test_deleting_the_row_closes_the_circuit(shared: SharedState, source: Source) -> None:
    source.fail(FAILURES, SourceDown("no answer"))
    with shared.connection() as connection:
        connection.execute("DELETE FROM ops.source_breaker")
    assert source.call() == "rows"


def test_a_transport_stops_asking_a_dead_source_and_takes_it_up_again(
    shared: SharedState, cool_down: Callable[[], None]
) -> None:
    opened: list[str] = []
    calls: list[CallRecord] = []
    breaker = SharedBreaker(shared, lambda source, message: opened.append(source))
    with (
        ScriptedServer(*[Answer(500)] * FAILURES, Answer()) as server,
        closing(SharedLimiter(shared)) as limiter,
        closing(Transport(limiter, calls.append, lambda seconds: None, breaker=breaker)) as transport,
    ):
        for message in ("answered 500", "was not called"):
            with pytest.raises(CircuitOpen, match=message):
                transport.get("source", server.url, LIMITS)
        assert (len(server.asked), len(calls), opened) == (FAILURES, FAILURES, ["source"])
        cool_down()
        assert transport.get("source", server.url, LIMITS) == b"rows"
    with shared.connection() as connection:
        assert connection.execute("SELECT sum(calls) FROM ops.source_quota").fetchone() == (FAILURES + 1,)
