"""``krxw actions``: corporate actions found, what is known of each, and what an operator decides."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

import typer
from psycopg.rows import dict_row
from rich.table import Table

from include.adjustments.decisions import NewDecision, decide
from include.adjustments.evidence import Kind, Status
from include.adjustments.report import Week, write_weekly_report
from include.cli.terminal import console, day, plain_errors
from include.market.calendar import KST
from include.settings import load_settings
from include.warehouse.connection import connect

actions = typer.Typer(help="Corporate actions: what was found, and what you decide about it.", no_args_is_help=True)

_LISTED = """
    SELECT symbol, name, ex_date, kind, status, applied_ratio, confidence
    FROM mart.corporate_action
    WHERE (%(symbol)s::text IS NULL OR symbol = %(symbol)s)
        AND (%(first)s::date IS NULL OR ex_date >= %(first)s)
        AND (%(last)s::date IS NULL OR ex_date <= %(last)s)
        AND (%(status)s::text IS NULL OR status = %(status)s)
    ORDER BY ex_date, symbol
"""
_HELD = """
    SELECT * FROM mart.corporate_action_version WHERE symbol = %(symbol)s AND ex_date = %(ex_date)s ORDER BY known_at
"""

_Symbol = Annotated[str, typer.Argument(help="Short code, e.g. 005930.")]
_ExDate = Annotated[date, typer.Argument(parser=day, help="Ex-date, YYYY-MM-DD.")]
_Reason = Annotated[str, typer.Option(help="Why; kept with the decision.")]
_By = Annotated[str | None, typer.Option(help="Who; by default the login at the database.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands to ``app``."""
    app.add_typer(actions, name="actions")


@actions.command("list")
def list_actions(
    symbol: Annotated[str | None, typer.Option(help="Only this issue.")] = None,
    first: Annotated[date | None, typer.Option("--from", parser=day, help="First ex-date, YYYY-MM-DD.")] = None,
    last: Annotated[date | None, typer.Option("--to", parser=day, help="Last ex-date, YYYY-MM-DD.")] = None,
    status: Annotated[Status | None, typer.Option(help="Only those of this status.")] = None,
) -> None:
    """List corporate actions, the latest last."""
    with plain_errors():
        rows = _read(_LISTED, {"symbol": symbol, "first": first, "last": last, "status": status})
    table = Table(box=None, pad_edge=False)
    for heading in ("symbol", "ex-date", "kind", "status"):
        table.add_column(heading, no_wrap=True)
    for heading in ("applied", "sure"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("name", no_wrap=True, max_width=16)
    for row in rows:
        ratio, sure = f"{row['applied_ratio']:.6f}", f"{row['confidence']:.0%}"
        table.add_row(row["symbol"], str(row["ex_date"]), row["kind"], row["status"], ratio, sure, row["name"])
    console.print(table)
    console.print(f"{len(rows):,} corporate actions")


@actions.command()
def show(symbol: _Symbol, ex_date: _ExDate) -> None:
    """Show all that was ever held of one action, and when."""
    with plain_errors():
        rows = _read(_HELD, {"symbol": symbol, "ex_date": ex_date})
    if not rows:
        console.print(f"No action of {symbol} on {ex_date} is or was known.")
        raise typer.Exit(1)
    for row in rows:
        until = f" until {row['superseded_at']:%Y-%m-%d %H:%M %Z}" if row["superseded_at"] else ", and still"
        console.print(f"[bold]{row['kind']}[/], {row['status']}, known {row['known_at']:%Y-%m-%d %H:%M %Z}{until}")
        console.print(f"  applied {row['applied_ratio']:.6f} by {row['applied_basis']}, {row['confidence']:.0%} sure")
        console.print(f"  {row['evidence']}", markup=False, highlight=False, soft_wrap=True)


@actions.command()
def confirm(symbol: _Symbol, ex_date: _ExDate, reason: _Reason, by: _By = None) -> None:
    """Confirm an action as it was found."""
    _decide(NewDecision(symbol, ex_date, "confirm", reason, decided_by=by))


@actions.command()
def correct(
    symbol: _Symbol,
    ex_date: _ExDate,
    reason: _Reason,
    kind: Annotated[Kind | None, typer.Option(help="What it really was.")] = None,
    ratio: Annotated[float | None, typer.Option(help="What earlier prices are multiplied by.")] = None,
    by: _By = None,
) -> None:
    """Correct the kind of an action, the ratio applied, or both."""
    _decide(NewDecision(symbol, ex_date, "correct", reason, kind, ratio, by))


@actions.command()
def add(
    symbol: _Symbol,
    ex_date: _ExDate,
    reason: _Reason,
    kind: Annotated[Kind, typer.Option(help="What it was.")],
    ratio: Annotated[float, typer.Option(help="What earlier prices are multiplied by.")],
    by: _By = None,
) -> None:
    """Add an action that was not found."""
    _decide(NewDecision(symbol, ex_date, "add", reason, kind, ratio, by))


@actions.command()
def dismiss(symbol: _Symbol, ex_date: _ExDate, reason: _Reason, by: _By = None) -> None:
    """Dismiss an action: prices keep their scale."""
    _decide(NewDecision(symbol, ex_date, "dismiss", reason, decided_by=by))


@actions.command()
def withdraw(symbol: _Symbol, ex_date: _ExDate, reason: _Reason, by: _By = None) -> None:
    """Withdraw the decisions about an action: what is found holds again."""
    _decide(NewDecision(symbol, ex_date, "withdraw", reason, decided_by=by))


@actions.command()
def report(week: Annotated[str, typer.Option(help="ISO week, as 2024-W02; by default this one.")] = "") -> None:
    """Write the page of what was found in a week."""
    try:
        asked = Week.named(week) if week else Week.of(datetime.now(KST).date())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--week") from error
    with plain_errors():
        path = write_weekly_report(load_settings(), asked)
    console.print(f"Corporate actions of {asked}: {path}", soft_wrap=True)


def _decide(new: NewDecision) -> None:
    with plain_errors():
        changes = decide(load_settings().warehouse_dsn, new)
    touched = ", ".join(changes.symbols_with_factors_changed) or "no symbol"
    console.print(f"Kept: {new.decision} {new.symbol} {new.ex_date}. Factors changed of {touched}.")


def _read(query: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    with (
        connect(load_settings().warehouse_dsn, "analyst") as connection,
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        return cursor.execute(query.encode(), parameters).fetchall()
