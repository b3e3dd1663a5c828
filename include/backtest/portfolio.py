"""A portfolio that follows one strategy over all history, by the rules of the paper book."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import empyrical
import numpy as np

from include.backtest.market_bars import MARKETS, Floats, MarketBars, Rows
from include.backtest.results import PortfolioResult
from include.backtest.statistics import SESSIONS_PER_YEAR
from include.signals.strategy import Strategy
from include.trading.fills import Bar
from include.trading.portfolio import step
from include.trading.rules import Rules
from include.trading.state import Side, Signal, State

CAPITAL_KRW = 100_000_000
# Ten are held and ten bought at most; the rest are for shares too dear for a tenth of what there is.
SIGNALS_A_DAY = 50


@dataclass(frozen=True)
class Tape:
    """The market session by session, as a portfolio meets it: bars on demand, corporate actions, and who left."""

    bars: MarketBars

    @cached_property
    def rows(self) -> dict[str, tuple[int, int, int]]:
        """Of each symbol its first row, the row after its last, and the day of the first."""
        starts, stops = self.bars.offsets[:-1], self.bars.offsets[1:]
        spans = zip(starts.tolist(), stops.tolist(), self.bars.day[starts].tolist(), strict=True)
        return dict(zip(self.bars.symbols.tolist(), spans, strict=True))

    @cached_property
    def ratios(self) -> dict[int, dict[str, float]]:
        """By day, what earlier raw prices of a symbol are multiplied by from that session on."""
        factor = self.bars.price_factor
        changed = np.flatnonzero(factor[1:] != factor[:-1]) + 1
        found: defaultdict[int, dict[str, float]] = defaultdict(dict)
        for row in changed[~np.isin(changed, self.bars.offsets)].tolist():
            symbol = self.bars.symbols[self._number_of(row)]
            found[int(self.bars.day[row])][symbol] = float(factor[row - 1] / factor[row])
        return dict(found)

    @cached_property
    def left(self) -> dict[int, list[str]]:
        """By day, the symbols that are gone and whose last bar was the session before."""
        last_days = self.bars.day[self.bars.offsets[1:] - 1]
        found: defaultdict[int, list[str]] = defaultdict(list)
        for symbol, day in zip(self.bars.symbols[self.bars.gone], last_days[self.bars.gone].tolist(), strict=True):
            found[day + 1].append(symbol)
        return dict(found)

    def _number_of(self, row: int) -> int:
        return int(np.searchsorted(self.bars.offsets, row, side="right")) - 1


class _Session:
    """The bars of one day, made when they are asked for."""

    def __init__(self, tape: Tape, day: int) -> None:
        self._tape = tape
        self._day = day
        self._made: dict[str, Bar | None] = {}

    def get(self, symbol: str, /) -> Bar | None:
        """The bar of ``symbol``; None where it has none."""
        if symbol not in self._made:
            self._made[symbol] = self._make(symbol)
        return self._made[symbol]

    def _make(self, symbol: str) -> Bar | None:
        bars = self._tape.bars
        start, stop, first_day = self._tape.rows[symbol]
        # Without a missing bar a day on is a row on.
        row = start + self._day - first_day
        if not start <= row < stop or bars.day.item(row) != self._day:
            row = start + int(np.searchsorted(bars.day[start:stop], self._day))
            if row == stop or bars.day.item(row) != self._day:
                return None
        opened = bars.open.item(row)
        return Bar(
            open=opened,
            high=bars.high.item(row),
            low=bars.low.item(row),
            close=bars.close.item(row),
            base_price=bars.base_price.item(row),
            volume=bars.volume.item(row),
            market=MARKETS[bars.market.item(row)],
            product="STOCK" if bars.taxed.item(row) else "ETF",
            halted=not opened,
        )


def signals_by_day(
    bars: MarketBars, strategy: str, side: Side, rows: Rows, strengths: Floats
) -> dict[int, list[Signal]]:
    """The signals on ``rows`` of ``bars`` by day: all of those to sell, the ``SIGNALS_A_DAY`` strongest to buy.

    ``rows`` are in order. Of equally strong ones the first symbols are taken.
    """
    days = bars.day[rows]
    order = np.lexsort((-strengths, days))
    sorted_days = days[order]
    rank = np.arange(len(order)) - np.searchsorted(sorted_days, sorted_days)
    chosen = order if side == "sell" else order[rank < SIGNALS_A_DAY]
    symbols = bars.symbols[np.searchsorted(bars.offsets, rows[chosen], side="right") - 1].tolist()
    found: defaultdict[int, list[Signal]] = defaultdict(list)
    for day, symbol, strength in zip(days[chosen].tolist(), symbols, strengths[chosen].tolist(), strict=True):
        found[day].append(Signal(symbol, side, strength, strategy))
    return dict(found)


def simulate(
    tape: Tape,
    strategy: Strategy,
    signals: Mapping[int, Sequence[Signal]],
    rules: Rules,
    index_close: Floats,
    first_day: int = 0,
) -> PortfolioResult:
    """The portfolio of ``CAPITAL_KRW`` from ``first_day`` to the last session.

    Args:
        tape: the market.
        strategy: the strategy followed.
        signals: what was said on each day's evening, of whichever strategies the portfolio listens to.
        rules: what the portfolio is run by.
        index_close: the index it is compared with, by day (points).
        first_day: the place of its first session: from there on the taxes on all sales are known.

    Raises:
        UnknownTaxError: a sale before the taxes that are known.
    """
    state = State.start(CAPITAL_KRW)
    sessions = tape.bars.sessions.tolist()
    equity = np.full(len(sessions), CAPITAL_KRW, np.int64)
    gone: set[str] = set()
    gains: list[int] = []
    fees = taxes = unfilled = 0
    for day, session in enumerate(sessions):
        gone.update(tape.left.get(day, ()))
        if day < first_day:
            continue
        happened = step(state, rules, session, _Session(tape, day), signals.get(day, ()), tape.ratios.get(day), gone)
        state = happened.state
        equity[day] = state.equity_krw
        fees += sum(execution.fee_krw for execution in happened.executions)
        taxes += sum(execution.tax_krw for execution in happened.executions)
        unfilled += sum(outcome.shares_filled == 0 for outcome in happened.outcomes)
        gains += [closed.gain_krw for closed in happened.closed]
    equity, index_close, sessions = equity[first_day:], index_close[first_day:], sessions[first_day:]
    returns = np.diff(equity, prepend=CAPITAL_KRW) / np.concatenate(((CAPITAL_KRW,), equity[:-1]))
    return PortfolioResult(
        strategy=strategy.name,
        strategy_version=strategy.version,
        sessions=tuple(sessions),
        equity_krw=equity,
        index_close=index_close,
        capital_krw=CAPITAL_KRW,
        total_return=float(equity[-1] / CAPITAL_KRW - 1),
        annual_return=float(empyrical.annual_return(returns, annualization=SESSIONS_PER_YEAR)),
        annual_volatility=_finite(empyrical.annual_volatility(returns, annualization=SESSIONS_PER_YEAR)),
        sharpe_ratio=_finite(empyrical.sharpe_ratio(returns, annualization=SESSIONS_PER_YEAR)),
        max_drawdown=float(empyrical.max_drawdown(returns)),
        index_return=_growth(index_close),
        trades=len(gains),
        win_rate=sum(gain > 0 for gain in gains) / len(gains) if gains else None,
        fees_krw=fees,
        taxes_krw=taxes,
        unfilled_orders=unfilled,
        rules=rules.to_dict(),
    )


def _growth(levels: Floats) -> float | None:
    """From the first level that is known to the last; None without two."""
    known = levels[~np.isnan(levels)]
    return float(known[-1] / known[0] - 1) if len(known) > 1 else None


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
