"""What every command shares: where it prints, and how it ends when something is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime

import psycopg
import typer
from rich.console import Console

from include.adjustments.decisions import InvalidDecisionError
from include.backtest.errors import MarketChangedError, NothingToTestError, ProcessKilledError
from include.cold.errors import ColdStorageError
from include.crawlers.source import UnknownSourceError
from include.datasets.registry import UnknownDatasetError
from include.indicators.panel import PanelError
from include.market.calendar import NotASessionError
from include.outcomes import CollectionOutcome, SourceNotConfiguredError
from include.paper_book.books import PaperBookError
from include.pipeline.landing import LandingError
from include.platform.errors import PlatformError
from include.screens.errors import ScreenError
from include.settings import NoWarehouseError
from include.signals.catalogue import UnknownStrategyError
from include.signals.history import HistoryError, LookAheadError
from include.signals.strategy import StrategyError
from include.signals.table import NoIndicatorsError
from include.warehouse.connection import WarehouseUnreachableError
from include.warehouse.fingerprint import UnknownTableError
from include.warehouse.migrations import MigrationChangedError
from include.warehouse.reading import QueryRefusedError

console = Console()
errors = Console(stderr=True)

_EXPLAINED = (
    CollectionOutcome,
    ColdStorageError,
    HistoryError,
    InvalidDecisionError,
    LandingError,
    LookAheadError,
    MarketChangedError,
    MigrationChangedError,
    NoIndicatorsError,
    NoWarehouseError,
    NotASessionError,
    NothingToTestError,
    PaperBookError,
    PanelError,
    PlatformError,
    ProcessKilledError,
    QueryRefusedError,
    ScreenError,
    SourceNotConfiguredError,
    StrategyError,
    UnknownDatasetError,
    UnknownSourceError,
    UnknownStrategyError,
    UnknownTableError,
    WarehouseUnreachableError,
    psycopg.Error,
)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Ends the program with the message of an error that explains itself, and exit code 1."""
    try:
        yield
    except _EXPLAINED as error:
        notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
        errors.print(f"{error}{notes}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


def day(text: str | date) -> date:
    """A date given on the command line.

    Raises:
        typer.BadParameter: it is not one.
    """
    try:
        return text if isinstance(text, date) else datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a day: expected YYYY-MM-DD") from None
