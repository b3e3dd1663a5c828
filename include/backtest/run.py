"""Runs all strategies over all history and keeps what came of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from include.backtest.finding import find_signals
from include.backtest.following import follow_signals
from include.backtest.reading import read_market
from include.backtest.report import write_pages
from include.backtest.results import PortfolioResult, SliceResult
from include.backtest.table import replace_results
from include.settings import Settings
from include.signals.catalogue import CATALOGUE
from include.signals.strategy import Strategy

Progress = Callable[[str, int, int], None]


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
        MarketChangedError: corporate actions were found while the market was read.
        NotASessionError: there is a bar of a day that is no session.
        PanelError: there is a bar of which nothing can be computed.
        ProcessKilledError: one of its processes was ended from outside.
        WarehouseUnreachableError: the warehouse does not answer.
    """
    tell = on_progress or (lambda *_: None)
    dsn = settings.warehouse_dsn
    bars = read_market(dsn, partial(tell, "years"))
    found = find_signals(dsn, bars, strategies, partial(tell, "issues"))
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
            replace_results(dsn, span, strategies, slices, portfolios, now)
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
