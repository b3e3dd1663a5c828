"""``krxw indicators``: indicators up to what the warehouse holds."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from include.adjustments.refresh import refresh_adjustments
from include.cli.terminal import console, plain_errors
from include.indicators.table import refresh_indicators
from include.settings import load_settings


def register(app: typer.Typer) -> None:
    """Add this module's command to ``app``."""
    app.command()(indicators)


def indicators(
    everything: Annotated[
        bool, typer.Option("--all", help="Compute every row of every issue, not only what is new.")
    ] = False,
) -> None:
    """Compute the indicators of what is new or was corrected since the last time, corporate actions included."""
    with (
        plain_errors(),
        Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("issues"),
            TimeElapsedColumn(),
            console=console,
        ) as progress,
    ):
        task = progress.add_task("looking for what changed", total=None)

        def show(done: int, issues: int) -> None:
            progress.update(task, description="indicators", completed=done, total=issues)

        dsn = load_settings().warehouse_dsn
        refresh_adjustments(dsn)
        report = refresh_indicators(dsn, everything=everything, on_progress=show)
    console.print(report.summary(), soft_wrap=True)
