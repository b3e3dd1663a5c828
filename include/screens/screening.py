"""One screen on one session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg.errors import QueryCanceled

from include.screens.compile import compile_presence, compile_screen
from include.screens.definition import Screen
from include.screens.errors import NothingToScreenError, SlowScreenError

# A screen takes a second or two; one that looks back a year at all issues a minute.
LONGEST = "300s"


@dataclass(frozen=True)
class Hit:
    """An issue that fulfils all conditions, with the values of the columns looked at."""

    rank: int
    symbol: str
    name: str | None
    values: dict[str, Any]


@dataclass(frozen=True)
class Found:
    """What a screen found on a session.

    ``considered`` issues traded and have a value in every column the screen looks at; ``hits`` of them fulfil all
    conditions, and ``kept`` are the first of these by rank.
    """

    session: date
    considered: int
    hits: int
    kept: tuple[Hit, ...]


def find(connection: psycopg.Connection, screen: Screen, session: date) -> Found:
    """Run ``screen`` on ``session``. No hit is a result.

    Raises:
        NothingToScreenError: no issue traded and has a value in every column; the message says what is missing.
        SlowScreenError: it took longer than :data:`LONGEST`, or than the login may ask for.
        psycopg.DataError: the server cannot compute a condition.
    """
    query = compile_screen(screen, session)
    with connection.transaction():
        connection.execute(
            "SELECT set_config('statement_timeout', %s, true) WHERE current_setting('statement_timeout') = '0'",
            [LONGEST],
        )
        try:
            rows = connection.execute(query.statement, query.parameters).fetchall()
        except QueryCanceled as error:
            raise SlowScreenError(
                f"{screen.name} was broken off on {session}: {error.diag.message_primary}. Add a condition that "
                "fewer issues fulfil, or look back over fewer sessions"
            ) from error
    considered, hits = rows[0][:2]
    if not considered:
        raise NothingToScreenError(_what_is_missing(connection, screen, session))
    return Found(session, considered, hits, tuple(Hit(*row[2:]) for row in rows if row[2] is not None))


def _what_is_missing(connection: psycopg.Connection, screen: Screen, session: date) -> str:
    query = compile_presence(screen, session)
    [[traded, *counts]] = connection.execute(query.statement, query.parameters).fetchall()
    about = f"{screen.name} has nothing to look at on {session}"
    if not traded:
        return f"{about}: no issue that traded has indicators; is it a session, and did the DAG indicators run?"
    missing = [name for name, count in zip(screen.columns, counts, strict=True) if not count]
    if missing:
        return f"{about}: of {traded:,} issues that traded none has {', '.join(missing)}; load what these come from"
    return f"{about}: of {traded:,} issues that traded none has a value in every one of {', '.join(screen.columns)}"
