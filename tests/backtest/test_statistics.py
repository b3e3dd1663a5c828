"""Figures of results, against other ways to the same figure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from include.backtest.fund import Cohorts
from include.backtest.market_bars import MARKETS
from include.backtest.outcomes import Outcomes
from include.backtest.statistics import MINIMUM_SAMPLE, Statistics, summarise


def results(returns: list[float], days: list[int] | None = None, index: float = 0.0) -> Outcomes:
    """Results of one signal a session, unless ``days`` says otherwise, each on one session."""
    values = np.array(returns, float)
    day = np.array(days if days is not None else range(len(returns)), np.int32)
    markets = np.zeros(len(values), np.int8)
    length = int(day.max(initial=0)) + 1
    sums = np.zeros((len(MARKETS), length, 1))
    counts = np.zeros((len(MARKETS), length), np.int64)
    np.add.at(sums[0, :, 0], day, values)
    np.add.at(counts[0], day, 1)
    return Outcomes(day, day + 1, markets, values, values - index, Cohorts(sums, counts), len(values), 0, 0)


def summary(outcomes: Outcomes, horizon: int = 1) -> Statistics:
    return summarise(outcomes, slice(None), outcomes.cohorts.fund_returns(), horizon)


def test_fewer_results_than_the_minimum_say_nothing_but_their_number() -> None:
    few = results([0.01] * (MINIMUM_SAMPLE - 1))
    assert summary(few) == Statistics(MINIMUM_SAMPLE - 1)
    assert summary(results([])) == Statistics(0)


def test_figures_by_hand() -> None:
    found = summary(results([0.10, -0.05] * 20, index=0.01))
    assert found.count == 40
    assert found.success_rate == 0.5
    assert found.mean_return == pytest.approx(0.025)
    assert found.median_return == pytest.approx(0.025)
    assert found.mean_excess == pytest.approx(0.015)
    assert found.profit_factor == pytest.approx(2.0)
    assert found.max_drawdown == pytest.approx(-0.05)
    spread = np.std([0.10, -0.05] * 20, ddof=1)
    assert found.sharpe_ratio == pytest.approx(0.025 / spread * 250**0.5)
    # Wilson's interval of 20 in 40, as published calculators give it, a bit wider: the variance is a sample's.
    assert (found.success_rate_low, found.success_rate_high) == (
        pytest.approx(0.352, abs=3e-3),
        pytest.approx(0.648, abs=3e-3),
    )


def test_without_a_loss_there_is_no_profit_factor() -> None:
    assert summary(results([0.01, 0.02] * 20)).profit_factor is None


def test_with_one_result_a_block_the_interval_of_the_mean_is_students() -> None:
    values = np.random.default_rng(1).normal(0.01, 0.05, 50).tolist()
    found = summary(results(values))
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.mean_return_low, found.mean_return_high) == (pytest.approx(low), pytest.approx(high))


def test_results_of_one_session_do_not_make_the_mean_surer() -> None:
    values = np.random.default_rng(1).normal(0.01, 0.05, 50)
    once = summary(results(values.tolist()))
    ten_times = summary(results(np.repeat(values, 10).tolist(), np.repeat(np.arange(50), 10).tolist()))
    assert ten_times.mean_return_low == pytest.approx(once.mean_return_low)


@pytest.mark.parametrize("horizon", [5, 20])
def test_intervals_hold_the_truth_as_often_as_they_say_though_signals_hang_together(horizon: int) -> None:
    random = np.random.default_rng(horizon)
    held_mean = held_rate = 0
    trials = 120
    for _ in range(trials):
        sessions = 40 * horizon
        market = random.normal(0, 0.01, sessions + horizon)
        shared = np.convolve(market, np.ones(horizon), "valid")[:sessions]
        days = np.repeat(np.arange(sessions), 3)
        values = shared[days] + random.normal(0, 0.01 * horizon**0.5, len(days))
        found = summary(results(values.tolist(), days.tolist()), horizon)
        held_mean += found.mean_return_low <= 0 <= found.mean_return_high  # type: ignore[operator]
        held_rate += found.success_rate_low <= 0.5 <= found.success_rate_high  # type: ignore[operator]
    # Results taken for independent would come to a third of the trials.
    assert held_mean > 0.82 * trials
    assert held_rate > 0.82 * trials


@given(st.lists(st.floats(-0.5, 0.5), min_size=40, max_size=80))
def test_estimates_lie_in_their_intervals(values: list[float]) -> None:
    found = summary(results(values), 5)
    assert found.success_rate_low is not None
    assert found.mean_return_low is not None
    assert found.success_rate_low <= found.success_rate <= found.success_rate_high  # type: ignore[operator]
    assert found.mean_return_low <= found.mean_return <= found.mean_return_high  # type: ignore[operator]
    assert -1 <= found.max_drawdown <= 0  # type: ignore[operator]


def test_one_block_that_outweighs_all_others_tells_no_interval() -> None:
    values = np.random.default_rng(1).normal(-0.14, 0.2, 1_203)
    # 1,202 results of one block of sessions, and one of a far one: what they share nothing can tell.
    found = summary(results(values.tolist(), [0] * 1_202 + [500]), 20)
    assert (found.mean_return_low, found.mean_return_high) == (None, None)
    assert (found.success_rate_low, found.success_rate_high) == (None, None)


def test_intervals_hold_the_truth_where_some_blocks_outweigh_others() -> None:
    random = np.random.default_rng(7)
    held, trials = 0, 150
    for _ in range(trials):
        sizes = [400, 200, 100, *[20] * 9]
        days = np.repeat(np.arange(len(sizes)) * 20, sizes)
        shared = np.repeat(random.normal(0, 0.05, len(sizes)), sizes)
        found = summary(results((shared + random.normal(0, 0.05, len(days))).tolist(), days.tolist()), 5)
        assert found.mean_return_low is not None
        held += found.mean_return_low <= 0 <= found.mean_return_high  # type: ignore[operator]
    # With as many degrees of freedom as there are blocks it would be three quarters of the trials.
    assert held > 0.85 * trials
