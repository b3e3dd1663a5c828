"""Screens and their results in the warehouse."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from include.indicators.due import INDICATED_DATASETS
from include.screens.columns import did_you_mean
from include.screens.definition import Screen
from include.screens.errors import (
    DuplicateScreenError,
    IndicatorsBehindError,
    InvalidScreenError,
    NothingToScreenError,
    UnknownScreenError,
)
from include.screens.parse import parse_screen
from include.screens.screening import Found
from include.warehouse.connection import SQL_QUERIES, connect

# A session older than this stays as it was found, whatever is loaded later.
OPEN_SESSIONS = 5
_BARS = ("daily_bar", "etp_daily_bar")
# What a screen looks at, by itself or through the indicators.
SCREENED_DATASETS = (*INDICATED_DATASETS, "fundamental")


@dataclass(frozen=True)
class KeptScreen:
    """A version of a screen as it is kept."""

    screen: Screen
    version: int
    created_by: str
    created_at: datetime


@dataclass(frozen=True)
class _Stored:
    """The last version of a screen, as it stands in the table."""

    name: str
    version: int
    title: str
    meaning: str
    definition: dict[str, Any]
    created_by: str
    created_at: datetime


def read_screens(connection: psycopg.Connection) -> tuple[list[KeptScreen], list[InvalidScreenError]]:
    """The screens that are run, each in its last version, by name; and what is wrong with those that cannot be.

    One cannot be run that was written by other means than :func:`add_screen`, or asks for a column there is no more.
    """
    screens: list[KeptScreen] = []
    invalid: list[InvalidScreenError] = []
    for stored in _stored(connection).values():
        try:
            screens.append(_kept(stored))
        except InvalidScreenError as error:
            invalid.append(error)
    return screens, invalid


def screen_named(connection: psycopg.Connection, name: str) -> KeptScreen:
    """The screen called ``name``.

    Raises:
        UnknownScreenError: there is none, or it was removed; the message names those like it.
        InvalidScreenError: it cannot be run: see :func:`read_screens`.
    """
    return _kept(_stored_as(connection, name))


def add_screen(dsn: str, screen: Screen, *, replace: bool = False, created_by: str | None = None) -> int:
    """Keep ``screen``; returns its version.

    With ``replace`` it becomes the next version of the screen of that name, whose results stay; the same one, word
    for word, remains the version it is.

    Raises:
        DuplicateScreenError: a screen of that name is there, the same or another, and is not to be replaced.
        WarehouseUnreachableError: the warehouse does not answer.
    """
    with connect(dsn, "etl") as connection:
        connection.execute("LOCK TABLE derived.screen IN SHARE ROW EXCLUSIVE MODE")
        current = _stored(connection).get(screen.name)
        if current and not replace:
            raise DuplicateScreenError(
                f"a screen called {screen.name!r} is there, version {current.version} by {current.created_by}: choose "
                "another name, or replace it (--replace): its results stay"
            )
        same = (screen.title, screen.meaning, screen.definition)
        if current and (current.title, current.meaning, current.definition) == same:
            return current.version
        [[version]] = connection.execute(
            "INSERT INTO derived.screen (name, version, title, meaning, definition, created_by) "
            "SELECT %(name)s, coalesce(max(version), 0) + 1, %(title)s, %(meaning)s, %(definition)s, "
            "coalesce(%(by)s, session_user) FROM derived.screen WHERE name = %(name)s RETURNING version",
            {
                "name": screen.name,
                "title": screen.title,
                "meaning": screen.meaning,
                "definition": Jsonb(screen.definition),
                "by": created_by,
            },
        ).fetchall()
    return int(version)


def remove_screen(dsn: str, name: str, *, removed_by: str | None = None) -> None:
    """Run the screen no more; its definitions and results stay.

    Raises:
        UnknownScreenError: there is none.
        WarehouseUnreachableError: the warehouse does not answer.
    """
    with connect(dsn, "etl") as connection:
        connection.execute(
            "UPDATE derived.screen SET removed_at = now(), removed_by = coalesce(%s, session_user) "
            "WHERE name = %s AND version = %s",
            [removed_by, name, _stored_as(connection, name).version],
        )


def _stored(connection: psycopg.Connection) -> dict[str, _Stored]:
    rows = connection.execute(
        "SELECT * FROM (SELECT DISTINCT ON (name) name, version, title, meaning, definition, created_by, created_at, "
        "removed_at FROM derived.screen ORDER BY name, version DESC) AS last WHERE removed_at IS NULL"
    )
    return {row[0]: _Stored(*row[:-1]) for row in rows.fetchall()}


def _stored_as(connection: psycopg.Connection, name: str) -> _Stored:
    stored = _stored(connection)
    if name not in stored:
        advice = did_you_mean(name, stored) or f"; there are: {', '.join(stored) or 'none'}"
        raise UnknownScreenError(f"no screen is called {name!r}{advice}")
    return stored[name]


def _kept(stored: _Stored) -> KeptScreen:
    named = {"name": stored.name, "title": stored.title, "meaning": stored.meaning}
    try:
        screen = parse_screen(named | stored.definition)
    except InvalidScreenError as error:
        problems = (f"screen {stored.name}, version {stored.version}: {problem}" for problem in error.problems)
        raise InvalidScreenError((*problems, f"replace it, or: krxw screen remove {stored.name}")) from error
    return KeptScreen(screen, stored.version, stored.created_by, stored.created_at)


def sessions_due(connection: psycopg.Connection, kept: KeptScreen) -> list[date]:
    """The sessions with indicators that the schedule has yet to run the screen on, in order.

    The last session is due to every version, those before it from the first on that the schedule ran any version on.
    One of the last :data:`OPEN_SESSIONS` is due again to the version that was run on it when anything a screen looks
    at was loaded since: one half of the market may come after the other, and corrections after both.
    """
    rows = connection.execute(
        """
        WITH last AS (
            SELECT max(session) AS day FROM derived.indicator
        ), recent AS (
            SELECT session FROM market.session WHERE session <= (SELECT day FROM last)
            ORDER BY session DESC LIMIT %(open)s
        ), done AS (
            SELECT DISTINCT ON (session) session, version, known_at FROM derived.screen_run
            WHERE screen = %(screen)s AND scheduled ORDER BY session, version DESC
        )
        SELECT calendar.session
        FROM market.session AS calendar CROSS JOIN last LEFT JOIN done ON done.session = calendar.session
        WHERE calendar.session BETWEEN coalesce((SELECT min(session) FROM done), last.day) AND last.day
            AND (
                done.session IS NULL
                OR (calendar.session = last.day AND done.version < %(version)s)
                OR (
                    done.version = %(version)s
                    AND calendar.session IN (SELECT session FROM recent)
                    AND EXISTS (
                        SELECT FROM ops.batch
                        WHERE status = 'loaded' AND dataset = ANY (%(datasets)s) AND finished_at > done.known_at
                            AND calendar.session BETWEEN first_session AND last_session
                    )
                )
            )
            AND EXISTS (SELECT FROM derived.indicator AS there WHERE there.session = calendar.session)
        ORDER BY calendar.session
        """,
        {
            "screen": kept.screen.name,
            "version": kept.version,
            "open": OPEN_SESSIONS,
            "datasets": list(SCREENED_DATASETS),
        },
    )
    return [session for (session,) in rows.fetchall()]


def require_indicators(connection: psycopg.Connection, session: date) -> None:
    """That the indicators of ``session`` are those of the bars, flows and holdings in the warehouse.

    Raises:
        IndicatorsBehindError: batches were loaded that the corporate actions or the indicators do not have yet.
        NothingToScreenError: some issues' are yet to be computed: a run of the DAG ``indicators`` was cut short.
    """
    [[issues, datasets]] = connection.execute(
        (SQL_QUERIES / "screen_readiness.sql").read_bytes(),
        {"session": session, "indicated": list(INDICATED_DATASETS), "adjusted": list(_BARS)},
    ).fetchall()
    if datasets:
        raise IndicatorsBehindError(
            f"indicators of {session} do not have all of {', '.join(datasets)} yet: the DAGs corporate_actions and "
            "indicators take in what was loaded, or `krxw adjust` and `krxw indicators`"
        )
    if issues:
        raise NothingToScreenError(
            f"indicators of {issues:,} issues are yet to be computed on {session}: run the DAG indicators, or "
            "`krxw indicators`"
        )


def last_session(connection: psycopg.Connection) -> date | None:
    """The last session with indicators."""
    [[session]] = connection.execute("SELECT max(session) FROM derived.indicator").fetchall()
    return session if isinstance(session, date) else None


def keep_result(connection: psycopg.Connection, kept: KeptScreen, found: Found, *, scheduled: bool) -> None:
    """Make the warehouse hold what was found on the session by this version, touching only hits that differ.

    ``scheduled`` says whether the schedule did it, and not someone by hand.
    """
    key = {"screen": kept.screen.name, "version": kept.version, "session": found.session}
    connection.execute("SELECT ops.ensure_year_partitions('derived.screen_result', %(session)s, %(session)s)", key)
    connection.execute(
        "DELETE FROM derived.screen_result WHERE screen = %(screen)s AND version = %(version)s "
        "AND session = %(session)s AND symbol <> ALL (%(symbols)s)",
        key | {"symbols": [hit.symbol for hit in found.kept]},
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO derived.screen_result AS known (screen, version, session, symbol, rank, values, known_at) "
            "VALUES (%(screen)s, %(version)s, %(session)s, %(symbol)s, %(rank)s, %(values)s, now()) "
            "ON CONFLICT (screen, version, session, symbol) DO UPDATE "
            "SET rank = excluded.rank, values = excluded.values, known_at = excluded.known_at "
            "WHERE (known.rank, known.values) IS DISTINCT FROM (excluded.rank, excluded.values)",
            [key | {"symbol": hit.symbol, "rank": hit.rank, "values": Jsonb(hit.values)} for hit in found.kept],
        )
    connection.execute(
        "INSERT INTO derived.screen_run AS known (screen, version, session, considered, hits, known_at, scheduled) "
        "VALUES (%(screen)s, %(version)s, %(session)s, %(considered)s, %(hits)s, now(), %(scheduled)s) "
        "ON CONFLICT (screen, version, session) DO UPDATE "
        "SET considered = excluded.considered, hits = excluded.hits, known_at = excluded.known_at, "
        "scheduled = known.scheduled OR excluded.scheduled",
        key | {"considered": found.considered, "hits": found.hits, "scheduled": scheduled},
    )


def run_sessions(connection: psycopg.Connection) -> dict[str, date]:
    """The last session each screen was run on, by name."""
    return dict(connection.execute("SELECT screen, max(session) FROM derived.screen_run GROUP BY screen").fetchall())
