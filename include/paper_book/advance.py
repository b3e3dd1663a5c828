"""Takes paper books through the sessions that have come in since, one transaction each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import psycopg

from include.paper_book import table
from include.paper_book.books import Book, InvalidBookError, read_books
from include.trading.portfolio import step
from include.trading.state import State
from include.warehouse.connection import connect

# A session whose bars or signals are not there holds the books until so many later ones have bars; then it is passed
# over, or traded with what there is.
_SESSIONS_WAITED_FOR = 5


@dataclass(frozen=True)
class BookProgress:
    """What a run did for one book; ``waits_for`` says what its next session lacks, in words."""

    book: str
    sessions: int
    trades: int
    last_session: date | None
    equity_krw: int
    orders: int
    waits_for: str | None

    def summary(self) -> str:
        """One line in plain words."""
        if self.last_session is None:
            return f"{self.book}: has not begun; {self.waits_for}"
        waits = f"; {self.waits_for}" if self.waits_for else ""
        return (
            f"{self.book}: {self.sessions:,} sessions entered, {self.trades:,} trades; {self.equity_krw:,} won on the "
            f"evening of {self.last_session}, {self.orders:,} orders for the next session{waits}"
        )


@dataclass(frozen=True)
class PaperReport:
    """What a run did, by book."""

    books: tuple[BookProgress, ...]

    def summary(self) -> str:
        """A line per book."""
        return "\n".join(book.summary() for book in self.books) or "there are no paper books"


def advance_books(
    dsn: str, through: date | None = None, *, start: date | None = None, names: Sequence[str] | None = None
) -> PaperReport:
    """Take each book through the sessions after its last one, as far as their bars and signals are there.

    Each session is one transaction: a run that dies leaves whole sessions, the next one goes on, and running again
    changes nothing. What was entered stays, whatever is corrected later.

    Args:
        dsn: the warehouse.
        through: the last session to enter; by default the latest there is.
        start: where books that have not begun do so, to replay the past; by default each at its own first session,
            or at the latest.
        names: the books; by default all.

    Raises:
        UnknownBookError: there is no such book.
        InvalidBookError: a book's rules are wrong, or ``start`` is given and a book named has begun already.
        WarehouseUnreachableError: the warehouse does not answer.
    """
    with connect(dsn, "etl", autocommit=True) as connection:
        books = read_books(connection, names)
        if start is not None:
            _require_not_begun(books, named=names is not None)
        return PaperReport(tuple(_advance(connection, book.name, through, start) for book in books))


def _require_not_begun(books: Sequence[Book], *, named: bool) -> None:
    begun = [book for book in books if book.state is not None]
    if begun and (named or len(begun) == len(books)):
        raise InvalidBookError(
            f"book {begun[0].name!r} has begun already and keeps what it did: add another one to replay the past"
        )


def _advance(connection: psycopg.Connection, name: str, through: date | None, start: date | None) -> BookProgress:
    sessions = trades = 0
    while True:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(hashtext('advance paper books'))")
            [book] = read_books(connection, [name])
            session, waits_for = _next_to_enter(connection, book, through, start)
            if session is None:
                break
            trades += _enter(connection, book, session)
            sessions += 1
    state = book.state or State.start(book.capital_krw)
    return BookProgress(
        book=name,
        sessions=sessions,
        trades=trades,
        last_session=state.session,
        equity_krw=state.equity_krw,
        orders=len(state.orders),
        waits_for=waits_for,
    )


def _next_to_enter(
    connection: psycopg.Connection, book: Book, through: date | None, start: date | None
) -> tuple[date | None, str | None]:
    """The session to enter next; None with what it waits for, if anything."""
    latest = table.latest_session(connection)
    if latest is None:
        return None, "no daily bars are loaded"
    last = latest if through is None else min(latest, through)
    if book.state is not None and book.state.session is not None:
        session = table.next_session(connection, book.state.session)
    else:
        session = table.next_session(connection, start or book.first_session or last, included=True)
    while session <= last:
        found = table.readiness(connection, book, session, _SESSIONS_WAITED_FOR)
        if found.missing is None:
            return session, None
        if found.later_sessions < _SESSIONS_WAITED_FOR:
            return None, f"session {session} waits for {found.missing}"
        if found.has_stocks:
            return session, None
        session = table.next_session(connection, session)
    return None, None if book.state is not None else f"it begins on {session}"


def _enter(connection: psycopg.Connection, book: Book, session: date) -> int:
    """Enter ``session``; the number of its trades."""
    before = book.state or State.start(book.capital_krw)
    signals = table.read_signals(connection, book, session)
    symbols = before.symbols | {signal.symbol for signal in signals if signal.side == "buy"}
    done = step(
        before,
        book.rules,
        session,
        table.read_bars(connection, session, symbols),
        signals,
        table.read_ratios(connection, before, session),
        table.read_delisted(connection, before, session),
    )
    table.write_step(connection, book, session, before, done, table.next_session(connection, session))
    return len(done.executions)
