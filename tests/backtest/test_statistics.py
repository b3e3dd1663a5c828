"""Figures of results, against other ways to the same figure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from include.backtest.outcomes import Outcomes
from include.backtest.statistics import MINIMUM_SAMPLE, Statistics, cohort_returns, summarise

EVERYTHING = slice(None)


def results(returns: list[float], days: list[int] | None = None, index: float = 0.0) -> Outcomes:
    """Results of one signal a session, unless ``days`` says otherwise."""
    values = np.array(returns, float)
    day = np.array(days if days is not None else range(len(returns)), np.int32)
    zeros = np.zeros(len(values), np.int8)
    return Outcomes(day, day + 1, zeros, values, values - index, len(values), 0, 0)


def test_fewer_results_than_the_minimum_say_nothing_but_their_number() -> None:
    few = results([0.01] * (MINIMUM_SAMPLE - 1))
    assert summarise(few, EVERYTHING, 1) == Statistics(MINIMUM_SAMPLE - 1)
    assert summarise(results([]), EVERYTHING, 1) == Statistics(0)


def test_figures_by_hand() -> None:
    found = summarise(results([0.10, -0.05] * 20, index=0.01), EVERYTHING, 1)
    assert found.count == 40
    assert found.success_rate == 0.5
    assert found.mean_return == pytest.approx(0.025)
    assert found.median_return == pytest.approx(0.025)
    assert found.mean_excess == pytest.approx(0.015)
    assert found.profit_factor == pytest.approx(2.0)
    assert found.max_drawdown == pytest.approx(-0.05)
    spread = np.std([0.10, -0.05] * 20, ddof=1)
    assert found.sharpe_ratio == pytest.approx(0.025 / spread * 250**0.5)
    # Wilson's interval of 20 in 40, as published calculators give it.
    assert (found.success_rate_low, found.success_rate_high) == (
        pytest.approx(0.352, abs=5e-4),
        pytest.approx(0.648, abs=5e-4),
    )


def test_without_a_loss_there_is_no_profit_factor() -> None:
    assert summarise(results([0.01, 0.02] * 20), EVERYTHING, 1).profit_factor is None


def test_with_one_result_a_block_the_interval_of_the_mean_is_students() -> None:
    values = np.random.default_rng(1).normal(0.01, 0.05, 50).tolist()
    found = summarise(results(values), EVERYTHING, 1)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.mean_return_low, found.mean_return_high) == (pytest.approx(low), pytest.approx(high))


def test_results_of_one_session_do_not_make_the_mean_surer() -> None:
    values = np.random.default_rng(1).normal(0.01, 0.05, 50)
    once = summarise(results(values.tolist()), EVERYTHING, 1)
    ten_times = summarise(results(np.repeat(values, 10).tolist(), np.repeat(np.arange(50), 10).tolist()), EVERYTHING, 1)
    assert ten_times.mean_return_low == pytest.approx(once.mean_return_low)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.floats(-0.9, 2.0)), min_size=1, max_size=60),
    st.sampled_from((1, 5, 20)),
)
def test_a_fund_earns_its_part_of_each_sessions_mean(pairs: list[tuple[int, float]], horizon: int) -> None:
    days, values = (np.array(column) for column in zip(*pairs, strict=True))
    curve = cohort_returns(values, days.astype(np.int32), horizon)
    assert len(curve) == days.max() - days.min() + 1
    for place, earned in enumerate(curve):
        of_session = values[days == days.min() + place]
        assert earned == pytest.approx(of_session.mean() / horizon if len(of_session) else 0.0)


@given(st.lists(st.floats(-0.5, 0.5), min_size=MINIMUM_SAMPLE, max_size=80))
def test_estimates_lie_in_their_intervals(values: list[float]) -> None:
    found = summarise(results(values), EVERYTHING, 5)
    assert found.success_rate_low is not None
    assert found.mean_return_low is not None
    assert found.success_rate_low <= found.success_rate <= found.success_rate_high  # type: ignore[operator]
    assert found.mean_return_low <= found.mean_return <= found.mean_return_high  # type: ignore[operator]
    assert -1 <= found.max_drawdown <= 0  # type: ignore[operator]
