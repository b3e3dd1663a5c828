"""The one way out: limited, timed, retried and recorded HTTP calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import IntEnum
from functools import partial
from typing import Protocol, TypeVar

import requests
import urllib3
from requests.adapters import BaseAdapter
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from include.crawlers.client_adapter import ClientAdapter, path_of
from include.outcomes import AuthRequired, CollectionOutcome, Malformed, RateLimited, SourceDown

T = TypeVar("T")

_PIECE = 64 * 1024
_HEAD = 4 * 1024
_LOGGED_OUT = b"LOGOUT"


class Priority(IntEnum):
    """Who goes first where calls wait for a source: the smaller number."""

    SESSION = 0
    BACKFILL = 1


@dataclass(frozen=True)
class SourceLimits:
    """What a source allows and how long we wait for it.

    The first four bound all workers together: calls per second to the source, and to each of its endpoints
    where that is less; calls per day of Asia/Seoul; and ``slots``, how many jobs may use the source at once, for
    which a job waits up to ``slot_wait``.
    Times are in seconds: ``connect`` and ``read`` bound each wait for the network, ``total`` the whole answer,
    so that a slow drip ends too, and the wait for the call's turn; ``max_wait`` bounds a pause between
    attempts: a source that asks for a longer one is left alone. ``max_bytes`` bounds the body.
    """

    calls_per_second: float
    calls_per_second_per_endpoint: float | None = None
    calls_per_day: int | None = None
    slots: int | None = None
    slot_wait: float = 60.0
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


# What a source means by an answer that is not 200: told its status and the head of its body; None as its status says.
Refusal = Callable[[int, bytes], CollectionOutcome | None]


class CircuitOpen(SourceDown):
    """The source has failed too often of late: it is not called until it has had time to recover."""


class Limiter(Protocol):
    """Where calls wait for their turn."""

    def acquire(self, source: str, endpoint: str, limits: SourceLimits, priority: Priority) -> None:
        """Return when a call is allowed; it is counted as made.

        Raises:
            RateLimited: no call becomes allowed within ``limits.total`` seconds, or the day's are used up.
        """


class Breaker(Protocol):
    """What keeps calls from a source that is down."""

    def require_closed(self, source: str) -> None:
        """Return if ``source`` may be tried.

        Raises:
            CircuitOpen: it may not.
        """

    def call(self, source: str, attempt: Callable[[], T]) -> T:
        """What ``attempt`` returns or raises, taken into account: only SourceDown is a failure of the source.

        Raises:
            CircuitOpen: the source may not be tried, or the attempt's failure was one too many.
        """


class _AlwaysClosed:
    """The breaker that lets every call through."""

    def require_closed(self, source: str) -> None:
        """At once."""

    def call(self, source: str, attempt: Callable[[], T]) -> T:
        """What ``attempt`` returns or raises."""
        return attempt()


class TooManyCalls(RateLimited):
    """The source answered 429, and may have said how many seconds to wait."""

    def __init__(self, message: str, retry_after: float | None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True)
class _Call:
    """A request with all that bounds it. ``any_answer``: the caller reads redirects and client errors itself."""

    source: str
    endpoint: str
    limits: SourceLimits
    request: requests.PreparedRequest
    any_answer: bool = False
    refusal: Refusal | None = None

    @property
    def name(self) -> str:
        return f"{self.source} {self.endpoint}"


class Transport:
    """Calls sources through one connection pool; safe to use from several threads.

    Args:
        limiter: where calls wait for their turn.
        record: receives every attempt as it ends.
        sleep: waits between attempts.
        priority: of all calls made through it.
        breaker: keeps calls from a source that is down.
        rates: calls per second of sources whose operator set another rate than the crawler's own.
    """

    def __init__(
        self,
        limiter: Limiter,
        record: Callable[[CallRecord], None],
        sleep: Callable[[float], None] = time.sleep,
        *,
        priority: Priority = Priority.SESSION,
        breaker: Breaker | None = None,
        rates: Mapping[str, float] | None = None,
    ) -> None:
        self._limiter = limiter
        self._record = record
        self._sleep = sleep
        self._priority = priority
        self._breaker = breaker or _AlwaysClosed()
        self._rates = rates or {}
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
        params: Mapping[str, str] = {},
        headers: Mapping[str, str] = {},
        endpoint: str | None = None,
        refusal: Refusal | None = None,
    ) -> bytes:
        """The body of a successful answer, retried while that can help.

        ``endpoint`` names what is limited and recorded: give it where the path holds a symbol; the default is
        the path. ``refusal`` reads the errors of a source whose statuses do not say what is wrong.

        Raises:
            AuthRequired: the source refuses the credential (401, 403, or LOGOUT as the whole of an error's body), or
                it cannot be sent.
            RateLimited: the source's limit, or ours, allows no call even after waiting.
            SourceDown: no answer, an answer cut off, too slow or too large, a failure of the server's (5xx), or a
                redirect; ``CircuitOpen`` where the source has been failing and was not asked.
            Malformed: any other status than 200: the server is well and refuses the request, say an unknown symbol.
        """
        request = requests.Request("GET", url, params=dict(params), headers=dict(headers))
        return self._ask(source, request, limits, endpoint, refusal)

    def post(
        self,
        source: str,
        url: str,
        limits: SourceLimits,
        *,
        data: Mapping[str, str] | None = None,
        json: Mapping[str, object] | None = None,
        headers: Mapping[str, str] = {},
        endpoint: str | None = None,
        refusal: Refusal | None = None,
    ) -> bytes:
        """As :meth:`get`, sending a form (``data``) or an object (``json``)."""
        request = requests.Request("POST", url, data=data, json=json, headers=dict(headers))
        return self._ask(source, request, limits, endpoint, refusal)

    def adapter(
        self,
        source: str,
        limits: SourceLimits,
        *,
        base_url: str | None = None,
        on_body: Callable[[requests.PreparedRequest, bytes], None] | None = None,
        endpoint: Callable[[requests.PreparedRequest], str] | None = None,
    ) -> BaseAdapter:
        """Mount it in a client library's session: what the library sends goes this way, under our limits.

        The library gets its redirects and client errors to read, and our typed outcomes as exceptions where
        :meth:`get` raises them. ``base_url`` takes the place of each request's scheme and host; ``on_body``
        receives each body that came with 200; ``endpoint`` names a request's endpoint, by default the path.
        """

        def send(request: requests.PreparedRequest, endpoint: str) -> requests.Response:
            return self._send(_Call(source, endpoint, self._limits(source, limits), request, any_answer=True))

        return ClientAdapter(send, base_url, on_body, endpoint or path_of)

    def _ask(
        self,
        source: str,
        request: requests.Request,
        limits: SourceLimits,
        endpoint: str | None,
        refusal: Refusal | None,
    ) -> bytes:
        try:
            prepared = self._http.prepare_request(request)
        except requests.RequestException as error:
            raise SourceDown(f"{source}: {type(error).__name__}, the request cannot be made") from None
        call = _Call(source, endpoint or path_of(prepared), self._limits(source, limits), prepared, refusal=refusal)
        return self._send(call).content

    def _limits(self, source: str, limits: SourceLimits) -> SourceLimits:
        """The crawler's limits, under the operator's rate if there is one."""
        if source not in self._rates:
            return limits
        return replace(limits, calls_per_second=self._rates[source], calls_per_second_per_endpoint=None)

    def _send(self, call: _Call) -> requests.Response:
        """The answer, its body received, after as many attempts as can help."""
        retrying = Retrying(
            retry=retry_if_exception(partial(_can_heal, call.limits)),
            stop=stop_after_attempt(call.limits.attempts),
            wait=_wait(call.limits),
            sleep=self._sleep,
            reraise=True,
        )
        for attempt in retrying:
            with attempt:
                self._breaker.require_closed(call.source)
                self._limiter.acquire(call.source, call.endpoint, call.limits, self._priority)
                number = attempt.retry_state.attempt_number
                return self._breaker.call(call.source, partial(self._attempt, call, number))
        raise AssertionError("tenacity returns an answer or raises")

    def _attempt(self, call: _Call, number: int) -> requests.Response:
        started = time.monotonic()
        status: int | None = None
        received = bytearray()
        outcome = "ok"
        try:
            with closing(self._open(call)) as response:
                status = response.status_code
                _require_no_refusal(response, call)
                _require_service(response, call)
                for piece in iter(partial(response.raw.read1, _PIECE, decode_content=True), b""):
                    received += piece
                    _require_within(call, len(received), time.monotonic() - started)
                _require_success(response, call, received)
                return _with_body(response, bytes(received))
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            outcome = SourceDown.outcome
            # The library's message quotes the URL with its query: only its kind is told.
            raise SourceDown(f"{call.name}: {type(error).__name__}, no complete answer") from None
        except UnicodeEncodeError:
            outcome = AuthRequired.outcome
            raise AuthRequired(
                f"{call.name}: a header holds a character HTTP cannot carry; is the key right?"
            ) from None
        except CollectionOutcome as error:
            outcome = error.outcome
            raise
        finally:
            latency = time.monotonic() - started
            self._record(CallRecord(call.source, call.endpoint, number, status, outcome, latency, len(received)))

    def _open(self, call: _Call) -> requests.Response:
        """The answer's head. Past the session's own send, which would keep one library's cookies for the next."""
        url = call.request.url or ""
        environment = self._http.merge_environment_settings(url, {}, None, None, None)
        return self._http.get_adapter(url).send(
            call.request,
            stream=True,
            timeout=(call.limits.connect, call.limits.read),
            verify=environment["verify"] or True,
            proxies=environment["proxies"],
        )


def _require_no_refusal(response: requests.Response, call: _Call) -> None:
    if response.status_code == 200 or call.refusal is None:
        return
    outcome = call.refusal(response.status_code, response.raw.read(_HEAD, decode_content=True))
    if outcome is not None:
        raise outcome


def _require_service(response: requests.Response, call: _Call) -> None:
    status = response.status_code
    if status in (401, 403):
        raise AuthRequired(
            f"{call.name} answered {status}: the key is missing, wrong, expired, or not approved for this service"
        )
    if status == 429:
        seconds = _retry_after(response)
        asked = "" if seconds is None else f"; it asks for a pause of {seconds:g} s"
        raise TooManyCalls(f"{call.name} answered 429: too many calls, or the day's quota is used up{asked}", seconds)
    if status >= 500:
        raise SourceDown(f"{call.name} answered {status}, expected 200")


def _require_within(call: _Call, received: int, elapsed: float) -> None:
    if elapsed > call.limits.total:
        raise SourceDown(f"{call.name}: not finished after {call.limits.total:g} s ({received:,} bytes)")
    if received > call.limits.max_bytes:
        raise SourceDown(f"{call.name}: more than {call.limits.max_bytes:,} bytes")


def _require_success(response: requests.Response, call: _Call, body: bytearray) -> None:
    status = response.status_code
    if 400 <= status < 500 and body.strip() == _LOGGED_OUT:
        raise AuthRequired(f"{call.name} answered {status} {_LOGGED_OUT.decode()}: the login is missing or has ended")
    if status == 200 or call.any_answer:
        return
    if status >= 400:
        raise Malformed(f"{call.name} answered {status}, expected 200: the source does not know what it is asked for")
    raise SourceDown(f"{call.name} answered {status}, expected 200")


def _with_body(response: requests.Response, body: bytes) -> requests.Response:
    """The answer as requests leaves it after reading: its own reading has no bound in time or size."""
    response._content = body
    _ = response.content  # asking for it marks it as read
    return response


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


def _can_heal(limits: SourceLimits, error: BaseException) -> bool:
    if isinstance(error, TooManyCalls):
        return error.retry_after is None or error.retry_after <= limits.max_wait
    return isinstance(error, SourceDown) and not isinstance(error, CircuitOpen)


def _wait(limits: SourceLimits) -> Callable[[RetryCallState], float]:
    jittered = wait_exponential_jitter(multiplier=0.5, max=limits.max_wait, jitter=0.5)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, TooManyCalls) and error.retry_after is not None:
            return error.retry_after
        return jittered(state)

    return wait
