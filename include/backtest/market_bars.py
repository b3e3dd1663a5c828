"""Every daily bar of every issue that was ever listed, as arrays: what a backtest trades on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from include.market.limits import (
    UnknownLimitError,
    etp_limit_price_arrays,
    limit_price_arrays,
    price_limit_percent,
)
from include.market.symbols import Market

Won = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Rows = NDArray[np.int64]

MARKETS = tuple(Market)
# Sessions a position is held at most.
LONGEST_HORIZON = 60
# Ticks take less than half of the way to a limit: only prices beyond that are compared with the limit itself.
_NEAR_LIMIT = 0.5


@dataclass(frozen=True)
class MarketBars:
    """Raw bars by symbol, and by session within a symbol, delisted issues included.

    The bars of ``symbols[i]`` are the rows from ``offsets[i]`` to ``offsets[i + 1]``. ``day`` is the place of a row's
    session in ``sessions``, the exchange's sessions in order, from the first bar to the last. Prices in won; ``open``
    is 0 on a session the issue did not trade, whose close is carried. ``price_factor`` and ``volume_factor`` are what
    the issue's raw prices and volumes are multiplied by for corporate actions. ``market`` is a place in ``MARKETS``,
    ``taxed`` whether a sale is taxed (shares are, ETFs and ETNs are not). ``index_open`` and ``index_close`` are of the
    index an issue is measured against, by ``index`` of the row and day (points; NaN where not published). ``gone`` says
    by symbol whether it left the market; one that is not, and has no bar on the last sessions, is waited for.
    """

    symbols: NDArray[np.object_]
    offsets: NDArray[np.int64]
    sessions: NDArray[np.datetime64]
    day: NDArray[np.int32]
    open: Won
    high: Won
    low: Won
    close: Won
    base_price: Won
    volume: Won
    price_factor: Floats
    volume_factor: Floats
    market: NDArray[np.int8]
    taxed: Flags
    index: NDArray[np.int8]
    index_open: Floats
    index_close: Floats
    gone: Flags

    def __len__(self) -> int:
        return len(self.day)

    @cached_property
    def traded(self) -> Flags:
        """Whether the issue traded in the session."""
        return self.open > 0

    @cached_property
    def symbol_end(self) -> NDArray[np.int64]:
        """Of each row, the place after its symbol's last row."""
        return np.repeat(self.offsets[1:], np.diff(self.offsets))

    @cached_property
    def is_gone(self) -> Flags:
        """Of each row, whether its symbol left the market."""
        return np.repeat(self.gone, np.diff(self.offsets))

    @cached_property
    def adjusted_close(self) -> Floats:
        """By row (won)."""
        return self.close * self.price_factor

    @cached_property
    def close_returns(self) -> Floats:
        """Adjusted close over that of the row before, less one; 0 on a symbol's first row.

        After the last row as many zeros as a position may have sessions.
        """
        returns = np.zeros(len(self) + LONGEST_HORIZON)
        returns[1 : len(self)] = self.adjusted_close[1:] / self.adjusted_close[:-1] - 1
        returns[self.offsets[:-1]] = 0
        return returns

    @cached_property
    def opens_at_upper_limit(self) -> Flags:
        """Whether the first price is the highest allowed: there is nobody to buy from."""
        return self._at_limit(self.open, upper=True)

    @cached_property
    def opens_at_lower_limit(self) -> Flags:
        """Whether the first price is the lowest allowed: there is nobody to sell to."""
        return self._at_limit(self.open, upper=False)

    @cached_property
    def closes_at_lower_limit(self) -> Flags:
        """Whether the last price is the lowest allowed."""
        return self._at_limit(self.close, upper=False)

    @cached_property
    def next_traded(self) -> Rows:
        """From each row on, the first one with trading, of whatever symbol; as many as there are rows if none is."""
        return _next_true(self.traded)

    @cached_property
    def next_sellable(self) -> Rows:
        """As :attr:`next_traded`, of rows that do not close at the lower limit either."""
        return _next_true(self.traded & ~self.closes_at_lower_limit)

    @cached_property
    def last_traded(self) -> Rows:
        """Up to each row, the last one with trading, of whatever symbol."""
        return np.maximum.accumulate(np.where(self.traded, np.arange(len(self)), 0))

    def _at_limit(self, prices: Won, *, upper: bool) -> Flags:
        """Where ``prices`` of traded rows are at the limit or beyond; false where no limit is known for the day."""
        found = np.zeros(len(self), np.bool_)
        moved = (prices - self.base_price) * (1 if upper else -1)
        near = self.traded & (moved > 0)
        for place, market in enumerate(MARKETS):
            percent = _limit_percents(market, self.sessions)
            for is_share in (True, False):
                rows = np.flatnonzero(near & (self.market == place) & (self.taxed == is_share))
                rows = rows[100 * moved[rows] >= _NEAR_LIMIT * percent[self.day[rows]] * self.base_price[rows]]
                rows = rows[np.argsort(self.day[rows], kind="stable")]
                for of_day in np.split(rows, np.flatnonzero(np.diff(self.day[rows])) + 1):
                    if len(of_day):
                        session, bases = self.sessions[self.day[of_day[0]]].item(), self.base_price[of_day]
                        limits = (
                            limit_price_arrays(bases, market, session)
                            if is_share
                            else etp_limit_price_arrays(bases, session)
                        )
                        found[of_day] = prices[of_day] >= limits[1] if upper else prices[of_day] <= limits[0]
        return found


def _next_true(flags: Flags) -> Rows:
    places = np.where(flags, np.arange(len(flags)), len(flags))
    return np.append(np.minimum.accumulate(places[::-1])[::-1], len(flags))


def _limit_percents(market: Market, sessions: NDArray[np.datetime64]) -> Floats:
    """By session; infinite where none is known."""
    percents = np.full(len(sessions), np.inf)
    for place, session in enumerate(sessions.tolist()):
        try:
            percents[place] = price_limit_percent(market, session)
        except UnknownLimitError:
            continue
    return percents
