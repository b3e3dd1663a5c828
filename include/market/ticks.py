"""Tick sizes (호가가격단위): the grid a limit order's price lies on, in won.

Two tables. Since 2023-01-25 one table holds for all markets; before it KOSDAQ and KONEX had no tick above
100 won. Source: KRX business regulations of the KOSPI, KOSDAQ and KONEX markets; in recorded whole-market
days of early 2022 and 2024 every close of a regular order lies on its table. The older table is used for
every earlier session; its validity before 2010-10 has not been checked.

A tick depends on the price it is asked for: a table's band includes its lower end and excludes its upper.

ETFs and ETNs have a table of their own: 5 won, and 1 won below 2,000 since December 2023 (announced 2023-10-05 for
2023-12-18 by Mediapen, for 12-08 by Etoday: the later date is used, on whose grid prices are on either).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from include.market.symbols import Market

UNIFIED_TABLE_FROM = date(2023, 1, 25)
ETP_TABLE_FROM = date(2023, 12, 18)


@dataclass(frozen=True)
class TickTable:
    """``ticks[i]`` holds from ``bounds[i - 1]`` (included) to ``bounds[i]`` (excluded), in won."""

    bounds: tuple[int, ...]
    ticks: tuple[int, ...]

    def tick(self, price: int) -> int:
        """The tick at ``price`` won, which is not negative."""
        return self.ticks[bisect_right(self.bounds, price)]

    def tick_array(self, prices: NDArray[np.int64]) -> NDArray[np.int64]:
        """The tick at each of ``prices`` (won, int64, not negative); same shape."""
        positions = np.searchsorted(np.array(self.bounds, np.int64), prices, side="right")
        return np.array(self.ticks, np.int64)[positions]


_UNIFIED = TickTable((2_000, 5_000, 20_000, 50_000, 200_000, 500_000), (1, 5, 10, 50, 100, 500, 1_000))
_OLD_KOSPI = TickTable((1_000, 5_000, 10_000, 50_000, 100_000, 500_000), (1, 5, 10, 50, 100, 500, 1_000))
_OLD_KOSDAQ = TickTable((1_000, 5_000, 10_000, 50_000), (1, 5, 10, 50, 100))
_ETP = TickTable((2_000,), (1, 5))
_OLD_ETP = TickTable((), (5,))


def tick_table(market: Market, session: date) -> TickTable:
    """The table in force for ``market`` on ``session``."""
    if session >= UNIFIED_TABLE_FROM:
        return _UNIFIED
    return _OLD_KOSPI if market is Market.KOSPI else _OLD_KOSDAQ


def etp_tick_table(session: date) -> TickTable:
    """The table in force for ETFs and ETNs on ``session``."""
    return _ETP if session >= ETP_TABLE_FROM else _OLD_ETP


def tick_size(price: int, market: Market, session: date) -> int:
    """The tick at ``price`` won.

    Raises:
        ValueError: ``price`` is negative.
    """
    if price < 0:
        raise ValueError(f"expected a price of at least 0 won, got {price}")
    return tick_table(market, session).tick(price)


def round_down_to_tick(price: int, market: Market, session: date) -> int:
    """The highest price on the grid that is at most ``price``.

    Raises:
        ValueError: ``price`` is negative.
    """
    return price - price % tick_size(price, market, session)


def round_up_to_tick(price: int, market: Market, session: date) -> int:
    """The lowest price on the grid that is at least ``price``: how the exchange rounds base prices.

    Raises:
        ValueError: ``price`` is negative.
    """
    return price + -price % tick_size(price, market, session)


def tick_sizes(prices: NDArray[np.int64], market: Market, session: date) -> NDArray[np.int64]:
    """The tick at each of ``prices`` (won, int64, not negative); same shape."""
    return tick_table(market, session).tick_array(prices)


def round_down_to_ticks(prices: NDArray[np.int64], market: Market, session: date) -> NDArray[np.int64]:
    """:func:`round_down_to_tick` of each of ``prices``; same shape."""
    return prices - prices % tick_sizes(prices, market, session)


def round_up_to_ticks(prices: NDArray[np.int64], market: Market, session: date) -> NDArray[np.int64]:
    """:func:`round_up_to_tick` of each of ``prices``; same shape."""
    return prices + -prices % tick_sizes(prices, market, session)
