from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.market import limits
from include.market.symbols import Market
from include.market.ticks import round_up_to_tick, tick_size

bases = st.integers(1, 5_000_000)
sessions = st.dates(date(2013, 7, 1), date(2030, 1, 1))


@pytest.mark.parametrize(
    ("market", "session", "percent"),
    [
        (Market.KOSPI, date(1995, 4, 1), 6),
        (Market.KOSPI, date(1998, 12, 5), 12),
        (Market.KOSPI, date(2015, 6, 12), 15),
        (Market.KOSPI, date(2015, 6, 15), 30),
        (Market.KOSDAQ, date(2005, 3, 25), 12),
        (Market.KOSDAQ, date(2005, 3, 28), 15),
        (Market.KOSDAQ_GLOBAL, date(2024, 1, 2), 30),
        (Market.KONEX, date(2024, 1, 2), 15),
    ],
)
def test_percentage_by_date(market: Market, session: date, percent: int) -> None:
    assert limits.price_limit_percent(market, session) == percent


def test_before_percentages_nothing_is_guessed() -> None:
    with pytest.raises(limits.UnknownLimitError, match="1995-04-01"):
        limits.price_limit_percent(Market.KOSPI, date(1995, 3, 31))


@pytest.mark.parametrize(
    ("base", "expected"),
    [(9_980, limits.PriceRange(6_990, 12_970)), (9_940, limits.PriceRange(6_960, 12_900))],
)
def test_examples_of_the_exchange(base: int, expected: limits.PriceRange) -> None:
    """The exchange's pages: the tick above 10,000 is 10 in the first, 50 in the second."""
    session = date(2024, 1, 2) if base == 9_980 else date(2020, 1, 2)
    assert limits.limit_prices(base, Market.KOSDAQ, session) == expected


@given(bases, st.sampled_from(Market), sessions)
def test_limits_lie_on_the_grid_around_the_base(base: int, market: Market, session: date) -> None:
    base = round_up_to_tick(base, market, session)
    allowed = limits.limit_prices(base, market, session)
    percent = limits.price_limit_percent(market, session)
    assert 0 < allowed.lower <= base < allowed.upper
    for price in (allowed.lower, allowed.upper):
        assert price % tick_size(price, market, session) == 0
        assert abs(price - base) * 100 <= max(base * percent, 100 * tick_size(base, market, session))


@pytest.mark.samples
@pytest.mark.parametrize("year", [2022, 2024])
def test_recorded_limit_closes_lie_on_the_limits(marcap_rows: dict[int, pa.Table], year: int) -> None:
    """Rows the exchange marked as upper (4) or lower (5) limit, first days of IPOs apart."""
    rows = marcap_rows[year]
    checked = 0
    for row in rows.filter(pa.array(np.isin(rows["ChangeCode"].to_numpy(), [4, 5]))).to_pylist():
        base = int(row["Close"] - row["Changes"])
        market = Market(row["Market"])
        allowed = limits.limit_prices(base, market, row["Date"])
        if row["ChagesRatio"] == 300.0:
            allowed = limits.first_day_limits(base, market, row["Date"])
        expected = allowed.upper if row["ChangeCode"] == 4 else allowed.lower
        assert int(row["Close"]) == expected, row
        checked += 1
    assert checked == {2022: 212, 2024: 324}[year]


def test_first_day_since_june_2023() -> None:
    first = limits.FIRST_DAY_RULE_FROM
    assert limits.first_day_limits(7_300, Market.KOSDAQ, first) == limits.PriceRange(4_380, 29_200)
    for market, session in ((Market.KOSDAQ, first - timedelta(days=1)), (Market.KONEX, first)):
        with pytest.raises(limits.UnknownLimitError, match="offer price"):
            limits.first_day_limits(7_300, market, session)


def test_opening_range_before_june_2023() -> None:
    """LG Energy Solution, 2022-01-27: offered at 300,000, opened at 597,000, which became its base."""
    allowed = limits.first_day_opening_range(300_000, Market.KOSPI, date(2022, 1, 27))
    assert allowed == limits.PriceRange(270_000, 600_000)
    assert allowed.lower <= 597_000 <= allowed.upper
