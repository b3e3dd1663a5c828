from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.market import ticks
from include.market.symbols import Market

prices = st.integers(0, 10_000_000)
markets = st.sampled_from(Market)
sessions = st.dates(date(1996, 1, 1), date(2030, 1, 1))
BEFORE = ticks.UNIFIED_TABLE_FROM - timedelta(days=1)


@pytest.mark.parametrize(
    ("price", "market", "session", "tick"),
    [
        (1_999, Market.KOSPI, ticks.UNIFIED_TABLE_FROM, 1),
        (1_999, Market.KOSPI, BEFORE, 5),
        (999, Market.KOSPI, BEFORE, 1),
        (10_000, Market.KOSDAQ, ticks.UNIFIED_TABLE_FROM, 10),
        (10_000, Market.KOSDAQ, BEFORE, 50),
        (50_000, Market.KONEX, BEFORE, 100),
        (600_000, Market.KOSDAQ, BEFORE, 100),
        (600_000, Market.KOSPI, BEFORE, 1_000),
        (499_999, Market.KOSDAQ_GLOBAL, ticks.UNIFIED_TABLE_FROM, 500),
        (500_000, Market.KOSDAQ_GLOBAL, ticks.UNIFIED_TABLE_FROM, 1_000),
    ],
)
def test_table(price: int, market: Market, session: date, tick: int) -> None:
    assert ticks.tick_size(price, market, session) == tick


@given(prices, markets, sessions)
def test_rounding_lands_on_the_nearest_prices_of_the_grid(price: int, market: Market, session: date) -> None:
    down = ticks.round_down_to_tick(price, market, session)
    up = ticks.round_up_to_tick(price, market, session)
    assert down <= price <= up
    assert up - down in {0, ticks.tick_size(price, market, session)}
    for rounded in (down, up):
        assert rounded % ticks.tick_size(rounded, market, session) == 0
        assert ticks.round_down_to_tick(rounded, market, session) == rounded
        assert ticks.round_up_to_tick(rounded, market, session) == rounded


@given(st.lists(prices, max_size=20), markets, sessions)
def test_vectorised_equals_scalar(values: list[int], market: Market, session: date) -> None:
    array = np.array(values, np.int64)
    for scalar, vectorised in (
        (ticks.tick_size, ticks.tick_sizes),
        (ticks.round_down_to_tick, ticks.round_down_to_ticks),
        (ticks.round_up_to_tick, ticks.round_up_to_ticks),
    ):
        assert vectorised(array, market, session).tolist() == [scalar(v, market, session) for v in values]


def test_negative_price_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 0"):
        ticks.tick_size(-1, Market.KOSPI, BEFORE)


def test_base_of_a_known_split_is_rounded_up() -> None:
    """Kakao 5:1: 558,000 / 5 = 111,600, published base 112,000."""
    assert ticks.round_up_to_tick(558_000 // 5, Market.KOSPI, date(2021, 4, 15)) == 112_000


@pytest.mark.samples
@pytest.mark.parametrize("year", [2022, 2024])
def test_recorded_prices_lie_on_the_grid(marcap_rows: dict[int, pa.Table], year: int) -> None:
    rows = marcap_rows[year]
    market_names = rows["Market"].to_numpy(zero_copy_only=False)
    # One table per market and year holds throughout both windows.
    session = date(year, 1, 15)
    for market in Market:
        of_market = rows.filter(pa.array(market_names == market.value))
        for column in ("Open", "High", "Low", "Close"):
            values = of_market[column].to_numpy().astype(np.int64)
            off = values % ticks.tick_sizes(values, market, session) != 0
            assert off.sum() == 0, of_market.filter(pa.array(off)).slice(0, 5).to_pylist()
    assert pc.count(rows["Code"]).as_py() > 80_000
