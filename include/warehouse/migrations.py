"""Brings a database to the current schema: numbered migrations once each, then the rest anew."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import psycopg
from psycopg import sql

from include.datasets.registry import Dataset, datasets
from include.market.calendar import next_session, sessions_between, trading_hours
from include.warehouse.connection import SQL_FOLDER, connect

# The daily tables reach back to 1995; sessions are scheduled as far as the calendar is known.
FIRST_SESSION, LAST_SESSION = date(1990, 1, 1), date(2049, 12, 31)

_LOCK = "krxw migrations"


class MigrationChangedError(RuntimeError):
    """A migration that was applied here has been edited since."""


@dataclass(frozen=True)
class _Migration:
    name: str
    text: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrate(dsn: str) -> list[str]:
    """Apply what is missing, in one transaction; returns the names of the migrations applied.

    Installs TimescaleDB where the server offers it. Running it again changes nothing.

    Raises:
        MigrationChangedError: an applied migration's text differs from the file's.
        WarehouseUnreachableError: the database does not answer.
    """
    with connect(dsn) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [_LOCK])
        _install_timescaledb(connection)
        applied = _apply_migrations(connection)
        _refresh_views(connection)
        _comment_facts(connection)
        _fill_calendar(connection)
        _grant(connection)
    return applied


def _install_timescaledb(connection: psycopg.Connection) -> None:
    offered = connection.execute("SELECT FROM pg_available_extensions WHERE name = 'timescaledb'").fetchone()
    if offered is not None:
        connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")


def _apply_migrations(connection: psycopg.Connection) -> list[str]:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS public.schema_migration ("
        "name text PRIMARY KEY, digest text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    known: dict[str, str] = dict(connection.execute("SELECT name, digest FROM public.schema_migration").fetchall())
    applied = []
    for migration in _migrations():
        if migration.name in known:
            if known[migration.name] != migration.digest:
                raise MigrationChangedError(
                    f"migration {migration.name} was edited after it was applied here; "
                    "restore the file and put the change into a new migration"
                )
            continue
        _run_script(connection, migration.text)
        connection.execute(
            "INSERT INTO public.schema_migration (name, digest) VALUES (%s, %s)",
            [migration.name, migration.digest],
        )
        applied.append(migration.name)
    return applied


def _migrations() -> Iterator[_Migration]:
    for path in sorted((SQL_FOLDER / "migrations").glob("*.sql")):
        yield _Migration(path.stem, path.read_text(encoding="utf-8"))


def _refresh_views(connection: psycopg.Connection) -> None:
    for folder in ("views", "functions"):
        for path in sorted((SQL_FOLDER / folder).glob("*.sql")):
            _run_script(connection, path.read_text(encoding="utf-8"))


def _run_script(connection: psycopg.Connection, text: str) -> None:
    # Without parameters psycopg sends the text as it is, so a script of many statements runs in one go.
    connection.execute(text.encode())


def _comment_facts(connection: psycopg.Connection) -> None:
    for dataset in datasets().values():
        _comment_table(connection, dataset.table, dataset)
        _comment_columns(connection, dataset.revision_table, dataset)


def _comment_table(connection: psycopg.Connection, table: str, dataset: Dataset) -> None:
    connection.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(sql.Identifier(*table.split(".")), dataset.meaning))
    _comment_columns(connection, table, dataset)


def _comment_columns(connection: psycopg.Connection, table: str, dataset: Dataset) -> None:
    for column in dataset.table_columns:
        connection.execute(
            sql.SQL("COMMENT ON COLUMN {} IS {}").format(sql.Identifier(*table.split("."), column.name), column.comment)
        )


def _fill_calendar(connection: psycopg.Connection) -> None:
    connection.execute("DELETE FROM market.session")
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY market.session (session, next_session, opens_at, closes_at) FROM STDIN") as copy,
    ):
        for session in sessions_between(FIRST_SESSION, LAST_SESSION):
            hours = trading_hours(session)
            copy.write_row((session, next_session(session), hours.open, hours.close))


def _grant(connection: psycopg.Connection) -> None:
    """Grants on what exists; default privileges cover only what the same owner creates later."""
    connection.execute(
        """
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA market, derived, ops TO etl;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA market, derived, ops TO etl;
        GRANT SELECT ON ALL TABLES IN SCHEMA market, derived TO analyst;
        GRANT SELECT ON ALL TABLES IN SCHEMA mart TO etl, analyst, grafana;
        GRANT SELECT ON ALL TABLES IN SCHEMA ops TO grafana;
        """
    )
