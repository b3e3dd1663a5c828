"""What came of the signals of strategies: their results by horizon, and portfolios that followed them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

import numpy as np

from include.backtest.finding import Found
from include.backtest.market_bars import MARKETS, MarketBars
from include.backtest.outcomes import HORIZONS, CostRates, follow, outcomes
from include.backtest.portfolio import Tape, signals_by_day, simulate
from include.backtest.processes import keep_cached, map_in_processes
from include.backtest.results import PortfolioResult, SliceResult, slice_results
from include.indicators.index_level import INDICES, KOSPI
from include.market.symbols import Market
from include.trading.costs import UnknownTaxError, tax_rates
from include.trading.rules import Rules
from include.trading.state import Signal

# A position is held as long as the third of the horizons; beside that the paper book's own rules hold.
PORTFOLIO_RULES = Rules(max_holding_sessions=20)
# Signals to sell that go with signals to buy: the portfolio of the latter listens to both.
_LISTENS_TO = {"desk_buy": "desk_sell"}


def follow_signals(
    bars: MarketBars, found: Sequence[Found]
) -> Iterator[tuple[list[SliceResult], PortfolioResult | None]]:
    """What came of each of ``found``, in order.

    Raises:
        ProcessKilledError: as :func:`map_in_processes`.
    """
    market = _Market(bars, Tape(bars), cost_rates(bars), tuple(found))
    for kept in (bars, market.tape, market):
        keep_cached(kept)
    yield from map_in_processes(market.follow, range(len(found)))


def cost_rates(bars: MarketBars) -> CostRates:
    """Fees and taxes by day; NaN before the taxes that are known: such a result is none."""
    fee = PORTFOLIO_RULES.fee_pct / 100
    sale = np.full((len(MARKETS), len(bars.sessions)), fee)
    for place, market in enumerate(MARKETS):
        sale[place] += [_tax_rate(market, session) for session in bars.sessions.tolist()]
    fees = np.full(len(bars.sessions), fee)
    return CostRates(fees, sale, fees)


def _tax_rate(market: Market, session: date) -> float:
    try:
        rates = tax_rates(market, session)
    except UnknownTaxError:
        return np.nan
    return (rates.transaction + rates.rural) / 100_000


@dataclass(frozen=True)
class _Market:
    """What all strategies are followed on."""

    bars: MarketBars
    tape: Tape
    costs: CostRates
    found: tuple[Found, ...]

    def follow(self, place: int) -> tuple[list[SliceResult], PortfolioResult | None]:
        """What came of the signals of one strategy."""
        strategy, rows = self.found[place].strategy, self.found[place].rows
        entries = follow(self.bars, rows, strategy.side)
        slices: list[SliceResult] = []
        for horizon in HORIZONS:
            results = outcomes(self.bars, entries, strategy.side, horizon, self.costs)
            slices += slice_results(self.bars, strategy.name, strategy.version, horizon, results)
        return slices, self._portfolio(self.found[place]) if strategy.side == "buy" else None

    def _portfolio(self, found: Found) -> PortfolioResult | None:
        """None where the tax is not known of any session."""
        strategy = found.strategy
        if (first_day := self._first_taxed_day) == len(self.bars.sessions):
            return None
        signals = self._by_day(found)
        for other in self.found:
            if other.strategy.name == _LISTENS_TO.get(strategy.name):
                for day, sales in self._by_day(other).items():
                    signals.setdefault(day, []).extend(sales)
        rules = PORTFOLIO_RULES
        if strategy.stop_loss_pct is not None:
            rules = replace(rules, stop_loss_pct=strategy.stop_loss_pct)
        kospi = self.bars.index_close[INDICES.index(KOSPI)]
        return simulate(self.tape, strategy, signals, rules, kospi, first_day)

    @cached_property
    def _first_taxed_day(self) -> int:
        """The first day from which on the tax on every sale is known."""
        unknown = self.bars.taxed & np.isnan(self.costs.sale[self.bars.market, self.bars.day])
        return int(self.bars.day[unknown].max()) + 1 if unknown.any() else 0

    def _by_day(self, found: Found) -> dict[int, list[Signal]]:
        return signals_by_day(self.bars, found.strategy.name, found.strategy.side, found.rows, found.strengths)
