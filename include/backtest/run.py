"""Runs all strategies over all history and keeps what came of them."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import numpy as np
import pyarrow as pa

from include.backtest.market_bars import MARKETS, Floats, MarketBars, Rows
from include.backtest.outcomes import HORIZONS, CostRates, follow, outcomes
from include.backtest.portfolio import Tape, signals_by_day, simulate
from include.backtest.reading import assemble, read_blocks, read_issues
from include.backtest.report import write_pages
from include.backtest.results import PortfolioResult, SliceResult, slice_results
from include.backtest.table import replace_results
from include.indicators.compute import compute
from include.indicators.index_level import INDICES, KOSPI
from include.market.symbols import Market
from include.settings import Settings
from include.signals.catalogue import CATALOGUE
from include.signals.evaluate import evaluate
from include.signals.history import History
from include.signals.strategy import Strategy
from include.trading.costs import UnknownTaxError, tax_rates
from include.trading.rules import Rules
from include.trading.state import Signal

# A position is held as long as the third of the horizons; beside that the paper book's own rules hold.
PORTFOLIO_RULES = Rules(max_holding_sessions=20)
# Signals to sell that go with signals to buy: the portfolio of the latter listens to both.
_LISTENS_TO = {"desk_buy": "desk_sell"}

_MOST_PROCESSES = 4

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Found:
    """The signals of one strategy: rows of the market's bars, and their strengths."""

    strategy: Strategy
    rows: Rows
    strengths: Floats


@dataclass(frozen=True)
class BacktestReport:
    """What was tested, and where the pages are."""

    strategies: int
    issues: int
    bars: int
    signals: int
    first_session: date
    last_session: date
    page: Path

    def summary(self) -> str:
        """One line in plain words."""
        return (
            f"{self.strategies} strategies tested on {self.bars:,} bars of {self.issues:,} issues, "
            f"{self.first_session} to {self.last_session}: {self.signals:,} signals. {self.page}"
        )


def run_backtests(
    settings: Settings, strategies: Sequence[Strategy] = CATALOGUE, on_progress: Progress | None = None
) -> BacktestReport:
    """Test ``strategies`` on every bar in the warehouse; replace ``derived.backtest*`` and the pages of the last run.

    Tables and pages change together, or not at all. ``on_progress`` is told what is being done, how much of it is done,
    and how much there is.

    Raises:
        NothingToTestError: there are no bars.
        MarketChangedError: bars came in while they were read.
        WarehouseUnreachableError: the warehouse does not answer.
    """
    tell = on_progress or (lambda *_: None)
    dsn = settings.warehouse_dsn
    bars, found = find_signals(dsn, strategies, tell)
    slices: list[SliceResult] = []
    portfolios: list[PortfolioResult] = []
    for place, (of_slices, portfolio) in enumerate(follow_signals(bars, found)):
        slices += of_slices
        portfolios += [] if portfolio is None else [portfolio]
        tell("strategies", place + 1, len(found))
    span = bars.sessions[0].item(), bars.sessions[-1].item()
    now = datetime.now(UTC)
    pages = settings.reports / "backtests"
    pages.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=pages.parent, prefix=".backtests-") as scratch:
        new = Path(scratch) / "pages"
        write_pages(new, span, strategies, slices, portfolios, now)
        with _replaced(pages, new, Path(scratch) / "earlier"):
            replace_results(dsn, span, slices, portfolios, now)
    signals = sum(len(each.rows) for each in found)
    return BacktestReport(len(found), len(bars.symbols), len(bars), signals, *span, pages / "index.html")


@contextmanager
def _replaced(folder: Path, new: Path, earlier: Path) -> Iterator[None]:
    """Put ``new`` in the place of ``folder``, and ``folder`` back if what is done in the context fails."""
    if folder.exists():
        folder.rename(earlier)
    new.rename(folder)
    try:
        yield
    except BaseException:
        folder.rename(new)
        if earlier.exists():
            earlier.rename(folder)
        raise


def find_signals(dsn: str, strategies: Sequence[Strategy], tell: Progress) -> tuple[MarketBars, list[Found]]:
    """The whole market, and the signals of ``strategies`` on it.

    Raises:
        NothingToTestError, WarehouseUnreachableError: as :func:`run_backtests`.
    """
    issues = read_issues(dsn)
    tables: list[pa.Table] = []
    rows: list[list[Rows]] = [[] for _ in strategies]
    strengths: list[list[Floats]] = [[] for _ in strategies]
    before = done = 0
    for block in read_blocks(dsn, issues):
        history = History.of(block.panel, block.adjusted_open, compute(block.panel))
        traded = before + np.flatnonzero(block.panel.traded)
        for place, hits in enumerate(evaluate(history, strategies)):
            rows[place].append(traded[hits.rows])
            strengths[place].append(hits.strengths)
        tables.append(block.rows)
        before += block.rows.num_rows
        done += len(block.panel.symbols)
        tell("issues", done, len(issues.symbols))
    bars = assemble(dsn, tables)
    found = [
        Found(strategy, np.concatenate(own), np.concatenate(strong))
        for strategy, own, strong in zip(strategies, rows, strengths, strict=True)
    ]
    return bars, found


def follow_signals(
    bars: MarketBars, found: Sequence[Found]
) -> Iterator[tuple[list[SliceResult], PortfolioResult | None]]:
    """What came of each of ``found``, in order; worked out by as many processes as there are processors."""
    market = _Market(bars, Tape(bars), cost_rates(bars), tuple(found))
    market.prepare()
    # A process split off shares the arrays; handing them over would copy gigabytes.
    split = multiprocessing.get_context("fork")
    processes = min(_processors(), _MOST_PROCESSES)
    with ProcessPoolExecutor(processes, split, initializer=_share, initargs=(market,)) as pool:
        yield from pool.map(_follow_shared, range(len(found)))


def _processors() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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

    def prepare(self) -> None:
        """Work out what is kept once asked for, before processes are split off."""
        self.bars.prepare()
        for name in ("number", "ratios", "left"):
            getattr(self.tape, name)

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
        if (first_day := self._first_taxed_day()) == len(self.bars.sessions):
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

    def _first_taxed_day(self) -> int:
        """The first day from which on the tax on every sale is known."""
        unknown = self.bars.taxed & np.isnan(self.costs.sale[self.bars.market, self.bars.day])
        return int(self.bars.day[unknown].max()) + 1 if unknown.any() else 0

    def _by_day(self, found: Found) -> dict[int, list[Signal]]:
        return signals_by_day(self.bars, found.strategy.name, found.strategy.side, found.rows, found.strengths)


# Of a process split off by ``follow_signals``.
_shared: list[_Market] = []


def _share(market: _Market) -> None:
    _shared.append(market)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A killed run leaves nobody behind who holds the whole market in memory."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


def _follow_shared(place: int) -> tuple[list[SliceResult], PortfolioResult | None]:
    return _shared[0].follow(place)
