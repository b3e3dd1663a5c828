"""What the results of many signals say, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import empyrical
import numpy as np
from numpy.typing import NDArray
from scipy import stats

from include.backtest.market_bars import Flags, Floats
from include.backtest.outcomes import Outcomes

SESSIONS_PER_YEAR = 250
CONFIDENCE = 0.95
# Fewer results than this say nothing: only their number is told.
MINIMUM_SAMPLE = 30


@dataclass(frozen=True)
class Statistics:
    """Results of signals over one horizon; all but ``count`` are None where there are fewer than ``MINIMUM_SAMPLE``.

    Returns are ratios. ``success_rate`` is the share of results above zero; with it the ends of its 95% confidence
    interval (Wilson, 1927), as with ``mean_return``: of the mean of results in blocks of as many sessions as the
    horizon, since signals of neighbouring sessions share what the market did (Cameron and Miller, "A Practitioner's
    Guide to Cluster-Robust Inference", 2015). Fewer than two blocks leave the interval of the mean empty.

    ``sharpe_ratio`` and ``max_drawdown`` are of :func:`cohort_returns`, the former annual. ``profit_factor`` is the sum
    of gains over the sum of losses, None without a loss. ``mean_excess`` is of the results whose index is known.
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


def summarise(outcomes: Outcomes, chosen: Flags | slice, horizon: int) -> Statistics:
    """Statistics of the results ``chosen``, each held ``horizon`` sessions."""
    returns, days = outcomes.returns[chosen], outcomes.signal_day[chosen]
    count = len(returns)
    if count < MINIMUM_SAMPLE:
        return Statistics(count)
    successes = int(np.count_nonzero(returns > 0))
    success = stats.binomtest(successes, count).proportion_ci(CONFIDENCE, method="wilson")
    mean = float(returns.mean())
    reach = _reach_of_mean(returns, days // horizon)
    losses = -float(returns[returns < 0].sum())
    curve = cohort_returns(returns, days, horizon)
    sharpe = float(empyrical.sharpe_ratio(curve, annualization=SESSIONS_PER_YEAR))
    return Statistics(
        count=count,
        success_rate=successes / count,
        success_rate_low=float(success.low),
        success_rate_high=float(success.high),
        mean_return=mean,
        mean_return_low=None if reach is None else mean - reach,
        mean_return_high=None if reach is None else mean + reach,
        median_return=float(np.median(returns)),
        mean_excess=_mean_excess(outcomes.excess[chosen]),
        sharpe_ratio=sharpe if np.isfinite(sharpe) else None,
        max_drawdown=float(empyrical.max_drawdown(curve)),
        profit_factor=float(returns[returns > 0].sum()) / losses if losses else None,
    )


def cohort_returns(returns: Floats, days: NDArray[np.int32], horizon: int) -> Floats:
    """Returns, session by session, of a fund that puts a ``horizon``-th of itself into each session's signals.

    The results of the signals of one session share its part equally and count in full on that session; a session
    without signals keeps its part in cash. From the first session with a signal to the last.
    """
    first, last = int(days.min()), int(days.max())
    sums = np.bincount(days - first, returns, last - first + 1)
    counts = np.bincount(days - first, minlength=last - first + 1)
    means: Floats = np.divide(sums, counts, out=np.zeros(len(sums)), where=counts > 0)
    return means / horizon


def _mean_excess(excess: Floats) -> float | None:
    """Of the results whose index is known, where these are enough."""
    known = excess[~np.isnan(excess)]
    return float(known.mean()) if len(known) >= MINIMUM_SAMPLE else None


def _reach_of_mean(returns: Floats, blocks: NDArray[np.int32]) -> float | None:
    """Half the confidence interval of the mean, results of a block being of one piece."""
    places = blocks - blocks.min()
    number = int(np.count_nonzero(np.bincount(places)))
    if number < 2:
        return None
    sums = np.bincount(places, returns - returns.mean())
    error = np.sqrt(number / (number - 1) * np.square(sums).sum()) / len(returns)
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, number - 1) * error)
