"""What the results of many signals say, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import empyrical
import numpy as np
from numpy.typing import NDArray
from scipy import stats

from include.backtest.market_bars import Flags, Floats, Rows
from include.backtest.outcomes import Outcomes

SESSIONS_PER_YEAR = 250
CONFIDENCE = 0.95
# Fewer results than this say nothing: only their number is told.
MINIMUM_SAMPLE = 30
_HORIZONS_OF_A_BLOCK = 4
# What a sum of squares rounds to is none less.
_LEAST_BLOCKS = 2 - 1e-9


@dataclass(frozen=True)
class Statistics:
    """Results of signals over one horizon; all but ``count`` are None where there are fewer than ``MINIMUM_SAMPLE``.

    Returns are ratios. ``success_rate`` is the share of results above zero, ``mean_return`` their mean; with both the
    ends of a 95% confidence interval that takes the results of a block of sessions as one piece, since signals of
    neighbouring sessions share what the market did: a block is four horizons long, one session for a horizon of one
    (Cameron and Miller, "A Practitioner's Guide to Cluster-Robust Inference", 2015). The interval of the rate is
    Wilson's (1927) for as many independent results as have its variance. Blocks of unequal size are worth fewer
    (Carter, Schnepel and Steigerwald, "Asymptotic Behavior of a t-Test Robust to Cluster Heterogeneity", 2017); fewer
    than two leave both intervals empty.

    ``sharpe_ratio`` and ``max_drawdown`` are of the fund of :class:`include.backtest.fund.Cohorts`, the former annual
    and without interest. ``profit_factor`` is the sum of gains over the sum of losses, None without a loss.
    ``mean_excess`` is of the results whose index is known.
    """

    count: int
    success_rate: float | None = None
    success_rate_low: float | None = None
    success_rate_high: float | None = None
    mean_return: float | None = None
    mean_return_low: float | None = None
    mean_return_high: float | None = None
    median_return: float | None = None
    mean_excess: float | None = None
    sharpe_ratio: float | None = None
    max_drawdown: float | None = None
    profit_factor: float | None = None


def summarise(outcomes: Outcomes, chosen: Rows | slice, fund_returns: Floats, horizon: int) -> Statistics:
    """Statistics of the results ``chosen``, each held ``horizon`` sessions, and of the fund of the same ones."""
    returns, days = outcomes.returns[chosen], outcomes.signal_day[chosen]
    count = len(returns)
    if count < MINIMUM_SAMPLE:
        return Statistics(count)
    # Results of one session apart share nothing but the session; longer ones overlap.
    blocks = days // (1 if horizon == 1 else _HORIZONS_OF_A_BLOCK * horizon)
    successes = returns > 0
    success, mean = float(successes.mean()), float(returns.mean())
    success_low, success_high = _interval_of_rate(successes, blocks)
    mean_low, mean_high = _interval_of_mean(returns, blocks)
    gains, losses = float(np.maximum(returns, 0).sum()), -float(np.minimum(returns, 0).sum())
    sharpe = float(empyrical.sharpe_ratio(fund_returns, annualization=SESSIONS_PER_YEAR))
    return Statistics(
        count=count,
        success_rate=success,
        success_rate_low=success_low,
        success_rate_high=success_high,
        mean_return=mean,
        mean_return_low=mean_low,
        mean_return_high=mean_high,
        median_return=float(np.median(returns)),
        mean_excess=_mean_excess(outcomes.excess[chosen]),
        sharpe_ratio=sharpe if np.isfinite(sharpe) else None,
        max_drawdown=float(empyrical.max_drawdown(fund_returns)),
        profit_factor=gains / losses if losses else None,
    )


def _mean_excess(excess: Floats) -> float | None:
    """Of the results whose index is known, where these are enough."""
    known = excess[~np.isnan(excess)]
    return float(known.mean()) if len(known) >= MINIMUM_SAMPLE else None


Interval = tuple[float, float] | tuple[None, None]


def _interval_of_mean(values: Floats, blocks: NDArray[np.int32]) -> Interval:
    worth, variance = _variance_of_mean(values, blocks)
    if worth < _LEAST_BLOCKS:
        return None, None
    mean = float(values.mean())
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, worth - 1)) * variance**0.5
    return mean - reach, mean + reach


def _interval_of_rate(successes: Flags, blocks: NDArray[np.int32]) -> Interval:
    """Wilson's, of as many independent results as the rate has the variance of."""
    worth, variance = _variance_of_mean(successes.astype(np.float64), blocks)
    if worth < _LEAST_BLOCKS:
        return None, None
    rate, count = float(successes.mean()), len(successes)
    # Where all results are alike nothing tells how they hang together: a block counts as one.
    independent = min(rate * (1 - rate) / variance, count) if variance > 0 else worth
    squared = float(stats.norm.ppf((1 + CONFIDENCE) / 2)) ** 2
    middle = (rate + squared / (2 * independent)) / (1 + squared / independent)
    spread = rate * (1 - rate) / independent + squared / (4 * independent**2)
    reach = (squared * spread) ** 0.5 / (1 + squared / independent)
    return middle - reach, middle + reach


def _variance_of_mean(values: Floats, blocks: NDArray[np.int32]) -> tuple[float, float]:
    """How many blocks of equal size the blocks are worth, and the variance of the mean; a block is of one piece."""
    places = blocks - blocks.min()
    sizes = np.bincount(places).astype(np.float64)
    worth = float(len(values) ** 2 / np.square(sizes).sum())
    number = int(np.count_nonzero(sizes))
    if number < 2:
        return worth, 0.0
    sums = np.bincount(places, values - values.mean())
    return worth, float(number / (number - 1) * np.square(sums).sum()) / len(values) ** 2
