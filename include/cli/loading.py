"""``krxw backfill``, ``ingest`` and ``adjust``: getting data in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from include.adjustments.refresh import ADJUSTING_DATASETS, AdjustmentReport, refresh_adjustments
from include.cli.terminal import console, day, plain_errors
from include.pipeline.backfill import backfill as backfill_range
from include.pipeline.backfill import plan_chunks
from include.pipeline.ingest import ingest_session
from include.pipeline.report import BatchReport
from include.settings import Settings, load_settings

_SHOWN = 10


def register(app: typer.Typer) -> None:
    """Add this module's commands to ``app``."""
    app.command()(backfill)
    app.command()(ingest)
    app.command()(adjust)


def backfill(
    dataset: Annotated[str, typer.Argument(help="Dataset, e.g. daily_bar.")],
    source: Annotated[
        str | None, typer.Option(help="Source, e.g. marcap or krx_openapi; by default the best that is configured.")
    ] = None,
    first: Annotated[date | None, typer.Option("--from", parser=day, help="First day, YYYY-MM-DD.")] = None,
    last: Annotated[date | None, typer.Option("--to", parser=day, help="Last day, YYYY-MM-DD.")] = None,
    path: Annotated[str | None, typer.Option(help="Folder, for a source that reads files.")] = None,
) -> None:
    """Load a range of sessions, or all a source of files holds; bars bring the adjustments up to date."""
    settings = load_settings()
    with plain_errors():
        chunks = len(plan_chunks(settings, dataset, first, last, source, path)) if source else None
        with _progress() as progress:
            task = progress.add_task(f"{dataset} from {source or 'its best source'}", total=chunks)

            def show(report: BatchReport) -> None:
                progress.console.print(report.summary(), highlight=False, soft_wrap=True)
                progress.advance(task)

            reports = backfill_range(settings, dataset, first, last, source=source, path=path, on_batch=show)
        adjustments = _adjust_after(settings, dataset)
    _conclude(reports)
    if adjustments:
        console.print(adjustments.summary())
    console.print(f"Data quality: {settings.reports / 'data_docs' / 'index.html'}", soft_wrap=True)
    if any(report.status == "failed" for report in reports):
        raise typer.Exit(1)


def ingest(
    dataset: Annotated[str, typer.Argument(help="Dataset, e.g. daily_bar.")],
    session: Annotated[date, typer.Option(parser=day, help="Session, YYYY-MM-DD.")],
    source: Annotated[str | None, typer.Option(help="Only this source; by default each in order.")] = None,
) -> None:
    """Load one session from the first source that has it; bars bring the adjustments up to date."""
    settings = load_settings()
    with plain_errors():
        report = ingest_session(settings, dataset, session, source)
        adjustments = _adjust_after(settings, dataset)
    console.print(report.summary(), soft_wrap=True)
    if adjustments:
        console.print(adjustments.summary())


def _adjust_after(settings: Settings, dataset: str) -> AdjustmentReport | None:
    """Adjustments up to what was just loaded; None where nothing of it bears on them."""
    return refresh_adjustments(settings.warehouse_dsn) if dataset in ADJUSTING_DATASETS else None


def adjust(
    everything: Annotated[
        bool, typer.Option("--all", help="Look at every issue again, not only at what is new.")
    ] = False,
) -> None:
    """Find corporate actions in what is new and bring the adjustment factors up to date."""
    with plain_errors():
        report = refresh_adjustments(load_settings().warehouse_dsn, everything=everything)
    console.print(report.summary())


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


def _conclude(reports: Sequence[BatchReport]) -> None:
    published = sum(report.rows_published for report in reports)
    inserted = sum(report.rows_inserted for report in reports)
    updated = sum(report.rows_updated for report in reports)
    quarantined = sum(report.rows_quarantined for report in reports)
    if inserted + updated == 0:
        console.print(f"[bold]No row changed[/]: {published:,} rows read, {quarantined:,} of them in quarantine.")
    else:
        console.print(
            f"[bold]{published:,} rows read[/]: {inserted:,} new, {updated:,} corrected, "
            f"{published - inserted - updated - quarantined:,} unchanged, {quarantined:,} in quarantine."
        )
    refused = {session: why for report in reports for session, why in report.refused.items()}
    for session, why in list(refused.items())[:_SHOWN]:
        console.print(f"[yellow]{session}[/] {why}", highlight=False, soft_wrap=True)
    if len(refused) > _SHOWN:
        console.print(f'... and {len(refused) - _SHOWN} more: krxw query "SELECT * FROM mart.open_alarm"')
