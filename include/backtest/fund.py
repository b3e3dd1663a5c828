"""A fund that follows all signals of a strategy: its returns session by session, with its positions at each close."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from include.backtest.market_bars import MARKETS, Flags, Floats, MarketBars, Rows

# Their returns over sixty sessions stay in the processor's cache.
_POSITIONS_AT_ONCE = 4_096


@dataclass(frozen=True)
class Cohorts:
    """Returns of the positions of each session's signals, summed by the session they are held.

    ``sums[market, day, k]`` is of the signals of ``day`` on ``market``, ``k`` rows of the issue after the entry: from 0
    to one less than the horizon. ``counts[market, day]`` are the signals.
    """

    sums: Floats
    counts: NDArray[np.int64]

    @cached_property
    def _of_all_markets(self) -> tuple[Floats, NDArray[np.int64]]:
        return self.sums.sum(axis=0), self.counts.sum(axis=0)

    def fund_returns(self, *, market: int | None = None, days: Flags | None = None) -> Floats:
        """Returns by session of a fund that puts an equal part of itself into each session's signals.

        The fund has as many parts as the horizon has sessions. The signals of a session share its part equally; a part
        whose session has no signal is cash. From the first session a position is held to the last; empty where there is
        none. Only signals of ``market``, a place in ``MARKETS``, and of ``days``, flags by session, where these are
        given.
        """
        sums, counts = self._of_all_markets if market is None else (self.sums[market], self.counts[market])
        signalled = np.flatnonzero(counts if days is None else counts * days)
        if not len(signalled):
            return np.empty(0)
        first, last, horizon = signalled[0], signalled[-1], sums.shape[1]
        shares = np.zeros((last - first + 1, horizon))
        shares[signalled - first] = sums[signalled] / counts[signalled, None] / horizon
        earned = np.zeros(len(shares) + horizon - 1)
        for step in range(horizon):
            earned[step : step + len(shares)] += shares[:, step]
        return earned


class Positions(NamedTuple):
    """Positions held from ``entries`` to ``exits``, rows of the bars, by signals of ``signal_day`` on ``market``.

    ``entry_growth`` is the first close over the price paid, costs included; ``sale`` the share of the amount a sale
    costs.
    """

    entries: Rows
    exits: Rows
    entry_growth: Floats
    sale: Floats
    signal_day: NDArray[np.int32]
    market: NDArray[np.int8]


class CohortSums:
    """Adds up cohorts, some positions at a time.

    Positions are held ``horizon`` sessions at most; ``sign`` is 1 for a purchase, -1 for what a sale spares.
    """

    def __init__(self, bars: MarketBars, horizon: int, sign: int) -> None:
        self._bars = bars
        self._sign = sign
        self._shape = len(MARKETS), len(bars.sessions)
        self._windows = sliding_window_view(bars.close_returns, horizon)
        self._sums = np.zeros((self._shape[0] * self._shape[1], horizon))
        self._counts = np.zeros(len(self._sums), np.int64)

    def add(self, positions: Positions) -> None:
        """Add ``positions``.

        The growths of each multiply to its result; what came after the horizon, where it could not be sold in time,
        counts on its last session.
        """
        entries, exits, entry_growth, sale, signal_day, market = positions
        cohort = market.astype(np.int64) * self._shape[1] + signal_day
        sessions_on = np.minimum(self._sums.shape[1] - 1, exits - entries)
        closes = self._bars.adjusted_close
        sold_for = closes[exits] / closes[entries + sessions_on] * (1 - sale)
        # The narrower the type, the faster it is sorted.
        order = np.argsort(cohort.astype(np.min_scalar_type(len(self._sums))), kind="stable")
        for first in range(0, len(order), _POSITIONS_AT_ONCE):
            chosen = order[first : first + _POSITIONS_AT_ONCE]
            returns = self._returns(entries[chosen], sessions_on[chosen], entry_growth[chosen], sold_for[chosen])
            starts = np.flatnonzero(np.diff(cohort[chosen], prepend=-1))
            self._sums[cohort[chosen[starts]]] += np.add.reduceat(returns, starts)
        self._counts += np.bincount(cohort, minlength=len(self._counts))

    def _returns(self, entries: Rows, sessions_on: Rows, entry_growth: Floats, sold_for: Floats) -> Floats:
        """Returns of each position by session; 0 after the last on which it is held."""
        returns: Floats = self._windows[entries]
        returns[:, 0] = entry_growth - 1
        horizon = returns.shape[1]
        early = np.flatnonzero(sessions_on < horizon - 1)
        ends = early, sessions_on[early]
        last = (1 + returns[ends]) * sold_for[early] - 1
        returns[:, -1] = (1 + returns[:, -1]) * sold_for - 1
        returns[ends] = last
        returns[early] *= np.arange(horizon) <= sessions_on[early, None]
        return returns

    def cohorts(self) -> Cohorts:
        """Of all positions added."""
        sums = self._sign * self._sums.reshape(*self._shape, -1)
        return Cohorts(sums, self._counts.reshape(self._shape))
