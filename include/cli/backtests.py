"""``krxw backtest``: every strategy over all history."""

from __future__ import annotations

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from include.adjustments.refresh import refresh_adjustments
from include.cli.terminal import console, plain_errors
from include.settings import load_settings


def register(app: typer.Typer) -> None:
    """Add this module's command to ``app``."""
    app.command()(backtest)


def backtest() -> None:
    """Test every strategy on every bar in the warehouse, and write the pages of what came of it.

    Corporate actions are brought up to date first.
    """
    # What it stands on takes seconds to import, which other commands need not wait for.
    from include.backtest.run import run_backtests

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with plain_errors(), Progress(*columns, console=console) as progress:
        shown = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in shown:
                shown[what] = progress.add_task(what)
            progress.update(shown[what], completed=done, total=total)

        settings = load_settings()
        refresh_adjustments(settings.warehouse_dsn)
        report = run_backtests(settings, on_progress=tell)
    console.print(report.summary(), soft_wrap=True)
