"""What a backtest finds, as it is kept and shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from include.backtest.market_bars import MARKETS, Floats, MarketBars, Rows
from include.backtest.outcomes import Outcomes
from include.backtest.statistics import Statistics, summarise

SliceBy = Literal["all", "year", "market"]


@dataclass(frozen=True)
class SliceResult:
    """Statistics of a strategy's results over one horizon: all, or those of a year of signals or of a market.

    The counts of signals are of all of them only, None for a part.
    """

    strategy: str
    strategy_version: int
    horizon: int
    slice_by: SliceBy
    slice: str
    signals: int | None
    unfilled: int | None
    pending: int | None
    statistics: Statistics


@dataclass(frozen=True)
class PortfolioResult:
    """A portfolio that followed one strategy; ``equity_krw`` and ``index_close`` on each of ``sessions``.

    ``index_close`` is NaN where it is not known.

    Returns, volatility and drawdown are ratios, annual figures of 250 sessions; those that a curve too short or flat
    does not give are None.
    """

    strategy: str
    strategy_version: int
    sessions: tuple[date, ...]
    equity_krw: NDArray[np.int64]
    index_close: Floats
    capital_krw: int
    total_return: float
    annual_return: float
    annual_volatility: float | None
    sharpe_ratio: float | None
    max_drawdown: float
    index_return: float | None
    trades: int
    win_rate: float | None
    fees_krw: int
    taxes_krw: int
    unfilled_orders: int
    rules: dict[str, Any]


def slice_results(
    bars: MarketBars, strategy: str, version: int, horizon: int, outcomes: Outcomes
) -> Iterator[SliceResult]:
    """Of all results, then by year of the signal and by market, in order."""
    everything = summarise(outcomes, slice(None), outcomes.cohorts.fund_returns(), horizon)
    counts = outcomes.signals, outcomes.unfilled, outcomes.pending
    yield SliceResult(strategy, version, horizon, "all", "all", *counts, everything)
    years = bars.sessions.astype("datetime64[Y]").astype(int) + 1970
    for place, chosen in _apart((years - years[0])[outcomes.signal_day]):
        year = int(years[0]) + place
        found = summarise(outcomes, chosen, outcomes.cohorts.fund_returns(days=years == year), horizon)
        yield SliceResult(strategy, version, horizon, "year", str(year), None, None, None, found)
    for place, chosen in _apart(outcomes.market):
        found = summarise(outcomes, chosen, outcomes.cohorts.fund_returns(market=place), horizon)
        yield SliceResult(strategy, version, horizon, "market", MARKETS[place].value, None, None, None, found)


def _apart(numbers: NDArray[np.integer]) -> Iterator[tuple[int, Rows]]:
    """The places of each of ``numbers``, which are from 0 on and few, in order."""
    order = np.argsort(numbers.astype(np.uint8), kind="stable")
    counts = np.bincount(numbers)
    for number, (end, count) in enumerate(zip(np.cumsum(counts), counts, strict=True)):
        if count:
            yield number, order[end - count : end]
