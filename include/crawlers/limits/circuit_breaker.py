"""The circuit breaker of each source: pybreaker's, its state in ``ops.source_breaker``, shared by all workers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from psycopg.rows import TupleRow
from pybreaker import (
    STATE_CLOSED,
    STATE_OPEN,
    CircuitBreaker,
    CircuitBreakerError,
    CircuitBreakerStorage,
)

from include.crawlers.limits.shared_state import SharedState
from include.crawlers.transport import CircuitOpen, T
from include.outcomes import SourceDown

# A source that fails all attempts of one request, and answers nobody meanwhile, is down.
FAILURES = 4
COOL_DOWN_SECONDS = 60.0
_SEOUL = ZoneInfo("Asia/Seoul")


class SharedBreaker:
    """Keeps calls from sources that are down. Safe to use from several threads.

    Args:
        state: where all workers share it.
        on_open: receives the source and a message when a failed call leaves its circuit open.
        failures: this many failed calls in a row open the circuit.
        cool_down: seconds until the next call may try.
    """

    def __init__(
        self,
        state: SharedState,
        on_open: Callable[[str, str], None],
        failures: int = FAILURES,
        cool_down: float = COOL_DOWN_SECONDS,
    ) -> None:
        self._state = state
        self._on_open = on_open
        self._failures = failures
        self._cool_down = timedelta(seconds=cool_down)

    def require_closed(self, source: str) -> None:
        """Return if ``source`` may be tried.

        Raises:
            CircuitOpen: its circuit is open, and the cool-down has not passed.
        """
        opened_at = _Storage(self._state, source).open_since(self._cool_down)
        if opened_at is not None:
            raise CircuitOpen(f"{source} was not called: {self._open(opened_at)}")

    def call(self, source: str, attempt: Callable[[], T]) -> T:
        """What ``attempt`` returns or raises; see ``Breaker.call``.

        Raises:
            CircuitOpen: the circuit opened: since ``require_closed``, or by this failure.
        """
        storage = _Storage(self._state, source)
        # One breaker per call: the library's holds a lock while it calls, which would let threads call in turn only.
        breaker = CircuitBreaker(
            fail_max=self._failures,
            reset_timeout=self._cool_down.total_seconds(),
            exclude=[lambda error: not isinstance(error, SourceDown)],
            state_storage=storage,
            throw_new_error_on_trip=False,
        )
        try:
            return breaker.call(attempt)
        except CircuitBreakerError:
            self.require_closed(source)
            raise CircuitOpen(f"{source} was not called: it had failed too often, and is being tried again") from None
        except SourceDown as failure:
            opened_at = storage.open_since(self._cool_down)
            if opened_at is None:
                raise
            message = f"{failure}; {self._open(opened_at)}"
            self._on_open(source, message)
            raise CircuitOpen(message) from failure

    def _open(self, opened_at: datetime) -> str:
        again = (opened_at + self._cool_down).astimezone(_SEOUL)
        return (
            f"it failed {self._failures} times in a row or more, and is tried again from {again:%Y-%m-%d %H:%M:%S} "
            "Asia/Seoul on (ops.source_breaker)"
        )


class _Storage(CircuitBreakerStorage):
    """The row of one source, for one call. Without a row the circuit is closed and nothing has failed."""

    def __init__(self, state: SharedState, source: str) -> None:
        super().__init__(source)
        self._shared = state
        self._successes = 0  # one closes a half-open circuit, so that no other worker has to know of it

    def open_since(self, cool_down: timedelta) -> datetime | None:
        """When the circuit opened, if it is open and the cool-down has not passed."""
        rows = self._run(
            "SELECT opened_at FROM ops.source_breaker WHERE source = %(source)s AND state = %(value)s", STATE_OPEN
        )
        return next((opened_at for [opened_at] in rows if datetime.now(UTC) < opened_at + cool_down), None)

    @property
    def state(self) -> str:
        return next((state for [state] in self._column("state")), STATE_CLOSED)

    @state.setter
    def state(self, state: str) -> None:
        self._run(
            "UPDATE ops.source_breaker SET state = %(value)s, changed_at = clock_timestamp() WHERE source = %(source)s",
            state,
        )

    @property
    def counter(self) -> int:
        return next((failures for [failures] in self._column("failures")), 0)

    def increment_counter(self) -> None:
        self._run(
            "INSERT INTO ops.source_breaker AS breaker (source, failures) VALUES (%(source)s, 1) "
            "ON CONFLICT (source) DO UPDATE SET failures = breaker.failures + 1"
        )

    def reset_counter(self) -> None:
        self._run("UPDATE ops.source_breaker SET failures = 0 WHERE source = %(source)s AND failures <> 0")

    @property
    def success_counter(self) -> int:
        return self._successes

    def increment_success_counter(self) -> None:
        self._successes += 1

    def reset_success_counter(self) -> None:
        self._successes = 0

    @property
    def opened_at(self) -> datetime | None:
        return next((opened_at for [opened_at] in self._column("opened_at")), None)

    @opened_at.setter
    def opened_at(self, opened_at: datetime) -> None:
        self._run("UPDATE ops.source_breaker SET opened_at = %(value)s WHERE source = %(source)s", opened_at)

    def _column(self, name: str) -> list[TupleRow]:
        return self._run(f"SELECT {name} FROM ops.source_breaker WHERE source = %(source)s")

    def _run(self, query: str, value: str | datetime | None = None) -> list[TupleRow]:
        with self._shared.connection() as connection:
            cursor = connection.execute(query.encode(), {"source": self.name, "value": value})
            return cursor.fetchall() if cursor.description else []
