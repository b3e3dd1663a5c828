"""The one way out: limited, timed, retried and recorded HTTP calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol
from urllib.parse import urlsplit

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from include.outcomes import AuthRequired, CollectionOutcome, RateLimited, SourceDown


@dataclass(frozen=True)
class SourceLimits:
    """What a source allows and how long we wait for it.

    ``calls_per_second`` bounds all workers together. Times are in seconds: ``connect`` and ``read`` bound
    each wait for the network, ``total`` the whole answer, so that a slow drip ends too. ``max_bytes``
    bounds the body.
    """

    calls_per_second: float
    connect: float = 5.0
    read: float = 20.0
    total: float = 60.0
    max_bytes: int = 64 * 2**20
    attempts: int = 4
    max_wait: float = 30.0


@dataclass(frozen=True)
class CallRecord:
    """One attempt: what ``ops.source_call`` keeps of it. ``latency`` is in seconds to the last byte."""

    source: str
    endpoint: str
    attempt: int
    status: int | None
    outcome: str
    latency: float
    bytes: int


class Limiter(Protocol):
    """Waits until ``source`` may be called."""

    def acquire(self, source: str, limits: SourceLimits) -> None:
        """Return when a call is allowed.

        Raises:
            RateLimited: no call becomes allowed within ``limits.total`` seconds.
        """


class _RetryAfter(RateLimited):
    """The source said how long to wait."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class Transport:
    """Calls sources through one connection pool; safe to use from one thread.

    Args:
        limiter: where calls wait for their turn.
        record: receives every attempt as it ends.
        sleep: waits between attempts.
    """

    def __init__(
        self,
        limiter: Limiter,
        record: Callable[[CallRecord], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limiter = limiter
        self._record = record
        self._sleep = sleep
        self._http = requests.Session()

    def close(self) -> None:
        """Close the pooled connections."""
        self._http.close()

    def get(
        self,
        source: str,
        url: str,
        limits: SourceLimits,
        *,
        params: Mapping[str, str],
        headers: Mapping[str, str],
    ) -> bytes:
        """The body of a successful answer, retried while that can help.

        Raises:
            AuthRequired: the source refuses the credential (401, 403).
            RateLimited: the source's limit, or ours, allows no call even after waiting.
            SourceDown: no answer, an answer cut off, too slow or too large, or a failure of the server's.
        """
        retrying = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, RateLimited | SourceDown)),
            stop=stop_after_attempt(limits.attempts),
            wait=_wait(limits),
            sleep=self._sleep,
            reraise=True,
        )
        for attempt in retrying:
            with attempt:
                self._limiter.acquire(source, limits)
                return self._attempt(
                    source, url, limits, dict(params), dict(headers), attempt.retry_state.attempt_number
                )
        raise AssertionError("tenacity returns a body or raises")

    def _attempt(
        self,
        source: str,
        url: str,
        limits: SourceLimits,
        params: dict[str, str],
        headers: dict[str, str],
        attempt: int,
    ) -> bytes:
        started = time.monotonic()
        status: int | None = None
        received = bytearray()
        outcome = "ok"
        endpoint = urlsplit(url).path
        try:
            with closing(
                self._http.get(
                    url,
                    params=params,
                    headers=headers,
                    stream=True,
                    timeout=(limits.connect, limits.read),
                    allow_redirects=False,
                )
            ) as response:
                status = response.status_code
                _require_success(response, source, endpoint)
                for piece in response.iter_content(64 * 1024):
                    received += piece
                    _require_within(limits, source, endpoint, len(received), time.monotonic() - started)
            return bytes(received)
        except requests.RequestException as error:
            outcome = SourceDown.outcome
            # The library's message quotes the URL with its query: only its kind is told.
            raise SourceDown(f"{source} {endpoint}: {type(error).__name__}, no complete answer") from None
        except CollectionOutcome as error:
            outcome = error.outcome
            raise
        finally:
            self._record(
                CallRecord(source, endpoint, attempt, status, outcome, time.monotonic() - started, len(received))
            )


def _require_success(response: requests.Response, source: str, endpoint: str) -> None:
    status = response.status_code
    if status in (401, 403):
        raise AuthRequired(
            f"{source} {endpoint} answered {status}: the key is missing, wrong, expired, or not approved for "
            "this service"
        )
    if status == 429:
        message = f"{source} {endpoint} answered 429: too many calls, or the day's quota is used up"
        seconds = _retry_after(response)
        raise RateLimited(message) if seconds is None else _RetryAfter(message, seconds)
    if status != 200:
        raise SourceDown(f"{source} {endpoint} answered {status}, expected 200")


def _require_within(limits: SourceLimits, source: str, endpoint: str, received: int, elapsed: float) -> None:
    if elapsed > limits.total:
        raise SourceDown(f"{source} {endpoint}: not finished after {limits.total:g} s ({received:,} bytes)")
    if received > limits.max_bytes:
        raise SourceDown(f"{source} {endpoint}: more than {limits.max_bytes:,} bytes")


def _retry_after(response: requests.Response) -> float | None:
    """Seconds of a ``Retry-After`` header in either of its forms (RFC 9110, 10.2.3)."""
    text = response.headers.get("Retry-After")
    if text is None:
        return None
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except ValueError:
        return None


def _wait(limits: SourceLimits) -> Callable[[RetryCallState], float]:
    jittered = wait_exponential_jitter(multiplier=0.5, max=limits.max_wait, jitter=0.5)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, _RetryAfter):
            return min(error.seconds, limits.max_wait)
        return jittered(state)

    return wait
