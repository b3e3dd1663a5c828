"""Daily price limits (가격제한폭), in won from the base price.

Percentages: KRX, "Historical Changes in Daily Price Limits"
(global.krx.co.kr/contents/GLB/06/0602/0602010201/GLB0602010201T5.jsp); KOSDAQ's dates from press reports of
each change. Amounts: the same page and GLB0602020202T2.jsp (the amount, then the limit price, each
truncated to the tick at its own price level). First day: GLB0602020202T4.jsp.

Not modelled: liquidation trading has no limit, leveraged products have a multiple of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from include.market.symbols import Market
from include.market.ticks import (
    etp_tick_table,
    round_down_to_tick,
    round_down_to_ticks,
    round_up_to_tick,
    tick_sizes,
)

FIRST_DAY_RULE_FROM = date(2023, 6, 26)
_KOSDAQ_LIMITS = (
    (date(1996, 11, 25), 8),
    (date(1998, 5, 25), 12),
    (date(2005, 3, 28), 15),
    (date(2015, 6, 15), 30),
)
_PERCENTAGES: dict[Market, tuple[tuple[date, int], ...]] = {
    Market.KOSPI: (
        (date(1995, 4, 1), 6),
        (date(1996, 11, 25), 8),
        (date(1998, 3, 2), 12),
        (date(1998, 12, 7), 15),
        (date(2015, 6, 15), 30),
    ),
    Market.KOSDAQ: _KOSDAQ_LIMITS,
    Market.KOSDAQ_GLOBAL: _KOSDAQ_LIMITS,
    Market.KONEX: ((date(2013, 7, 1), 15),),
}


class UnknownLimitError(ValueError):
    """No limit as a percentage is known for the market on the day."""


@dataclass(frozen=True)
class PriceRange:
    """The lowest and highest price allowed, in won, both included."""

    lower: int
    upper: int


def price_limit_percent(market: Market, session: date) -> int:
    """How far a price may move from its base, in percent.

    Raises:
        UnknownLimitError: before the market had a percentage limit (KOSPI 1995-04-01, KOSDAQ 1996-11-25,
            KONEX 2013-07-01).
    """
    in_force = [percent for start, percent in _PERCENTAGES[market] if start <= session]
    if not in_force:
        start = _PERCENTAGES[market][0][0]
        raise UnknownLimitError(f"no price limit of {market.value} is known for {session}: it starts {start}")
    return in_force[-1]


def limit_prices(base: int, market: Market, session: date) -> PriceRange:
    """The price limits around ``base``.

    Raises:
        UnknownLimitError: see :func:`price_limit_percent`.
    """
    lower, upper = limit_price_arrays(np.array([base], np.int64), market, session)
    return PriceRange(lower=int(lower[0]), upper=int(upper[0]))


def limit_price_arrays(
    bases: NDArray[np.int64], market: Market, session: date
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The lower and the upper limit around each of ``bases`` (won, int64, positive); same shapes.

    The amount is base x percentage, truncated to the tick at the base and at least one tick; base plus and
    minus the amount are truncated to the tick at the price reached; the lower limit is at least one tick.

    Raises:
        UnknownLimitError: see :func:`price_limit_percent`.
    """
    base_ticks = tick_sizes(bases, market, session)
    amounts = bases * price_limit_percent(market, session) // 100
    amounts = np.maximum(amounts - amounts % base_ticks, base_ticks)
    upper = round_down_to_ticks(bases + amounts, market, session)
    lower = round_down_to_ticks(np.maximum(bases - amounts, 0), market, session)
    return np.maximum(lower, tick_sizes(lower, market, session)), upper


def etp_limit_price_arrays(bases: NDArray[np.int64], session: date) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """As :func:`limit_price_arrays` of ETFs and ETNs, which trade on KOSPI and have ticks of their own.

    Raises:
        UnknownLimitError: see :func:`price_limit_percent`.
    """
    table = etp_tick_table(session)
    amounts = bases * price_limit_percent(Market.KOSPI, session) // 100
    lower, upper = bases - amounts, bases + amounts
    return lower - lower % table.tick_array(lower), upper - upper % table.tick_array(upper)


def etp_limit_prices(base: int, session: date) -> PriceRange:
    """As :func:`limit_prices` of ETFs and ETNs.

    Raises:
        UnknownLimitError: see :func:`price_limit_percent`.
    """
    lower, upper = etp_limit_price_arrays(np.array([base], np.int64), session)
    return PriceRange(lower=int(lower[0]), upper=int(upper[0]))


def first_day_opening_range(offer_price: int, market: Market, session: date) -> PriceRange:
    """Where an IPO's opening auction may settle before 2023-06-26: 90%-200% of the offer price.

    The price it settles at becomes the day's base, with the market's ordinary limits around it.
    """
    return PriceRange(
        lower=round_up_to_tick(-(-offer_price * 90 // 100), market, session),
        upper=round_down_to_tick(offer_price * 2, market, session),
    )


def first_day_limits(offer_price: int, market: Market, session: date) -> PriceRange:
    """An IPO's limits on its first day since 2023-06-26: 60%-400% of the offer price, which is the base.

    Raises:
        UnknownLimitError: before 2023-06-26, or on KONEX, where the opening auction sets the base.
    """
    if session < FIRST_DAY_RULE_FROM or market is Market.KONEX:
        raise UnknownLimitError(
            f"the offer price is not the base of a first day on {market.value} on {session}: "
            f"see first_day_opening_range and limit_prices"
        )
    return PriceRange(
        lower=round_up_to_tick(-(-offer_price * 60 // 100), market, session),
        upper=round_down_to_tick(offer_price * 4, market, session),
    )
