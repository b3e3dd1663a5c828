"""The signals of strategies on every bar there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from include.backtest.market_bars import MARKETS, Floats, MarketBars, Rows
from include.backtest.processes import map_in_processes
from include.indicators.compute import compute
from include.indicators.index_level import IndexLevels, index_number
from include.indicators.inputs import read_index_levels, with_inputs
from include.indicators.panel import OPTIONAL, Panel
from include.signals.evaluate import evaluate
from include.signals.history import History
from include.signals.strategy import Strategy

_ISSUES_AT_ONCE = 100
_INDEX_OF_MARKET = np.array([index_number(market.value) for market in MARKETS], np.int8)


@dataclass(frozen=True)
class Found:
    """The signals of one strategy: rows of the market's bars in order, and their strengths."""

    strategy: Strategy
    rows: Rows
    strengths: Floats


def find_signals(
    dsn: str, bars: MarketBars, strategies: Sequence[Strategy], on_progress: Callable[[int, int], None]
) -> list[Found]:
    """The signals of ``strategies`` on ``bars``; ``on_progress`` is told how many issues are done, and how many are.

    Flows and foreign holdings are read from the warehouse ``dsn``.

    Raises:
        PanelError: there is a bar of which nothing can be computed.
        ProcessKilledError: as :func:`map_in_processes`.
        WarehouseUnreachableError: the warehouse does not answer.
    """
    search = _Search(dsn, bars, read_index_levels(dsn), tuple(strategies))
    issues = len(bars.symbols)
    rows: list[list[Rows]] = [[] for _ in strategies]
    strengths: list[list[Floats]] = [[] for _ in strategies]
    for done, of_issues in enumerate(map_in_processes(search.hits, range(0, issues, _ISSUES_AT_ONCE)), 1):
        for place, (own, strong) in enumerate(of_issues):
            rows[place].append(own)
            strengths[place].append(strong)
        on_progress(min(done * _ISSUES_AT_ONCE, issues), issues)
    return [
        Found(strategy, np.concatenate(own), np.concatenate(strong))
        for strategy, own, strong in zip(strategies, rows, strengths, strict=True)
    ]


@dataclass(frozen=True)
class _Search:
    dsn: str
    bars: MarketBars
    closes: IndexLevels
    strategies: tuple[Strategy, ...]

    def hits(self, first: int) -> list[tuple[Rows, Floats]]:
        """By strategy, the signals of the issues from ``first`` on: rows of all bars, and strengths."""
        offsets = self.bars.offsets[first : first + _ISSUES_AT_ONCE + 1]
        rows = slice(int(offsets[0]), int(offsets[-1]))
        absent = np.full(rows.stop - rows.start, np.nan)
        panel = Panel(
            self.bars.symbols[first : first + _ISSUES_AT_ONCE],
            offsets - rows.start,
            self.bars.sessions[self.bars.day[rows]],
            **{name: self._adjusted(name, rows) for name in ("high", "low", "close")},
            volume=self.bars.volume[rows] * self.bars.volume_factor[rows],
            **dict.fromkeys(OPTIONAL, absent),
            first_obv=absent[: len(offsets) - 1],
        )
        index = _INDEX_OF_MARKET[self.bars.market[rows]]
        flows_from = panel.sessions[panel.offsets[:-1]]
        panel = with_inputs(self.dsn, panel, index, self.closes, flows_from)
        history = History.of(panel, self._adjusted("open", rows), compute(panel))
        traded = rows.start + np.flatnonzero(panel.traded)
        return [(traded[found.rows], found.strengths) for found in evaluate(history, self.strategies)]

    def _adjusted(self, price: str, rows: slice) -> Floats:
        """By row (won); NaN where there is none."""
        raw = getattr(self.bars, price)[rows]
        return np.where(raw > 0, raw * self.bars.price_factor[rows], np.nan)
