"""The paper books there are: what each follows, by which rules, and how far it has got."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from include.signals.catalogue import CATALOGUE, UnknownStrategyError, strategy_named
from include.trading.rules import InvalidRulesError, Rules
from include.trading.state import State
from include.warehouse.connection import connect

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


class PaperBookError(Exception):
    """What is asked of a paper book cannot be done; the message says why."""


class InvalidBookError(PaperBookError):
    """A book that cannot be, or cannot do what is asked."""


class UnknownBookError(PaperBookError):
    """There is no book of that name."""


@dataclass(frozen=True)
class Book:
    """A paper book.

    ``strategies`` whose signals it follows: None means all. ``first_session`` is where it starts: None means the latest
    at its first run. ``state`` is None until then. ``replayed_through`` is the latest session there was at a first run
    that began in the past; None where it replayed nothing.
    """

    name: str
    title: str
    capital_krw: int
    rules: Rules
    strategies: tuple[str, ...] | None
    high_priority_only: bool
    first_session: date | None
    state: State | None
    replayed_through: date | None

    @property
    def follows_flows(self) -> bool:
        """Whether it follows a strategy that looks at investor flows, which are published after the bars."""
        return any(
            strategy.of_flows for strategy in CATALOGUE if self.strategies is None or strategy.name in self.strategies
        )


@dataclass(frozen=True)
class NewBook:
    """A book to be opened; ``rules`` are those that differ from the defaults, by name."""

    name: str
    title: str
    capital_krw: int
    strategies: tuple[str, ...] | None = None
    high_priority_only: bool = False
    rules: Mapping[str, Any] | None = None
    first_session: date | None = None


def add_book(dsn: str, new: NewBook) -> None:
    """Open a book; it starts at the next run.

    Raises:
        InvalidBookError: the name is taken or none, the capital not positive, a rule or a strategy unknown or wrong, or
            the first session beyond the calendar.
        WarehouseUnreachableError: the warehouse does not answer.
    """
    if not _NAME.fullmatch(new.name):
        raise InvalidBookError(f"{new.name!r} is no name of a book: expected lower-case letters, digits and _")
    if not new.title.strip():
        raise InvalidBookError("a book needs a title")
    if new.capital_krw <= 0:
        raise InvalidBookError(f"the capital is positive, got {new.capital_krw:,} won")
    if new.strategies is not None and not new.strategies:
        raise InvalidBookError("a book follows at least one strategy")
    try:
        Rules.from_dict(new.rules or {})
        for strategy in new.strategies or ():
            strategy_named(strategy)
    except (InvalidRulesError, UnknownStrategyError) as error:
        raise InvalidBookError(str(error)) from error
    with connect(dsn, "etl") as connection:
        if new.first_session is not None:
            _require_in_calendar(connection, new.first_session)
        added = connection.execute(
            "INSERT INTO derived.paper_book "
            "(book, title, capital_krw, rules, strategies, high_priority_only, first_session) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [
                new.name,
                new.title,
                new.capital_krw,
                Jsonb(dict(new.rules or {})),
                None if new.strategies is None else list(new.strategies),
                new.high_priority_only,
                new.first_session,
            ],
        )
        if not added.rowcount:
            raise InvalidBookError(f"there is a book {new.name!r} already; a book keeps what it did")


def _require_in_calendar(connection: psycopg.Connection, first_session: date) -> None:
    [[last]] = connection.execute("SELECT max(session) FROM market.session").fetchall()
    if last is None or first_session > last:
        raise InvalidBookError(f"no book can start on {first_session}: the calendar ends on {last}")


def book_names(connection: psycopg.Connection, wanted: Sequence[str] | None = None) -> list[str]:
    """The names of all books, or those ``wanted``, in order.

    Raises:
        UnknownBookError: there is no book of a name wanted.
    """
    known = [book for (book,) in connection.execute("SELECT book FROM derived.paper_book ORDER BY book")]
    if wanted is None:
        return known
    if missing := sorted(set(wanted) - set(known)):
        raise UnknownBookError(f"there is no book {missing[0]!r}; there are: {', '.join(known)}")
    return sorted(set(wanted))


def read_book(connection: psycopg.Connection, name: str) -> Book:
    """The book of that name.

    Raises:
        UnknownBookError: there is none.
        InvalidBookError: its rules or its state are none, or it follows a strategy that is not declared.
    """
    book_names(connection, [name])
    with connection.cursor(row_factory=dict_row) as cursor:
        [row] = cursor.execute("SELECT * FROM derived.paper_book WHERE book = %s", [name]).fetchall()
    try:
        rules = Rules.from_dict(row["rules"])
        for strategy in row["strategies"] or ():
            strategy_named(strategy)
    except (InvalidRulesError, UnknownStrategyError) as error:
        raise InvalidBookError(str(error)) from error
    return Book(
        name=name,
        title=row["title"],
        capital_krw=row["capital_krw"],
        rules=rules,
        strategies=None if row["strategies"] is None else tuple(row["strategies"]),
        high_priority_only=row["high_priority_only"],
        first_session=row["first_session"],
        state=None if row["state"] is None else _state(row["state"]),
        replayed_through=row["replayed_through"],
    )


def _state(values: Mapping[str, Any]) -> State:
    try:
        return State.from_dict(values)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidBookError(f"its state is none: {type(error).__name__}: {error}") from error
