"""Faults a simulated source can be told to show, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from typing import Any

ANY_ENDPOINT = "*"


class FaultKind(StrEnum):
    """What goes wrong with an answer.

    ``timeout`` holds the request for ``seconds`` and hangs up; ``slow_drip`` spreads the body over
    ``seconds``. ``logout`` answers as if the login had ended. ``yesterdays_data`` is the previous session's
    answer as published then, ``stale_copy`` its figures under the dates asked for. ``partial_market`` leaves
    half the rows, and of a service that answers symbol by symbol half the symbols without an answer.
    ``layout_changed`` is a page that says the same in another shape.
    """

    HTTP_500 = "http_500"
    HTTP_429 = "http_429"
    TIMEOUT = "timeout"
    SLOW_DRIP = "slow_drip"
    TRUNCATED_BODY = "truncated_body"
    MAINTENANCE_HTML = "maintenance_html"
    LOGOUT = "logout"
    EMPTY_LIST = "empty_list"
    YESTERDAYS_DATA = "yesterdays_data"
    STALE_COPY = "stale_copy"
    PARTIAL_MARKET = "partial_market"
    RENAMED_COLUMN = "renamed_column"
    MISSING_COLUMN = "missing_column"
    WRONG_ENCODING = "wrong_encoding"
    COMMA_STRINGS = "comma_strings"
    DUPLICATE_ROWS = "duplicate_rows"
    LAYOUT_CHANGED = "layout_changed"


class InvalidFaultError(ValueError):
    """The description of a fault names no known kind or has a wrong value."""


@dataclass
class Fault:
    """One fault at ``endpoint`` (or at all that serve data, ``*``), for the next ``times`` calls (None: until cleared).

    ``seconds`` is for timeout and slow_drip; ``retry_after`` (seconds) is for http_429, without it the
    header is missing.
    """

    endpoint: str
    kind: FaultKind
    times: int | None = None
    seconds: float = 30.0
    retry_after: int | None = None

    @staticmethod
    def from_json(document: Any) -> Fault:
        """The fault that a JSON object with these fields describes.

        Raises:
            InvalidFaultError: not an object, an unknown field or kind, or ``times`` below 1.
        """
        try:
            fault = Fault(**{**document, "kind": FaultKind(document["kind"])})
        except (TypeError, KeyError, ValueError) as error:
            kinds = ", ".join(FaultKind)
            raise InvalidFaultError(
                f"expected an object with endpoint, kind (one of {kinds}) and maybe times, seconds, "
                f"retry_after; got {document!r}"
            ) from error
        if fault.times is not None and fault.times < 1:
            raise InvalidFaultError(f"times must be at least 1 or null, got {fault.times}")
        return fault


class FaultBook:
    """The faults switched on; safe for use by several threads."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = Lock()

    def add(self, fault: Fault) -> None:
        """Switch ``fault`` on, after those already on."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Switch every fault off."""
        with self._lock:
            self._faults.clear()

    def take(self, *endpoints: str) -> Fault | None:
        """The first fault at any of ``endpoints``, counted as shown; None when there is none."""
        with self._lock:
            for fault in self._faults:
                if fault.endpoint in endpoints:
                    if fault.times is not None:
                        fault.times -= 1
                        if fault.times == 0:
                            self._faults.remove(fault)
                    return fault
        return None
