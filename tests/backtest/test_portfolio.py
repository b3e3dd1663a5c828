"""A portfolio on hand-made bars, to the won, and how the market is told to it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.backtest.portfolio import CAPITAL_KRW, SIGNALS_A_DAY, Tape, signals_by_day, simulate
from include.signals.catalogue import strategy_named
from include.trading.rules import Rules
from include.trading.state import Signal
from tests.backtest.markets import Bar, bars, steady

DESK = strategy_named("desk_buy")
NOTHING_BUT_TIME = Rules(
    max_holdings=1, stop_loss_pct=None, daily_loss_limit_pct=None, max_holding_sessions=2, slippage_ticks=0
)
RISING = [10_000, 10_100, 10_200, 10_300, 10_400, 10_500]


def test_a_signal_is_bought_at_the_next_open_and_sold_after_its_sessions_to_the_won() -> None:
    market = bars({"A": steady(RISING)}, 6)
    found = simulate(Tape(market), DESK, {0: [Signal("A", "buy", 80.0, "x")]}, NOTHING_BUT_TIME, np.full(6, 100.0))
    # Ordered at the close of 10,000; at 10,100 the cash pays for fewer, with the fee of 0.015%.
    shares = min(10_000, CAPITAL_KRW * 1_000_000 // (10_100 * 1_000_150))
    bought, sold = 10_100 * shares, 10_300 * shares
    fees = bought * 15 // 100_000 + sold * 15 // 100_000
    taxes = sold * 30 // 100_000 + sold * 150 // 100_000  # KOSPI in 2024: 0.03% and 0.15% for rural development
    assert (found.fees_krw, found.taxes_krw) == (fees, taxes)
    assert found.equity_krw[-1] == CAPITAL_KRW + sold - bought - fees - taxes
    assert (found.trades, found.win_rate) == (1, 1.0)
    assert found.total_return == pytest.approx(found.equity_krw[-1] / CAPITAL_KRW - 1)


def test_without_signals_nothing_happens() -> None:
    found = simulate(Tape(bars({"A": steady(RISING)}, 6)), DESK, {}, Rules(), np.full(6, np.nan))
    assert (found.equity_krw == CAPITAL_KRW).all()
    assert (found.trades, found.win_rate, found.max_drawdown, found.index_return) == (0, None, 0.0, None)


def test_a_split_while_held_changes_nothing_but_the_count() -> None:
    days: list[Bar] = [(0, 10_000, 10_000, 10_000), (1, 10_000, 10_000, 10_000)]
    days += [(day, 2_000, 2_000, 2_000) for day in range(2, 6)]
    market = bars({"A": days}, 6)
    market.price_factor[:2] = 0.2
    assert Tape(market).ratios == {2: {"A": 0.2}}
    rules = Rules(max_holdings=1, max_holding_sessions=3, slippage_ticks=0)
    found = simulate(Tape(market), DESK, {0: [Signal("A", "buy", 80.0, "x")]}, rules, np.full(6, 100.0))
    assert found.equity_krw[-1] == CAPITAL_KRW - found.fees_krw - found.taxes_krw
    assert found.trades == 1


def test_what_leaves_the_market_is_told_the_day_after() -> None:
    market = bars({"A": steady(RISING)[:3], "B": steady(RISING), "C": steady(RISING)[:3]}, 6, gone={"A"})
    assert Tape(market).left == {3: ["A"]}


def test_a_portfolio_begins_where_the_taxes_do() -> None:
    market = bars({"A": steady(RISING)}, 6)
    found = simulate(Tape(market), DESK, {0: [Signal("A", "buy", 80.0, "x")]}, Rules(), np.full(6, 100.0), first_day=2)
    assert (len(found.sessions), found.trades, found.equity_krw[-1]) == (4, 0, CAPITAL_KRW)


def test_every_signal_to_sell_is_heard_however_weak() -> None:
    market = bars({f"{number:03}": steady([100, 100]) for number in range(100)}, 2)
    found = signals_by_day(market, "x", "sell", np.arange(0, 200, 2), np.linspace(0, 100, 100))
    assert len(found[0]) == 100


@given(
    st.lists(st.tuples(st.integers(0, 199), st.floats(0, 100)), min_size=1, max_size=300, unique_by=lambda hit: hit[0])
)
def test_the_strongest_signals_of_a_day_are_kept(hits: list[tuple[int, float]]) -> None:
    market = bars({f"{number:03}": steady([100, 100]) for number in range(100)}, 2)
    rows = np.array(sorted(row for row, _ in hits))
    by_row = dict(hits)
    strengths = np.array([by_row[row] for row in rows.tolist()])
    found = signals_by_day(market, "x", "buy", rows, strengths)
    for day in (0, 1):
        of_day = [(by_row[row], f"{row // 2:03}") for row in rows.tolist() if row % 2 == day]
        expected = sorted(of_day, key=lambda hit: (-hit[0], hit[1]))[:SIGNALS_A_DAY]
        assert [(signal.strength, signal.symbol) for signal in found.get(day, [])] == expected
