"""How many jobs use a source at once, over all processes: a slot is an advisory lock, held until the job ends."""

from __future__ import annotations

import time
from contextlib import ExitStack

from psycopg import Connection
from psycopg.rows import TupleRow

from include.crawlers.limits.shared_state import SharedState
from include.crawlers.transport import SourceLimits
from include.outcomes import RateLimited

# Advisory locks take two integers: this one, and the hash of the source with the slot's number.
_LOCK_CLASS = 0x6B727879
_POLL_SECONDS = 0.2


class Slots:
    """The slots one job holds, at most one of each source."""

    def __init__(self, state: SharedState) -> None:
        self._state = state
        self._held: set[str] = set()
        self._connections = ExitStack()

    def holds(self, source: str) -> bool:
        """Whether a slot of ``source`` is held."""
        return source in self._held

    def hold(self, source: str, limits: SourceLimits) -> None:
        """Take one of the source's slots, if it has any and none is held yet.

        Raises:
            RateLimited: other jobs kept them all for ``limits.slot_wait`` seconds.
        """
        if limits.slots is None or source in self._held:
            return
        with ExitStack() as attempt:
            connection = attempt.enter_context(self._state.connection())
            attempt.callback(_let_go, connection)
            _wait_for_slot(connection, source, limits.slots, limits.slot_wait)
            self._connections.push(attempt.pop_all())
            self._held.add(source)

    def close(self) -> None:
        """Give all slots back."""
        self._held.clear()
        self._connections.close()


def _let_go(connection: Connection[TupleRow]) -> None:
    # One that is broken has lost its lock already.
    if not connection.broken:
        connection.execute("SELECT pg_advisory_unlock_all()")


def _wait_for_slot(connection: Connection[TupleRow], source: str, slots: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not any(_try(connection, source, slot) for slot in range(slots)):
        if time.monotonic() > deadline:
            raise RateLimited(f"{source}: other runs kept its {slots} slot(s) for {seconds:g} s")
        time.sleep(_POLL_SECONDS)


def _try(connection: Connection[TupleRow], source: str, slot: int) -> bool:
    query = "SELECT pg_try_advisory_lock(%s, hashtext(%s))"
    return connection.execute(query, [_LOCK_CLASS, f"{source} slot {slot}"]).fetchone() == (True,)
