"""The fluctuation code (등락구분) where a source publishes the change and not the code.

Against recorded whole-market days of early 2022 and 2024, which publish it, one code of 161,746 differs: an issue
in liquidation trading, which has no limit, closed on the price that would have been its lower one.
"""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import NDArray

from include.market.limits import FIRST_DAY_RULE_FROM, UnknownLimitError, limit_price_arrays
from include.market.symbols import Market
from include.market.ticks import round_down_to_ticks

NONE, UP, DOWN, FLAT, UPPER_LIMIT, LOWER_LIMIT = range(6)

_FIRST_DAY_UPPER = 4  # a first day's upper limit is 400% of the offer price, which is its base


def fluctuation_codes(
    close: NDArray[np.int64],
    change: NDArray[np.int64],
    untraded: NDArray[np.bool_],
    market: Market,
    session: date,
) -> NDArray[np.int16]:
    """The code of each row of one market and session; prices in won, ``untraded`` where open is 0."""
    base = close - change
    codes = np.select([change > 0, change < 0, ~untraded], [UP, DOWN, FLAT], NONE).astype(np.int16)
    known = base > 0
    try:
        lower, upper = limit_price_arrays(np.where(known, base, 1), market, session)
    except UnknownLimitError:
        return codes
    codes[known & (change > 0) & (close == upper)] = UPPER_LIMIT
    codes[known & (change < 0) & (close == lower)] = LOWER_LIMIT
    if session >= FIRST_DAY_RULE_FROM:
        first_day = round_down_to_ticks(base * _FIRST_DAY_UPPER, market, session)
        codes[known & (change > 0) & (close == first_day)] = UPPER_LIMIT
    return codes


def whole_market_codes(
    close: NDArray[np.int64],
    change: NDArray[np.int64],
    untraded: NDArray[np.bool_],
    segments: NDArray[np.str_],
    session: date,
) -> NDArray[np.int16]:
    """:func:`fluctuation_codes` of rows of several markets; ``segments`` are the published names of their markets."""
    codes = np.zeros(len(close), np.int16)
    for market in Market:
        rows = segments == market.value
        codes[rows] = fluctuation_codes(close[rows], change[rows], untraded[rows], market, session)
    return codes
