"""``krxw screen``: the screens that are kept, what they look for and what they find."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import psycopg
import typer
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from include.cli.terminal import console, day, plain_errors
from include.screens.columns import COLUMNS
from include.screens.definition import Screen, in_words
from include.screens.errors import InvalidScreenError, NothingToScreenError
from include.screens.parse import parse_file
from include.screens.run import run_screen
from include.screens.screening import Found, find
from include.screens.table import add_screen, last_session, read_screens, remove_screen, run_sessions, screen_named
from include.settings import load_settings
from include.warehouse.connection import connect

screen = typer.Typer(help="Screens: conditions that issues are looked through for.", no_args_is_help=True)

_Name = Annotated[str, typer.Argument(help="Name of the screen.")]
_File = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="The screen in JSON: docs/screens.md.")
]
_WIDER_THAN_ANY = 10_000
_By = Annotated[str | None, typer.Option(help="Who; by default the login at the database.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands to ``app``."""
    app.add_typer(screen, name="screen")


@screen.command("list")
def list_screens() -> None:
    """List the screens that are run, and the last session each was run on."""
    with plain_errors(), _reading() as connection:
        kept, invalid = read_screens(connection)
        sessions = run_sessions(connection)
    table = _table("screen", "version", "conditions", "last run on", "meaning")
    for each in kept:
        done = str(sessions.get(each.screen.name, "never"))
        conditions = str(len(each.screen.conditions))
        _add_row(table, each.screen.name, str(each.version), conditions, done, each.screen.meaning)
    console.print(table)
    console.print(f"{len(kept):,} screens")
    if invalid:
        with plain_errors():
            raise InvalidScreenError(tuple(problem for error in invalid for problem in error.problems))


@screen.command()
def show(
    name: _Name, as_json: Annotated[bool, typer.Option("--json", help="As JSON, to be changed and added.")] = False
) -> None:
    """Show what a screen looks for."""
    with plain_errors(), _reading() as connection:
        kept = screen_named(connection, name)
    if as_json:
        typer.echo(json.dumps(kept.screen.document, ensure_ascii=False, indent=2))
        return
    _print(f"{kept.screen.title}: version {kept.version} of {name}, by {kept.created_by}")
    _describe(kept.screen)


@screen.command()
def check(file: _File) -> None:
    """Say whether a file holds a screen that can be run, and all that is wrong with it if not."""
    with plain_errors():
        _describe(parse_file(file))
    _print("It can be run.")


@screen.command()
def add(
    file: _File,
    replace: Annotated[bool, typer.Option("--replace", help="Make it the next version of the one there.")] = False,
    by: _By = None,
) -> None:
    """Keep a screen: from now on it is run on every session."""
    with plain_errors():
        new = parse_file(file)
        version = add_screen(load_settings().warehouse_dsn, new, replace=replace, created_by=by)
    _print(f"Kept: {new.name}, version {version}.")


@screen.command()
def remove(name: _Name, by: _By = None) -> None:
    """Run a screen no more; what it found stays."""
    with plain_errors():
        remove_screen(load_settings().warehouse_dsn, name, removed_by=by)
    _print(f"Removed: {name} is run no more. Its results stay.")


@screen.command()
def run(
    name: _Name,
    session: Annotated[
        date | None, typer.Option(parser=day, help="YYYY-MM-DD; by default the last with indicators.")
    ] = None,
    save: Annotated[bool, typer.Option("--save", help="Keep the result, as the DAG does.")] = False,
) -> None:
    """Run a screen on a session and print what it finds."""
    dsn = load_settings().warehouse_dsn
    with plain_errors():
        with _reading() as connection:
            kept = screen_named(connection, name)
            on = session or last_session(connection)
            if on is None:
                raise NothingToScreenError("no indicators are in the warehouse; run the DAG indicators")
            found = None if save else find(connection, kept.screen, on)
        if found is None:
            found = run_screen(dsn, name, on)
    _print_found(kept.screen, found)


@screen.command("columns")
def list_columns() -> None:
    """List the columns a screen may use."""
    table = _table("column", "unit", "values", "meaning")
    for column in COLUMNS.values():
        _add_row(table, column.name, column.unit or "text", column.range, column.meaning)
    console.print(table)


def _reading() -> psycopg.Connection:
    return connect(load_settings().warehouse_dsn, "analyst")


def _describe(shown: Screen) -> None:
    _print(shown.meaning)
    for condition in shown.conditions:
        _print(f"  {in_words(condition)}")
    if shown.rank:
        order = "highest" if shown.rank.descending else "lowest"
        kept = f", the first {shown.limit:,} kept" if shown.limit else ""
        _print(f"  by {shown.rank.column}, {order} first{kept}")


def _print_found(shown: Screen, found: Found) -> None:
    numbers = [column for column in shown.columns if column != "name"]
    right = ("rank", *(name for name in numbers if not COLUMNS[name].is_text))
    table = _table("rank", "symbol", "name", *numbers, right=right)
    for hit in found.kept:
        values = [_value(hit.values[column]) for column in numbers]
        _add_row(table, str(hit.rank), hit.symbol, hit.name or "", *values)
    unlimited = console.options.update(max_width=_WIDER_THAN_ANY)
    if console.measure(table, options=unlimited).maximum <= console.width:
        console.print(table)
    else:
        _print_below_each_other(found, numbers)
    kept = f", {len(found.kept):,} shown" if len(found.kept) < found.hits else ""
    _print(f"{found.session}: {found.hits:,} hits among {found.considered:,} issues considered{kept}")


def _print_below_each_other(found: Found, columns: Sequence[str]) -> None:
    """For terminals too narrow for a column each."""
    for hit in found.kept:
        _print(f"{hit.rank:4}  {hit.symbol}  {hit.name or ''}")
        values = (f"{column} {_value(hit.values[column])}" for column in columns)
        console.print(Padding(Text("  ".join(values), style="dim"), (0, 0, 0, 6)))


def _value(value: object) -> str:
    return f"{value:,.6g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _table(*headings: str, right: tuple[str, ...] = (), wrapped: tuple[str, ...] = ("meaning",)) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        justify: Literal["left", "right"] = "right" if heading in right else "left"
        table.add_column(heading, justify=justify, no_wrap=heading not in wrapped, overflow="fold")
    return table


def _add_row(table: Table, *cells: str) -> None:
    """Add the cells as they stand: a name with brackets is no markup."""
    table.add_row(*map(Text, cells))


def _print(text: str) -> None:
    console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)
