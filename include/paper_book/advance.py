"""Takes paper books through the sessions that have come in since, one transaction each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import psycopg

from include.market.limits import UnknownLimitError
from include.paper_book import table
from include.paper_book.books import Book, InvalidBookError, PaperBookError, book_names, read_book
from include.trading.costs import UnknownTaxError
from include.trading.portfolio import step
from include.trading.state import State
from include.warehouse.connection import connect

# A session whose bars or signals are not there holds the books until so many later ones have bars; then it is passed
# over, or traded with what there is.
_SESSIONS_WAITED_FOR = 5
# What is published in the morning comes while one later session has bars, at most.
_LATER_SESSIONS_IN_TIME = 1
# What is wrong with one book, and no reason for the others to stop.
_ERRORS_OF_ONE_BOOK = (PaperBookError, UnknownTaxError, UnknownLimitError, psycopg.DataError, psycopg.IntegrityError)


class BooksNotAdvancedError(PaperBookError):
    """Some books could not be taken on; the message names each with the reason. The others were."""


class BooksBehindError(PaperBookError):
    """Books wait for what should have been there by now; the message says for what."""


@dataclass(frozen=True)
class BookProgress:
    """What a run did for one book.

    ``waits_for`` says what its next session lacks, in words; ``later_sessions`` counts those after it that have bars.
    """

    book: str
    sessions: int
    trades: int
    last_session: date | None
    equity_krw: int
    orders: int
    waits_for: str | None
    later_sessions: int

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

    def require_in_time(self) -> None:
        """Check that no book waits for more of what sources publish than the morning's.

        Raises:
            BooksBehindError: more than one session has bars after the one a book waits with.
        """
        behind = [book for book in self.books if book.later_sessions > _LATER_SESSIONS_IN_TIME]
        if behind:
            raise BooksBehindError(
                "; ".join(
                    f"book {book.book!r} is behind: {book.waits_for}; {book.later_sessions} later sessions have bars"
                    for book in behind
                )
            )


def advance_books(
    dsn: str, through: date | None = None, *, start: date | None = None, names: Sequence[str] | None = None
) -> PaperReport:
    """Take each book through the sessions after its last one, as far as their bars and signals are there.

    A book that cannot be taken on does not stop the others.

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
        InvalidBookError: ``start`` is given and a book named has begun already.
        BooksNotAdvancedError: some books could not be taken on; its note says what the others did.
        WarehouseUnreachableError: the warehouse does not answer.
    """
    done: list[BookProgress] = []
    failed: dict[str, Exception] = {}
    with connect(dsn, "etl", autocommit=True) as connection:
        books = book_names(connection, names)
        if start is not None:
            _require_not_begun(connection, books, named=names is not None)
        for name in books:
            try:
                done.append(_advance(connection, name, through, start))
            except _ERRORS_OF_ONE_BOOK as error:
                failed[name] = error
    report = PaperReport(tuple(done))
    if failed:
        stopped = BooksNotAdvancedError("\n".join(f"book {name!r}: {error}" for name, error in failed.items()))
        if done:
            stopped.add_note(f"The other books went on.\n{report.summary()}")
        raise stopped from next(iter(failed.values()))
    return report


def _require_not_begun(connection: psycopg.Connection, books: Sequence[str], *, named: bool) -> None:
    begun = connection.execute(
        "SELECT book FROM derived.paper_book WHERE book = ANY (%s) AND last_session IS NOT NULL ORDER BY book",
        [list(books)],
    ).fetchall()
    if begun and (named or len(begun) == len(books)):
        raise InvalidBookError(
            f"book {begun[0][0]!r} has begun already and keeps what it did: add another one to replay the past"
        )


def _advance(connection: psycopg.Connection, name: str, through: date | None, start: date | None) -> BookProgress:
    sessions = trades = 0
    while True:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(hashtext('advance paper books'))")
            book = read_book(connection, name)
            coming = _next_to_enter(connection, book, through, start)
            if coming.session is None:
                break
            trades += _enter(connection, book, coming.session)
            sessions += 1
    state = book.state or State.start(book.capital_krw)
    return BookProgress(
        book=name,
        sessions=sessions,
        trades=trades,
        last_session=state.session,
        equity_krw=state.equity_krw,
        orders=len(state.orders),
        waits_for=coming.waits_for,
        later_sessions=coming.later_sessions,
    )


@dataclass(frozen=True)
class _Coming:
    """The session to enter next; None with what it waits for, if anything, while so many later ones have bars."""

    session: date | None
    waits_for: str | None = None
    later_sessions: int = 0


def _next_to_enter(connection: psycopg.Connection, book: Book, through: date | None, start: date | None) -> _Coming:
    first, latest = table.first_session(connection), table.latest_session(connection)
    if first is None or latest is None:
        return _Coming(None, "no daily bars are loaded")
    last = latest if through is None else min(latest, through)
    if book.state is not None and book.state.session is not None:
        session = table.next_session(connection, book.state.session)
    else:
        wanted = start or book.first_session or last
        session = table.next_session(connection, max(wanted, first), included=True)
    while session <= last:
        found = table.readiness(connection, book, session, _SESSIONS_WAITED_FOR)
        if found.missing is None:
            return _Coming(session)
        if found.later_sessions < _SESSIONS_WAITED_FOR:
            # What follows from the published is at work, or red itself.
            lag = 0 if found.is_published else found.later_sessions
            return _Coming(None, f"session {session} waits for {found.missing}", lag)
        if found.has_stocks:
            return _Coming(session)
        session = table.next_session(connection, session)
    return _Coming(None, None if book.state is not None else f"it begins on {session}")


def _enter(connection: psycopg.Connection, book: Book, session: date) -> int:
    """Enter ``session``; the number of its trades."""
    before = book.state or State.start(book.capital_krw)
    coming = table.next_session(connection, session)
    replayed_through = _replayed_through(connection, book, session)
    is_replayed = replayed_through is not None and session <= replayed_through
    signals = table.read_signals(connection, book, session, None if is_replayed else coming)
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
    table.write_step(connection, book, session, before, done, coming, replayed_through)
    return len(done.executions)


def _replayed_through(connection: psycopg.Connection, book: Book, session: date) -> date | None:
    """A book whose first ``session`` is not the latest replays the past up to what there is at its first run."""
    if book.state is not None:
        return book.replayed_through
    latest = table.latest_session(connection)
    return latest if latest is not None and session < latest else None
