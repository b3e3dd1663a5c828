"""Runs the screens that are kept and keeps what they find."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import psycopg

from include.screens.errors import FailedScreensError, IndicatorsBehindError, NothingToScreenError, SlowScreenError
from include.screens.screening import Found, find
from include.screens.table import (
    KeptScreen,
    keep_result,
    last_session,
    read_screens,
    require_indicators,
    run_sessions,
    screen_named,
    sessions_due,
)
from include.warehouse.connection import connect

_LOCK = "run screens"


@dataclass(frozen=True)
class ScreenRun:
    """A screen that was run and kept on a session."""

    screen: str
    version: int
    found: Found


@dataclass(frozen=True)
class ScreenReport:
    """What was run, and in words which screens wait for what."""

    runs: tuple[ScreenRun, ...]
    waiting: tuple[str, ...]

    def summary(self) -> str:
        """One line in plain words."""
        sessions = {run.found.session for run in self.runs}
        hits = sum(run.found.hits for run in self.runs)
        done = (
            f"{len(self.runs):,} runs over {len(sessions):,} sessions up to {max(sessions)}: {hits:,} hits"
            if self.runs
            else "no screen was due"
        )
        return "; ".join((done, *(f"waiting: {each}" for each in self.waiting)))


def run_screens(dsn: str, session: date | None = None) -> ScreenReport:
    """Run all screens on every session they are due on, or on ``session``, and keep what they find.

    Which sessions are due: :func:`include.screens.table.sessions_due`. A screen waits, and is run by a later call,
    while it lacks a column's values on a session (fundamentals come later than bars), or while the indicators lack
    what was loaded. Running again finds the same; each session is kept by itself. A screen that fails leaves its later
    sessions for another call; the other screens are run.

    Raises:
        FailedScreensError: screens that are kept cannot be run, or took too long; the message names them.
        NothingToScreenError: there are no indicators; or screens are there, and not one has been run on the last
            session, or on ``session``, because of what is missing.
        WarehouseUnreachableError: the warehouse does not answer.
    """
    runs: list[ScreenRun] = []
    waiting: dict[str, None] = {}
    behind = False
    with _screening(dsn) as connection:
        last = last_session(connection)
        if last is None:
            raise NothingToScreenError(
                "no indicators are in the warehouse: screens are of them; run the DAG indicators"
            )
        screens, invalid = read_screens(connection)
        failed = [str(error) for error in invalid]
        for kept in screens:
            for due in [session] if session else sessions_due(connection, kept):
                try:
                    found = _run(connection, kept, due, scheduled=True)
                except NothingToScreenError as missing:
                    waiting[str(missing)] = None
                    behind = behind or isinstance(missing, IndicatorsBehindError)
                except (psycopg.DataError, SlowScreenError) as error:
                    failed.append(f"screen {kept.screen.name}, version {kept.version}, on {due}: {error}")
                    break
                else:
                    runs.append(ScreenRun(kept.screen.name, kept.version, found))
        up_to_date = bool(runs) if session else last in run_sessions(connection).values()
    report = ScreenReport(tuple(runs), tuple(waiting))
    if failed:
        raise FailedScreensError("\n".join([*failed, f"the others: {report.summary()}"]))
    if waiting and not up_to_date and not behind:
        raise NothingToScreenError("no screen could be run:\n" + "\n".join(waiting))
    return report


def run_screen(dsn: str, name: str, session: date) -> Found:
    """Run one screen on ``session`` and keep what it finds; which sessions the schedule runs it on stays as it is.

    Raises:
        UnknownScreenError: there is none of that name.
        InvalidScreenError: it cannot be run.
        NothingToScreenError: no issue could be looked at, or not all indicators of the session are computed.
        SlowScreenError: it took too long.
        WarehouseUnreachableError: the warehouse does not answer.
    """
    with _screening(dsn) as connection:
        return _run(connection, screen_named(connection, name), session, scheduled=False)


@contextmanager
def _screening(dsn: str) -> Iterator[psycopg.Connection]:
    """A connection that alone runs screens. Indicators being computed are waited for, and none are meanwhile."""
    with connect(dsn, "etl", autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [_LOCK])
        connection.execute("SELECT pg_advisory_lock_shared(hashtext('refresh indicators'))")
        # A session that is run again may be of a year that the columnstore has compressed.
        connection.execute(
            "SELECT set_config(name, '0', false) FROM pg_settings "
            "WHERE name = 'timescaledb.max_tuples_decompressed_per_dml_transaction'"
        )
        # What is looked at is what the indicators were found to have, though batches are loaded meanwhile.
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        yield connection


def _run(connection: psycopg.Connection, kept: KeptScreen, session: date, *, scheduled: bool) -> Found:
    """Run one screen on one session and keep what it finds, in one transaction."""
    with connection.transaction():
        require_indicators(connection, session)
        found = find(connection, kept.screen, session)
        keep_result(connection, kept, found, scheduled=scheduled)
    return found
