"""Taxes and fees: the laws' rates at their dates, and what is asked outside them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.market.calendar import next_session, previous_session
from include.market.symbols import Market
from include.trading.costs import TAX_RATES, UnknownTaxError, affordable_shares, broker_fee, sales_tax, tax_rates

MILLION = 1_000_000


@pytest.mark.parametrize(
    ("market", "session", "won"),
    [
        # The last session before a change, and the first one after it.
        (Market.KOSPI, date(2019, 5, 29), 3_000),
        (Market.KOSPI, date(2019, 5, 30), 2_500),
        (Market.KOSPI, date(2020, 12, 28), 2_500),
        (Market.KOSPI, date(2020, 12, 29), 2_300),
        (Market.KOSPI, date(2022, 12, 27), 2_300),
        (Market.KOSPI, date(2022, 12, 28), 2_000),
        (Market.KOSPI, date(2023, 12, 26), 2_000),
        (Market.KOSPI, date(2023, 12, 27), 1_800),
        (Market.KOSPI, date(2024, 12, 26), 1_800),
        (Market.KOSPI, date(2024, 12, 27), 1_500),
        (Market.KOSPI, date(2025, 12, 26), 1_500),
        (Market.KOSPI, date(2025, 12, 29), 2_000),
        (Market.KOSPI, date(1995, 7, 13), 5_000),
        (Market.KOSPI, date(1995, 7, 14), 4_500),
        (Market.KOSPI, date(1996, 4, 1), 3_000),
        (Market.KOSDAQ, date(1996, 8, 10), 5_000),
        (Market.KOSDAQ, date(1996, 8, 12), 3_000),
        (Market.KOSDAQ, date(2019, 5, 30), 2_500),
        (Market.KOSDAQ_GLOBAL, date(2024, 6, 3), 1_800),
        (Market.KOSDAQ, date(2025, 6, 2), 1_500),
        (Market.KOSDAQ, date(2026, 1, 2), 2_000),
        (Market.KONEX, date(2019, 5, 29), 3_000),
        (Market.KONEX, date(2019, 5, 30), 1_000),
        (Market.KONEX, date(2026, 1, 2), 1_000),
    ],
)
def test_the_tax_on_a_million_won(market: Market, session: date, won: int) -> None:
    assert sales_tax(MILLION, market, "STOCK", session) == won


def test_rates_change_with_the_first_trade_that_settles_under_them() -> None:
    for table in TAX_RATES.values():
        for rates in table:
            before = previous_session(rates.traded_from)
            assert next_session(next_session(rates.traded_from)) >= rates.settled_from
            assert next_session(next_session(before)) < rates.settled_from


def test_funds_and_notes_are_not_taxed() -> None:
    assert sales_tax(MILLION, Market.KOSPI, "ETF", date(2024, 6, 3)) == 0
    assert sales_tax(MILLION, Market.KOSPI, "ETN", date(1990, 6, 1)) == 0


@pytest.mark.parametrize(
    ("market", "session", "first"),
    [
        (Market.KOSPI, date(1994, 6, 28), "1994-06-29"),
        (Market.KOSDAQ, date(1996, 6, 27), "1996-06-28"),
        (Market.KONEX, date(2013, 6, 26), "2013-06-27"),
    ],
)
def test_before_the_known_rates_is_an_error(market: Market, session: date, first: str) -> None:
    with pytest.raises(UnknownTaxError, match=f"{market.value} is known for {session}: the rates start {first}"):
        tax_rates(market, session)


def test_each_tax_is_cut_off_to_the_won() -> None:
    # 0.08% and 0.15% of 9,999 won are 7.9992 and 14.9985.
    assert sales_tax(9_999, Market.KOSPI, "STOCK", date(2021, 6, 1)) == 21
    assert broker_fee(9_999, 0.015) == 1


@given(cash=st.integers(0, 10**12), price=st.integers(1, 10**7), fee=st.floats(0, 5))
def test_affordable_is_the_most_that_can_be_paid(cash: int, price: int, fee: float) -> None:
    shares = affordable_shares(cash, price, fee)
    assert shares * price + broker_fee(shares * price, fee) <= cash
    more = shares + 2
    assert more * price + broker_fee(more * price, fee) > cash
