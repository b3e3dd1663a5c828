"""Login roles: how people, tools and services enter a server whose other roles cannot log in."""

from __future__ import annotations

import psycopg
from psycopg import sql

from include.warehouse.connection import connect


def ensure_login(dsn: str, login: str, group_role: str | None, password: str) -> None:
    """Make ``login`` able to log in with ``password`` and, as a member, to do what ``group_role`` may.

    What is set for the group role in this database (``statement_timeout``) is set for the login too:
    PostgreSQL applies such settings at login only, by the role that logs in. Running it again changes
    nothing but the password. The server is sent a SCRAM verifier: the password appears in none of its logs.

    Args:
        dsn: the database, as a role that may create roles and grant ``group_role``.
        login: the role that logs in; made if it is not there.
        group_role: the role whose member it becomes, or None.
        password: of the login.

    Raises:
        WarehouseUnreachableError: the database does not answer.
        psycopg.errors.UndefinedObject: there is no ``group_role``.
    """
    with connect(dsn) as connection:
        verifier = connection.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256").decode()
        if not _exists(connection, "pg_roles", "rolname", login):
            connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(login)))
        connection.execute(
            sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(login), sql.Literal(verifier))
        )
        if group_role is not None:
            connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group_role), sql.Identifier(login)))
            _copy_settings(connection, group_role, login)


def allow_role(dsn: str, login: str, role: str) -> None:
    """Let ``login`` take ``role`` by ``SET ROLE``, without having its rights or limits otherwise.

    Raises:
        WarehouseUnreachableError: the database does not answer.
        psycopg.errors.UndefinedObject: there is no such role or login.
    """
    with connect(dsn) as connection:
        connection.execute(
            sql.SQL("GRANT {} TO {} WITH INHERIT FALSE, SET TRUE").format(sql.Identifier(role), sql.Identifier(login))
        )


def ensure_database(dsn: str, name: str, owner: str) -> None:
    """Make the database ``name``, owned by ``owner``, on the server of ``dsn`` if it is not there.

    Raises:
        WarehouseUnreachableError: the server does not answer.
        psycopg.errors.UndefinedObject: there is no role ``owner``.
    """
    with connect(dsn, autocommit=True) as connection:
        if not _exists(connection, "pg_database", "datname", name):
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(owner))
            )


def _copy_settings(connection: psycopg.Connection, group_role: str, login: str) -> None:
    row = connection.execute(
        "SELECT setconfig FROM pg_db_role_setting AS setting "
        "JOIN pg_database ON pg_database.oid = setdatabase JOIN pg_roles ON pg_roles.oid = setrole "
        "WHERE datname = current_database() AND rolname = %s",
        [group_role],
    ).fetchone()
    for setting in row[0] if row is not None else []:
        name, _, value = setting.partition("=")
        connection.execute(
            sql.SQL("ALTER ROLE {} IN DATABASE {} SET {} = {}").format(
                sql.Identifier(login),
                sql.Identifier(connection.info.dbname),
                sql.Identifier(name),
                sql.Literal(value),
            )
        )


def _exists(connection: psycopg.Connection, catalog: str, column: str, name: str) -> bool:
    found = connection.execute(
        sql.SQL("SELECT FROM {} WHERE {} = %s").format(sql.Identifier(catalog), sql.Identifier(column)),
        [name],
    )
    return found.fetchone() is not None
