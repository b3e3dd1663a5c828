"""Strategies over a history: which rows are signals, and how strong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from include.indicators.windows import Flags, Floats
from include.signals.history import History, Rows
from include.signals.strategy import Strategy

# Rows taken at once, more where one symbol has more: the columns in use stay in the processor's cache.
_ROWS_AT_ONCE = 24_576


@dataclass(frozen=True)
class Hits:
    """The signals of one strategy: rows of the history in order, and the strength of each, 0 to 100."""

    strategy: Strategy
    rows: Rows
    strengths: Floats


def evaluate(history: History, strategies: Sequence[Strategy], among: Flags | None = None) -> list[Hits]:
    """The signals of each of ``strategies`` on all rows of ``history``, or ``among`` some, in the order given.

    Of a symbol whose earlier sessions are left out, rows with fewer than ``memory`` sessions before them may lack
    signals, or have others, or some without a strength: leave these rows out.

    Raises:
        StrategyError: a strategy has no strength where its condition holds.
        UnknownColumnError: ``history`` lacks a column.
    """
    rows: list[list[Rows]] = [[] for _ in strategies]
    strengths: list[list[Floats]] = [[] for _ in strategies]
    with np.errstate(divide="ignore", invalid="ignore"):
        for first, block in history.blocks(_ROWS_AT_ONCE):
            for place, strategy in enumerate(strategies):
                holds = strategy.condition(block)
                if among is not None:
                    holds = holds & among[first : first + len(block)]
                found = np.flatnonzero(holds)
                if found.size:
                    rows[place].append(first + found)
                    strengths[place].append(strategy.strengths(block, found))
    return [
        Hits(strategy, np.concatenate((np.empty(0, np.intp), *found)), np.concatenate((np.empty(0), *strong)))
        for strategy, found, strong in zip(strategies, rows, strengths, strict=True)
    ]
