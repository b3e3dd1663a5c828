"""Histories: of made-up markets, and of a few values written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from include.indicators.compute import compute
from include.indicators.panel import Panel
from include.signals.history import HISTORY_COLUMNS, History
from tests.indicators.markets import market

FIRST_DAY = np.datetime64("2024-01-01")


def of_panel(panel: Panel, seed: int = 0) -> History:
    """The history of a panel, which opens somewhere in its range."""
    share = np.random.default_rng(seed).random(len(panel.sessions))
    return History.of(panel, panel.low + (panel.high - panel.low) * share, compute(panel))


@cache
def simulated(seed: int = 3, symbols: int = 40, sessions: int = 750, *, halts: bool = True) -> History:
    """Three years of a made-up market, with symbols whose prices hardly move and some that move to the limit."""
    return of_panel(market(seed, (sessions,) * symbols, halts=halts, still=0.02))


def of_values(**columns: Sequence[float]) -> History:
    """One symbol with these columns and no value in the others; a close of 100 unless given."""
    count = len(next(iter(columns.values())))
    values = {name: np.full(count, np.nan) for name in HISTORY_COLUMNS}
    values["close"] = np.full(count, 100.0)
    values |= {name: np.array(column, np.float64) for name, column in columns.items()}
    return History(np.array(["005930"], object), np.array([0, count]), FIRST_DAY + np.arange(count), values)


def last_rows(history: History, count: int) -> NDArray[np.bool_]:
    """Which rows are among the last so many of their symbol."""
    ends = np.repeat(history.offsets[1:], np.diff(history.offsets))
    return np.arange(len(history)) >= ends - count
