"""What simulated brokers ask of their callers: a token from a key, and not too many calls."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from secrets import token_urlsafe
from threading import Lock

from include.market.calendar import KST

TOKEN_LIFE = timedelta(hours=24)


class BrokerEnvironment(StrEnum):
    """A broker's two services, on hosts, with keys and limits of their own."""

    REAL = "real"
    MOCK = "mock"


@dataclass(frozen=True)
class BrokerLimits:
    """How often a broker may be asked, in real time: calls in any second (None: without limit), and for a token."""

    calls_per_second: int | None
    seconds_between_tokens: float


UNLIMITED = BrokerLimits(calls_per_second=None, seconds_between_tokens=0)


class TokenState(StrEnum):
    """What a broker thinks of a token it is shown."""

    VALID = "valid"
    EXPIRED = "expired"
    OTHER_ENVIRONMENT = "other environment"
    UNKNOWN = "unknown"


class TooManyTokensError(Exception):
    """The last token was issued too short a time ago."""


@dataclass(frozen=True)
class BrokerToken:
    """A token and when it ends."""

    text: str
    expires: datetime


class TokenOffice:
    """Issues the tokens of one key, at most one in ``seconds_between``; they end by ``clock``, the real one.

    ``replaces``: a new token ends the one before, as at Kiwoom; otherwise both are good. Safe for several threads.
    """

    def __init__(self, environment: BrokerEnvironment, seconds_between: float, *, replaces: bool) -> None:
        self.clock: Callable[[], datetime] = lambda: datetime.now(KST)
        self._environment = environment
        self._seconds_between = seconds_between
        self._replaces = replaces
        self._tokens: dict[str, BrokerToken] = {}
        self._issued_at: float | None = None
        self._lock = Lock()

    def issue(self) -> BrokerToken:
        """A token good for 24 hours.

        Raises:
            TooManyTokensError: the last one is too recent.
        """
        with self._lock:
            moment = time.monotonic()
            if self._issued_at is not None and moment < self._issued_at + self._seconds_between:
                raise TooManyTokensError(f"one token in {self._seconds_between:g} s")
            self._issued_at = moment
            token = BrokerToken(f"{self._environment}.{token_urlsafe(32)}", self.clock() + TOKEN_LIFE)
            if self._replaces:
                self._tokens.clear()
            self._tokens[token.text] = token
            return token

    def state(self, text: str) -> TokenState:
        """What ``text`` is worth now."""
        with self._lock:
            token = self._tokens.get(text)
        if token is not None:
            return TokenState.VALID if self.clock() < token.expires else TokenState.EXPIRED
        others = (f"{other}." for other in BrokerEnvironment if other is not self._environment)
        return TokenState.OTHER_ENVIRONMENT if text.startswith(tuple(others)) else TokenState.UNKNOWN


class CallGate:
    """Lets ``calls_per_second`` through in any second of real time, for each name; None lets all through."""

    def __init__(self, calls_per_second: int | None) -> None:
        self._calls_per_second = calls_per_second
        self._arrivals: dict[str, deque[float]] = {}
        self._lock = Lock()

    def admits(self, name: str) -> bool:
        """Whether one more call of ``name`` is allowed now; a refused one does not count."""
        if self._calls_per_second is None:
            return True
        with self._lock:
            moment = time.monotonic()
            arrivals = self._arrivals.setdefault(name, deque())
            while arrivals and arrivals[0] <= moment - 1:
                arrivals.popleft()
            if len(arrivals) >= self._calls_per_second:
                return False
            arrivals.append(moment)
            return True


def bearer(header: str | None) -> str:
    """The token of an ``Authorization`` header, empty where there is none."""
    scheme, _, token = (header or "").partition(" ")
    return token if scheme.lower() == "bearer" else ""
