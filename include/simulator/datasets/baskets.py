"""The stocks that funds hold, one creation unit each, through corporate actions, delistings and rebalancing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from include.simulator.datasets.stocks import Stocks
from include.simulator.exchange.randomness import Stream, bits, draw

CREATION_UNIT = 50_000
PLACES = 40
EMPTY = -1
_FEWEST = 10
_INVESTED_PERCENT = 97
_SESSIONS_BETWEEN_REBALANCING = 5
# A base this much off (one part in so many) is an action's; less is rounding.
_ACTION = 64

Matrix = NDArray[np.int64]


@dataclass(frozen=True)
class Baskets:
    """One row per fund. ``stock`` has the stocks' numbers (:data:`EMPTY`: no position); ``close`` their last close.

    ``cash`` is in won. A place keeps its stock until that is sold or delisted.
    """

    stock: Matrix
    shares: Matrix
    close: Matrix
    cash: NDArray[np.int64]

    @staticmethod
    def empty(funds: int) -> Baskets:
        """No positions and no cash."""
        blank = np.zeros((funds, PLACES), np.int64)
        return Baskets(np.full_like(blank, EMPTY), blank, blank.copy(), np.zeros(funds, np.int64))

    @property
    def value(self) -> NDArray[np.int64]:
        """Won in one creation unit of each fund."""
        worth: NDArray[np.int64] = (self.shares * self.close).sum(axis=1) + self.cash
        return worth

    def at_base_prices(self, stocks: Stocks) -> Baskets:
        """The baskets as the session of ``stocks`` opens: what is delisted sold, actions followed."""
        rows = np.minimum(np.searchsorted(stocks.number, self.stock), len(stocks.number) - 1)
        listed = (self.stock != EMPTY) & (stocks.number[rows] == self.stock)
        base = np.where(listed, stocks.figures("base_price")[rows], 0)
        acted = listed & (np.abs(base - self.close) * _ACTION > self.close)
        shares = np.where(acted, self.shares * self.close // np.maximum(base, 1), self.shares)
        kept = listed & (shares > 0)
        shares = np.where(kept, shares, 0)
        # What a changed price or count takes from a position is paid out; what rounding adds is a gain.
        settled = np.where(acted | ~kept, self.shares * self.close - shares * base, 0).sum(axis=1)
        return Baskets(np.where(kept, self.stock, EMPTY), shares, np.where(kept, base, 0), self.cash + settled)

    def at_close(self, stocks: Stocks) -> Baskets:
        """The baskets as the session of ``stocks`` ends."""
        rows = np.minimum(np.searchsorted(stocks.number, self.stock), len(stocks.number) - 1)
        close = np.where(self.stock == EMPTY, 0, stocks.figures("close")[rows])
        return Baskets(self.stock, self.shares, close, self.cash)


class Manager:
    """Buys and sells for the funds of one session, at base prices, in place: give it copies."""

    def __init__(self, seed: int, ordinal: int, stocks: Stocks, baskets: Baskets) -> None:
        self._ordinal = ordinal
        self._stocks = stocks
        self._base = stocks.figures("base_price")
        self._words = draw(seed, Stream.BASKET, ordinal, len(baskets.cash))
        self._seed = seed
        self.baskets = Baskets(baskets.stock.copy(), baskets.shares.copy(), baskets.close.copy(), baskets.cash.copy())

    def found(self, fund: int, pool: NDArray[np.intp], value: int) -> None:
        """Give ``fund`` its first basket, worth ``value``, of stocks from ``pool`` (rows, the largest first)."""
        baskets = self.baskets
        count = min(_FEWEST + int(bits(self._words[fund : fund + 1], 0, 16)[0]) % (PLACES - _FEWEST + 1), len(pool))
        luck = draw(self._seed, Stream.BASKET, self._ordinal << 16 | fund + 1, 2 * count)[: len(pool)]
        picked = pool[np.sort(np.argsort(luck, kind="stable")[:count])]
        weights = 2 * count - np.arange(count)
        budget = value * _INVESTED_PERCENT // 100
        baskets.stock[fund], baskets.shares[fund], baskets.close[fund] = EMPTY, 0, 0
        baskets.stock[fund, :count] = self._stocks.number[picked]
        baskets.close[fund, :count] = self._base[picked]
        baskets.shares[fund, :count] = np.maximum(budget * weights // weights.sum() // self._base[picked], 1)
        baskets.cash[fund] = value - (baskets.shares[fund] * baskets.close[fund]).sum()

    def rebalance(self, fund: int, pool: NDArray[np.intp]) -> None:
        """Weigh one position anew, and now and then sell the smallest for another stock of ``pool``.

        A fund trades every fifth session.
        """
        if (self._ordinal + fund) % _SESSIONS_BETWEEN_REBALANCING:
            return
        word = self._words[fund : fund + 1]
        held = np.flatnonzero(self.baskets.stock[fund] != EMPTY)
        if len(held) == 0:
            return
        if int(bits(word, 0, 8)[0]) < 96:
            self._replace_smallest(fund, pool, held, int(bits(word, 8, 16)[0]))
        place = held[int(bits(word, 24, 16)[0]) % len(held)]
        self._reweigh(fund, int(place), 90 + int(bits(word, 40, 16)[0]) % 21)

    def _replace_smallest(self, fund: int, pool: NDArray[np.intp], held: NDArray[np.intp], luck: int) -> None:
        baskets = self.baskets
        candidates = pool[: 2 * PLACES]
        candidates = candidates[~np.isin(self._stocks.number[candidates], baskets.stock[fund])]
        if len(candidates) == 0:
            return
        bought = candidates[luck % len(candidates)]
        worth = baskets.shares[fund] * baskets.close[fund]
        place = held[np.argmin(worth[held])]
        shares = max(int(worth[place]) // int(self._base[bought]), 1)
        baskets.cash[fund] += worth[place] - shares * self._base[bought]
        baskets.stock[fund, place], baskets.shares[fund, place] = self._stocks.number[bought], shares
        baskets.close[fund, place] = self._base[bought]

    def _reweigh(self, fund: int, place: int, percent: int) -> None:
        """Change a position to so many percent of itself, or the largest one to keep cash between 0.5% and 5%."""
        baskets = self.baskets
        worth = baskets.shares[fund] * baskets.close[fund]
        total = int(worth.sum() + baskets.cash[fund])
        if not total // 200 <= baskets.cash[fund] <= total // 20:
            place = int(np.argmax(worth))
            wanted = int(worth[place]) + int(baskets.cash[fund]) - total // 50
        else:
            wanted = int(worth[place]) * percent // 100
        before, price = int(baskets.shares[fund, place]), int(baskets.close[fund, place])
        shares = max(wanted // price, 1)
        baskets.shares[fund, place] = shares
        baskets.cash[fund] -= (shares - before) * price
