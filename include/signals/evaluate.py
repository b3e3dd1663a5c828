"""Strategies over a history: which rows are signals, and how strong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from include.indicators.windows import Floats
from include.signals.history import History, LookAheadError, Rows
from include.signals.strategy import Strategy

# Rows taken at once, more where one symbol has more: the columns in use stay in the processor's cache.
_ROWS_AT_ONCE = 24_576
# Sessions a history is cut off at to see whether signals before them change.
_CUTS = 6


@dataclass(frozen=True)
class Hits:
    """The signals of one strategy: rows of the history in order, and the strength of each, 0 to 100."""

    strategy: Strategy
    rows: Rows
    strengths: Floats


def evaluate(history: History, strategies: Sequence[Strategy]) -> list[Hits]:
    """The signals of each of ``strategies`` on all rows of ``history``, in the order given.

    Of a symbol whose earlier sessions are left out, rows with fewer than ``memory`` sessions before them may lack
    signals, or have others.

    Raises:
        StrategyError: a strategy has no strength where its condition holds.
        UnknownColumnError: ``history`` lacks a column.
    """
    rows: list[list[Rows]] = [[] for _ in strategies]
    strengths: list[list[Floats]] = [[] for _ in strategies]
    with np.errstate(divide="ignore", invalid="ignore"):
        for first, block in history.blocks(_ROWS_AT_ONCE):
            for place, strategy in enumerate(strategies):
                found = np.flatnonzero(strategy.condition(block))
                if found.size:
                    rows[place].append(first + found)
                    strengths[place].append(strategy.strengths(block, found))
    return [
        Hits(strategy, np.concatenate((np.empty(0, np.intp), *found)), np.concatenate((np.empty(0), *strong)))
        for strategy, found, strong in zip(strategies, rows, strengths, strict=True)
    ]


def check_no_look_ahead(strategy: Strategy, history: History) -> None:
    """See that signals of ``history`` are the same, and as strong, when it ends earlier.

    The history is cut off at a few sessions, at some of which there are signals.

    Raises:
        LookAheadError: they are not; the message names the strategy and the session.
    """
    if not len(history):
        return
    [whole] = evaluate(history, [strategy])
    for session in _cuts(history, whole.rows):
        known = history.sessions <= session
        [cut] = evaluate(history.only(known), [strategy])
        then = known[whole.rows]
        same = np.array_equal(np.flatnonzero(known)[cut.rows], whole.rows[then])
        if not same or not np.array_equal(cut.strengths, whole.strengths[then]):
            raise LookAheadError(
                f"strategy {strategy.name!r} looks ahead: its signals up to {session} are others when the sessions "
                "after it are not there. Look back with history.before, highest and lowest"
            )


def _cuts(history: History, signals: Rows) -> list[np.datetime64]:
    """Sessions spread over the history, and over its signals."""
    spread = np.sort(history.sessions)
    places = np.linspace(0, 1, _CUTS + 2)[1:-1]
    cuts = {spread[int(place * (len(spread) - 1))] for place in places}
    if len(signals):
        cuts |= {history.sessions[signals[int(place * (len(signals) - 1))]] for place in places}
    return sorted(cuts)
