"""States that follow from one another session by session, to be had for any session."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

State = TypeVar("State")

_KEPT_EVERY = 64
_RECENT = 80


class Chain(Generic[State]):
    """``advance(before, ordinal)`` makes the state of session ``ordinal`` from that of the session before.

    ``before`` is None for the first (0); ``advance`` changes nothing in place. One state in 64 is kept and so are
    recent ones: any session costs at most 64 steps.
    """

    def __init__(self, advance: Callable[[State | None, int], State]) -> None:
        self._advance = advance
        self._kept: dict[int, State] = {}
        self._recent: OrderedDict[int, State] = OrderedDict()

    def at(self, ordinal: int) -> State:
        """The state of session ``ordinal``."""
        start = ordinal
        while start >= 0 and not self._knows(start):
            start -= 1
        state = self._known(start) if start >= 0 else None
        for step in range(start + 1, ordinal + 1):
            state = self._remember(step, self._advance(state, step))
        if state is None:
            raise IndexError(f"expected the ordinal of a session, from 0, got {ordinal}")
        return state

    def _knows(self, ordinal: int) -> bool:
        return ordinal in self._recent or ordinal in self._kept

    def _known(self, ordinal: int) -> State:
        if ordinal in self._recent:
            self._recent.move_to_end(ordinal)
            return self._recent[ordinal]
        return self._kept[ordinal]

    def _remember(self, ordinal: int, state: State) -> State:
        if ordinal % _KEPT_EVERY == 0:
            self._kept[ordinal] = state
        self._recent[ordinal] = state
        if len(self._recent) > _RECENT:
            self._recent.popitem(last=False)
        return state
