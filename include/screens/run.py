"""Runs the screens that are kept and keeps what they find."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from include.screens.errors import NothingToScreenError
from include.screens.screening import Found, find
from include.screens.table import (
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

    A screen is due from the first session it was run on; one never run begins with the last session that has
    indicators. A screen that lacks a column's values on a session (fundamentals come later than bars) waits: it is
    run once they are there. Running again changes nothing; each session is kept by itself.

    Raises:
        NothingToScreenError: there are no indicators, or not all of them are computed; or screens are there, and not
            one has been run on the last session, or on ``session``, because of what is missing.
        InvalidScreenError: a screen that is kept is none.
        WarehouseUnreachableError: the warehouse does not answer.
    """
    runs: list[ScreenRun] = []
    waiting: list[str] = []
    with connect(dsn, "etl", autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [_LOCK])
        # Indicators that are being computed are waited for.
        connection.execute("SELECT pg_advisory_lock_shared(hashtext('refresh indicators'))")
        last = last_session(connection)
        if last is None:
            raise NothingToScreenError(
                "no indicators are in the warehouse: screens are of them; run the DAG indicators"
            )
        require_indicators(connection, session or last)
        for kept in read_screens(connection):
            for due in [session] if session else sessions_due(connection, kept):
                try:
                    with connection.transaction():
                        found = find(connection, kept.screen, due)
                        keep_result(connection, kept, found)
                except NothingToScreenError as missing:
                    waiting.append(str(missing))
                else:
                    runs.append(ScreenRun(kept.screen.name, kept.version, found))
        up_to_date = bool(runs) if session else last in run_sessions(connection).values()
    if waiting and not up_to_date:
        raise NothingToScreenError("no screen could be run:\n" + "\n".join(waiting))
    return ScreenReport(tuple(runs), tuple(waiting))


def run_screen(dsn: str, name: str, session: date) -> Found:
    """Run one screen on ``session`` and keep what it finds.

    Raises:
        UnknownScreenError: there is none of that name.
        NothingToScreenError: no issue could be looked at, or not all indicators of the session are computed.
        WarehouseUnreachableError: the warehouse does not answer.
    """
    with connect(dsn, "etl") as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [_LOCK])
        require_indicators(connection, session)
        kept = screen_named(connection, name)
        found = find(connection, kept.screen, session)
        keep_result(connection, kept, found)
    return found
