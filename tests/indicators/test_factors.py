"""Which rows the factors of corporate actions are of."""

from __future__ import annotations

from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from include.indicators.factors import Factor, adjusted_rows

SESSIONS = np.arange("2024-01-01", "2024-01-31", dtype="datetime64[D]")
SYMBOLS = np.array(["A", "B"], object)
DAYS = st.dates(date(2023, 12, 1), date(2024, 3, 1))


@given(st.sampled_from(("A", "B", "unknown")), DAYS, DAYS, st.integers(1, 29))
def test_they_are_of_their_symbol_and_their_days(symbol: str, first: date, last: date, count: int) -> None:
    days = np.concatenate((SESSIONS[:count], SESSIONS[-count:]))
    offsets = np.array([0, count, 2 * count])
    found = np.zeros(2 * count, bool)
    for rows, _ in adjusted_rows(SYMBOLS, offsets, days, [Factor(symbol, first, last, 0.5, 2.0)]):
        found[rows] = True
    of_symbol = np.repeat(symbol == SYMBOLS, count)
    expected = of_symbol & (days >= np.datetime64(first)) & (days <= np.datetime64(last))
    assert np.array_equal(found, expected)
