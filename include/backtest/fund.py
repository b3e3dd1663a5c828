"""A fund that follows all signals of a strategy: its returns session by session, with its positions at each close."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from include.backtest.market_bars import MARKETS, Flags, Floats, MarketBars, Rows


@dataclass(frozen=True)
class Cohorts:
    """Returns of the positions of each session's signals, summed by the session they are held.

    ``sums[k, market, day]`` is of the signals of ``day`` on ``market``, over the ``k``-th session after it, from 0 up
    to the horizon. ``counts[market, day]`` are the signals.
    """

    sums: Floats
    counts: NDArray[np.int64]

    def fund_returns(self, *, market: int | None = None, days: Flags | None = None) -> Floats:
        """Returns by session of a fund that puts an equal part of itself into each session's signals.

        The fund has as many parts as the horizon has sessions. The signals of a session share its part equally; a part
        whose session has no signal is cash. From the first session a position is held to the last; empty where there is
        none. Only signals of ``market``, a place in ``MARKETS``, and of ``days``, flags by session, where these are
        given.
        """
        sums = self.sums.sum(axis=1) if market is None else self.sums[:, market]
        counts = self.counts.sum(axis=0) if market is None else self.counts[market]
        if days is not None:
            counts = np.where(days, counts, 0)
        signalled = np.flatnonzero(counts)
        if not len(signalled):
            return np.empty(0)
        horizon, length = sums.shape
        earned = np.zeros(length + horizon)
        means = np.zeros(length)
        for step in range(horizon):
            means[signalled] = sums[step, signalled] / counts[signalled]
            earned[1 + step : 1 + step + length] += means / horizon
        return earned[signalled[0] + 1 : signalled[-1] + horizon + 1]


def cohorts(
    bars: MarketBars,
    *,
    entries: Rows,
    exits: Rows,
    entry_growth: Floats,
    sale: Floats | float,
    signal_day: NDArray[np.int32],
    market: NDArray[np.int8],
    horizon: int,
    sign: int,
) -> Cohorts:
    """The cohorts of positions held from ``entries`` to ``exits``, rows of ``bars``.

    ``entry_growth`` is the first close over the price paid, costs included; ``sale`` the share of the amount a sale
    costs; ``sign`` 1 for a purchase, -1 for what a sale spares. The growths of a position multiply to its result; what
    came after the horizon, where it could not be sold in time, counts on its last session.
    """
    length = len(bars.sessions)
    key = market.astype(np.int64) * length + signal_day
    size = len(MARKETS) * length
    kept = 1 - sale
    due = np.minimum(entries + horizon - 1, exits)
    late = bars.adjusted_close[exits] / bars.adjusted_close[due]
    sums = np.empty((horizon, size))
    for step in range(horizon):
        rows = np.minimum(entries + step, due)
        growth = entry_growth if step == 0 else 1 + bars.close_returns[rows]
        growth = np.where(entries + step == due, growth * late * kept, growth)
        growth = np.where(entries + step <= due, growth, 1.0)
        sums[step] = np.bincount(key, sign * (growth - 1), size)
    shape = len(MARKETS), length
    return Cohorts(sums.reshape(horizon, *shape), np.bincount(key, minlength=size).reshape(shape))
