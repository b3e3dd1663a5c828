"""``krxw book``: the paper books, what they hold and how they did, and taking them on."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import typer
from psycopg.rows import dict_row
from rich.markup import escape
from rich.table import Table

from include.cli.terminal import console, day, plain_errors
from include.paper_book.advance import advance_books
from include.paper_book.books import NewBook, add_book, read_book
from include.settings import load_settings
from include.warehouse.connection import connect

book = typer.Typer(help="Paper books: what following the signals would have traded.", no_args_is_help=True)

_LISTED = """
    SELECT book.book, book.title, book.last_session, day.equity_krw, day.total_return, day.index_return, day.holdings,
        day.trades
    FROM derived.paper_book AS book
    LEFT JOIN mart.paper_performance AS day ON (day.book, day.session) = (book.book, book.last_session)
    ORDER BY book.book
"""
_PERFORMANCE = "SELECT * FROM mart.paper_performance WHERE book = %(book)s ORDER BY session DESC LIMIT 1"
_POSITIONS = "SELECT * FROM mart.position WHERE book = %(book)s ORDER BY symbol"
_ORDERS = """
    SELECT placed.*, issue.name
    FROM derived.paper_order AS placed LEFT JOIN market.instrument AS issue USING (symbol)
    WHERE book = %(book)s AND status = 'placed' ORDER BY side DESC, symbol
"""

_Name = Annotated[str, typer.Argument(help="Name of the book.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands to ``app``."""
    app.add_typer(book, name="book")


@book.command("list")
def list_books() -> None:
    """List the books, with what each is worth."""
    with plain_errors():
        rows = _read(_LISTED, {})
    table = _table("book", "as of", "equity", "return", "KOSPI", "held", "trades", "title", right=range(2, 7))
    for row in rows:
        table.add_row(
            row["book"],
            str(row["last_session"] or "not begun"),
            _won(row["equity_krw"]),
            _percent(row["total_return"]),
            _percent(row["index_return"]),
            _won(row["holdings"]),
            _won(row["trades"]),
            escape(row["title"]),
        )
    console.print(table)
    console.print(f"{len(rows):,} books")


@book.command()
def show(name: _Name) -> None:
    """Show a book's rules, how it did, what it holds and what it ordered."""
    with plain_errors():
        with connect(load_settings().warehouse_dsn, "analyst") as connection:
            found = read_book(connection, name)
        performance = _read(_PERFORMANCE, {"book": name})
        positions, orders = _read(_POSITIONS, {"book": name}), _read(_ORDERS, {"book": name})
    console.print(f"[bold]{found.name}[/]: {escape(found.title)}", highlight=False)
    followed = ", ".join(found.strategies) if found.strategies else "all strategies"
    priority = ", signals of high priority only" if found.high_priority_only else ""
    console.print(f"Follows {followed}{priority}.", soft_wrap=True, highlight=False)
    rules = ", ".join(f"{rule} {'none' if value is None else value}" for rule, value in found.rules.to_dict().items())
    console.print(f"Rules: {rules}.", soft_wrap=True, highlight=False)
    if not performance:
        console.print("It has not begun: krxw book advance.")
        return
    [last] = performance
    win_rate = "none closed" if last["win_rate"] is None else f"{last['win_rate']:.0%} of them with a gain"
    index = "not loaded" if last["index_return"] is None else _percent(last["index_return"])
    console.print(
        f"On the evening of {last['session']}: {last['equity_krw']:,} won, {last['total_return']:+.2%} since it began "
        f"(KOSPI {index}), {last['drawdown']:.2%} from its peak; {last['trades']:,} positions "
        f"closed, {win_rate}; {last['fees_krw']:,} won of fees and {last['taxes_krw']:,} of taxes paid.",
        soft_wrap=True,
        highlight=False,
    )
    table = _table("symbol", "opened", "shares", "entry", "close", "stop", "target", "gain", "name", right=range(2, 8))
    for row in positions:
        entry, stop, target = (_price(row[column]) for column in ("entry_price", "stop", "target"))
        gain = _percent(row["unrealised_return"])
        shares, close = _won(row["shares"]), _won(row["close"])
        table.add_row(
            row["symbol"], str(row["opened"]), shares, entry, close, stop, target, gain, _issue_name(row["name"])
        )
    console.print(table)
    table = _table("symbol", "order", "shares", "for", "cause", "strategy", "name", right=(2,))
    for row in orders:
        cause, strategy = row["cause"], row["strategy"]
        shares = _won(row["shares"])
        table.add_row(
            row["symbol"], row["side"], shares, str(row["session"]), cause, strategy, _issue_name(row["name"])
        )
    console.print(table)


@book.command()
def add(
    name: _Name,
    title: Annotated[str, typer.Option(help="What it is, for people.")],
    capital: Annotated[int, typer.Option(help="Cash it starts with, won.")] = 100_000_000,
    strategy: Annotated[list[str] | None, typer.Option(help="A strategy to follow; again for more.")] = None,
    high_priority_only: Annotated[bool, typer.Option(help="Follow signals of high priority only.")] = False,
    rule: Annotated[
        list[str] | None,
        typer.Option(help="A rule, as max_holdings=5 or stop_loss_pct=none; again for more."),
    ] = None,
    first: Annotated[
        date | None, typer.Option("--from", parser=day, help="Session to start at, YYYY-MM-DD. Default: the latest.")
    ] = None,
) -> None:
    """Open a book; it starts at the next run."""
    rules = _rules(rule or [])
    with plain_errors():
        new = NewBook(name, title, capital, tuple(strategy) if strategy else None, high_priority_only, rules, first)
        add_book(load_settings().warehouse_dsn, new)
    console.print(f"Book {name} is open with {capital:,} won.")


@book.command()
def advance(
    names: Annotated[list[str] | None, typer.Argument(help="Books; by default all.")] = None,
    first: Annotated[
        date | None,
        typer.Option("--from", parser=day, help="Where books that have not begun start, to replay the past."),
    ] = None,
    last: Annotated[date | None, typer.Option("--to", parser=day, help="Last session; by default the latest.")] = None,
) -> None:
    """Take books through the sessions that have come in."""
    with plain_errors():
        report = advance_books(load_settings().warehouse_dsn, last, start=first, names=names or None)
    console.print(report.summary(), markup=False, highlight=False, soft_wrap=True)


def _rules(texts: list[str]) -> dict[str, float | int | None]:
    rules: dict[str, float | int | None] = {}
    for name, value in map(_rule, texts):
        if name in rules:
            raise typer.BadParameter(f"{name} is given twice", param_hint="--rule")
        rules[name] = value
    return rules


def _rule(text: str) -> tuple[str, float | int | None]:
    name, found, value = text.partition("=")
    if not found:
        raise typer.BadParameter(f"{text!r} is no rule: expected NAME=VALUE", param_hint="--rule")
    if value.lower() == "none":
        return name, None
    try:
        return name, int(value) if value.lstrip("-").isdigit() else float(value)
    except ValueError:
        raise typer.BadParameter(f"{value!r} is no number for {name}", param_hint="--rule") from None


def _read(query: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    with (
        connect(load_settings().warehouse_dsn, "analyst") as connection,
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        return cursor.execute(query.encode(), parameters).fetchall()


def _table(*headings: str, right: range | tuple[int, ...]) -> Table:
    table = Table(box=None, pad_edge=False)
    for place, heading in enumerate(headings):
        last = place == len(headings) - 1
        justify = "right" if place in right else "left"
        # What is last, a title or name, gives way where the terminal is narrow.
        table.add_column(heading, justify=justify, no_wrap=not last, max_width=40 if last else None)  # type: ignore[arg-type]
    return table


def _issue_name(value: str | None) -> str:
    return escape(value or "")


def _won(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _price(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:+.2%}"
