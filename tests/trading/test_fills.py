"""What becomes of an order in a session, case by case."""

from __future__ import annotations

from datetime import date

import pytest

from include.market.symbols import Market
from include.trading.fills import Bar, Fill, Refusal, buy_at_open, sell_at_open, sell_at_stop, sell_at_target
from include.trading.rules import Rules

DAY = date(2024, 6, 3)
RULES = Rules()
# 10 won ticks; limits of 10,000 are 7,000 and 13,000.
ORDINARY = Bar(10_000, 10_400, 9_500, 10_200, 10_000, 100_000, Market.KOSPI)
HALTED = Bar(0, 0, 0, 10_000, 10_000, 0, Market.KOSPI, halted=True)
AFTER_HOURS = Bar(0, 0, 0, 10_000, 10_000, 30, Market.KOSPI)
UNTRADED = Bar(10_000, 10_000, 10_000, 10_000, 10_000, 0, Market.KONEX)
LOCKED_UP = Bar(13_000, 13_000, 13_000, 13_000, 10_000, 100_000, Market.KOSPI)
LOCKED_DOWN = Bar(7_000, 7_000, 7_000, 7_000, 10_000, 100_000, Market.KOSPI)
OPENED_UP = Bar(13_000, 13_000, 12_000, 12_500, 10_000, 100_000, Market.KOSPI)
OPENED_DOWN = Bar(7_000, 8_000, 7_000, 7_500, 10_000, 100_000, Market.KOSPI)


@pytest.mark.parametrize(
    ("bar", "bought", "sold"),
    [
        (None, Refusal.NO_BAR, Refusal.NO_BAR),
        (HALTED, Refusal.HALTED, Refusal.HALTED),
        (AFTER_HOURS, Refusal.NOT_TRADED, Refusal.NOT_TRADED),
        (UNTRADED, Refusal.NOT_TRADED, Refusal.NOT_TRADED),
        (LOCKED_UP, Refusal.LIMIT_LOCKED, Fill(13_000, 100)),
        (LOCKED_DOWN, Fill(7_000, 100), Refusal.LIMIT_LOCKED),
        (OPENED_UP, Refusal.OPENED_AT_LIMIT, Fill(12_990, 100)),
        (OPENED_DOWN, Fill(7_010, 100), Refusal.OPENED_AT_LIMIT),
        (ORDINARY, Fill(10_010, 100), Fill(9_990, 100)),
        # The lowest price there is: its lower limit is itself, and nobody queues there.
        (Bar(1, 1, 1, 1, 1, 100_000, Market.KOSPI), Fill(1, 100), Fill(1, 100)),
        (ORDINARY._replace(volume=1_000), Fill(10_010, 50), Fill(9_990, 50)),
        (ORDINARY._replace(volume=19), Refusal.THIN, Refusal.THIN),
        # No more than the day's range, however many ticks.
        (ORDINARY._replace(high=10_000), Fill(10_000, 100), Fill(9_990, 100)),
        (ORDINARY._replace(low=10_000), Fill(10_010, 100), Fill(10_000, 100)),
        # Off the grid: rounded into the range, or refused where the range holds no price of it.
        (ORDINARY._replace(open=10_005), Fill(10_020, 100), Fill(9_990, 100)),
        (Bar(10_005, 10_005, 10_005, 10_005, 10_000, 9_999, Market.KOSPI), Refusal.OFF_GRID, Refusal.OFF_GRID),
    ],
)
def test_at_the_open(bar: Bar | None, bought: Fill | Refusal, sold: Fill | Refusal) -> None:
    assert buy_at_open(bar, 100, DAY, RULES) == bought
    assert sell_at_open(bar, 100, DAY, RULES) == sold


@pytest.mark.parametrize(
    ("bar", "stop", "result"),
    [
        (ORDINARY, 9_499, None),
        (ORDINARY, 9_505.5, Fill(9_500, 100)),  # the tick below is out of the range
        (ORDINARY, 9_700, Fill(9_690, 100)),
        (ORDINARY, 10_300, Fill(9_990, 100)),  # opened below it: at the open
        (HALTED, 10_300, None),
        (UNTRADED, 10_300, None),
        (None, 10_300, None),
        (LOCKED_DOWN, 9_500, Refusal.LIMIT_LOCKED),
        (OPENED_DOWN, 9_500, Refusal.OPENED_AT_LIMIT),
        (ORDINARY._replace(low=7_000, close=7_000), 7_000, Refusal.LIMIT_LOCKED),
        (ORDINARY._replace(low=7_000, close=7_000), 7_004, Refusal.LIMIT_LOCKED),
        (ORDINARY._replace(low=7_000, close=7_000), 9_500, Fill(9_490, 100)),  # on its way down
        (ORDINARY._replace(volume=40), 9_700, Fill(9_690, 2)),
    ],
)
def test_at_a_stop(bar: Bar | None, stop: float, result: Fill | Refusal | None) -> None:
    assert sell_at_stop(bar, stop, 100, DAY, RULES) == result


@pytest.mark.parametrize(
    ("bar", "target", "result"),
    [
        (ORDINARY, 10_300, Fill(10_300, 100)),
        (ORDINARY, 10_295.5, Fill(10_300, 100)),
        (ORDINARY, 10_400, None),  # reached, not gone through
        (ORDINARY, 10_395, None),
        (ORDINARY, 9_900, Fill(10_000, 100)),  # opened above it: at the open, without slippage
        (ORDINARY, 10_000, Fill(10_000, 100)),  # opened at it, and went through it
        (ORDINARY._replace(open=10_005), 9_900, Fill(10_000, 100)),
        (ORDINARY._replace(open=10_005), 10_003, Fill(10_010, 100)),  # not at the open, which is below 10,010
        (OPENED_DOWN, 6_900, Refusal.OPENED_AT_LIMIT),
        (LOCKED_UP, 12_000, Fill(13_000, 100)),
        (HALTED, 9_000, None),
        (None, 9_000, None),
    ],
)
def test_at_a_target(bar: Bar | None, target: float, result: Fill | Refusal | None) -> None:
    assert sell_at_target(bar, target, 100, DAY, RULES) == result


def test_slippage_counts_ticks_across_bands() -> None:
    bar = Bar(1_999, 2_100, 1_900, 2_000, 2_000, 100_000, Market.KOSDAQ)
    assert buy_at_open(bar, 10, DAY, Rules(slippage_ticks=2)) == Fill(2_005, 10)
    up = bar._replace(open=2_000)
    assert sell_at_open(up, 10, DAY, Rules(slippage_ticks=2)) == Fill(1_998, 10)
    assert buy_at_open(bar, 10, DAY, Rules(slippage_ticks=0)) == Fill(1_999, 10)


def test_the_limit_is_that_of_its_day() -> None:
    bar = Bar(11_500, 11_500, 11_500, 11_500, 10_000, 100_000, Market.KOSPI)
    assert buy_at_open(bar, 10, date(2015, 6, 12), RULES) is Refusal.LIMIT_LOCKED
    assert buy_at_open(bar, 10, date(2015, 6, 15), RULES) == Fill(11_500, 10)
    assert buy_at_open(bar._replace(market=Market.KONEX), 10, DAY, RULES) is Refusal.LIMIT_LOCKED


def test_one_price_off_the_base_is_locked_where_no_limit_is_known() -> None:
    bar = Bar(10_100, 10_100, 10_100, 10_100, 10_000, 100_000, Market.KOSDAQ)
    before = date(1996, 8, 20)
    assert buy_at_open(bar, 10, before, RULES) is Refusal.LIMIT_LOCKED
    assert sell_at_open(bar, 10, before, RULES) == Fill(10_100, 10)
    assert buy_at_open(bar._replace(low=10_000), 10, before, RULES) == Fill(10_100, 10)


def test_funds_have_ticks_of_their_own() -> None:
    bar = Bar(31_005, 31_100, 30_900, 31_050, 31_000, 100_000, Market.KOSPI, "ETF")
    assert buy_at_open(bar, 10, DAY, RULES) == Fill(31_010, 10)
    small = Bar(1_501, 1_520, 1_490, 1_500, 1_500, 100_000, Market.KOSPI, "ETN")
    assert sell_at_open(small, 10, DAY, RULES) == Fill(1_500, 10)
    assert sell_at_open(small, 10, date(2023, 12, 15), RULES) == Fill(1_495, 10)
    locked = Bar(40_300, 40_300, 40_300, 40_300, 31_000, 100_000, Market.KOSPI, "ETF")
    assert buy_at_open(locked, 10, DAY, RULES) is Refusal.LIMIT_LOCKED
