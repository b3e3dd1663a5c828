"""``krxw signals``: what the strategies say, and bringing it up to date."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import typer
from psycopg.rows import dict_row
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from include.cli.terminal import console, day, plain_errors
from include.settings import load_settings
from include.signals.catalogue import CATALOGUE, strategy_named
from include.signals.table import refresh_signals
from include.warehouse.connection import connect

signals = typer.Typer(help="Signals: what the strategies say of each issue.", no_args_is_help=True)

_LISTED = """
    SELECT session, symbol, name, side, strength, priority, strategy, reason
    FROM mart.signal
    WHERE (%(session)s::date IS NULL OR session = %(session)s)
        AND (%(symbol)s::text IS NULL OR symbol = %(symbol)s)
        AND (%(strategy)s::text IS NULL OR strategy = %(strategy)s)
    ORDER BY session DESC, strength DESC, symbol, strategy
    LIMIT %(limit)s
"""
_NEWEST = "SELECT max(through) AS session FROM derived.signal_state"


def register(app: typer.Typer) -> None:
    """Add this module's commands to ``app``."""
    app.add_typer(signals, name="signals")


@signals.command()
def refresh(
    everything: Annotated[
        bool, typer.Option("--all", help="Evaluate all history again, not only what is new.")
    ] = False,
) -> None:
    """Bring signals up to the indicators."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with plain_errors(), Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task("symbols", total=None)
        report = refresh_signals(
            load_settings().warehouse_dsn,
            everything=everything,
            on_block=lambda done, total: progress.update(task, completed=done, total=total),
        )
    console.print(report.summary(), highlight=False, soft_wrap=True)


@signals.command("list")
def list_signals(
    session: Annotated[
        date | None, typer.Option(parser=day, help="Of this session, YYYY-MM-DD; by default the newest.")
    ] = None,
    strategy: Annotated[str | None, typer.Option(help="Only this strategy's, e.g. golden_cross_20_60.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Only this issue's, of all sessions unless one is given.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
) -> None:
    """List signals that stand: the newest session's, the strongest first."""
    with plain_errors():
        if strategy is not None:
            strategy_named(strategy)
        if session is None and symbol is None:
            [newest] = _read(_NEWEST, {})
            session = newest["session"]
        asked = {"session": session, "strategy": strategy, "symbol": symbol, "limit": limit + 1}
        rows = _read(_LISTED, asked) if session or symbol else []
    if not rows:
        of = f" on {session}" if session else ""
        console.print(f"There are no such signals{of}. Were they looked for? krxw signals refresh")
        return
    table = Table(box=None, pad_edge=False)
    headings = ("symbol", "name", "side") if session else ("session", "symbol", "name", "side")
    for heading in headings:
        table.add_column(heading, no_wrap=True, max_width=16)
    table.add_column("strength", justify="right", no_wrap=True)
    table.add_column("strategy: reason", no_wrap=False)
    for row in rows[:limit]:
        strength = f"[bold]{row['strength']:.0f}[/]" if row["priority"] == "high" else f"{row['strength']:.0f}"
        place = (escape(str(row[heading] or "")) for heading in headings)
        table.add_row(*place, strength, f"{row['strategy']}: {escape(row['reason'])}")
    console.print(table)
    of = f"{session}: " if session else ""
    more = f"the first {limit:,}; there are more: --limit" if len(rows) > limit else f"{len(rows):,} signals"
    console.print(f"{of}{more}, high priority in bold", highlight=False)


@signals.command()
def strategies() -> None:
    """List the strategies."""
    table = Table(box=None, pad_edge=False)
    for heading in ("strategy", "side", "signal when"):
        table.add_column(heading, no_wrap=heading != "signal when")
    for strategy in CATALOGUE:
        table.add_row(strategy.name, strategy.side, escape(strategy.words.replace("`", "")))
    console.print(table)


def _read(query: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    with (
        connect(load_settings().warehouse_dsn, "analyst") as connection,
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        return cursor.execute(query.encode(), parameters).fetchall()
