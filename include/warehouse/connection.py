"""Connections to the warehouse, each under the least role that serves."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import psycopg
from psycopg import sql

SQL_FOLDER = Path(__file__).resolve().parent.parent / "sql"
SQL_QUERIES = SQL_FOLDER / "queries"

Role = Literal["etl", "analyst", "grafana"]


class WarehouseUnreachableError(ConnectionError):
    """The warehouse does not answer, or refuses the connection."""


def connect(dsn: str, role: Role | None = None, *, autocommit: bool = False) -> psycopg.Connection:
    """A connection to the warehouse, having taken ``role`` if one is given.

    Raises:
        WarehouseUnreachableError: with the server's reason and the address, never the password.
    """
    try:
        connection = psycopg.connect(dsn, autocommit=autocommit, connect_timeout=10, application_name="krxw")
    except psycopg.OperationalError as error:
        raise WarehouseUnreachableError(
            f"cannot reach the warehouse at {address_of(dsn)}: {str(error).strip()}. "
            "Is it up (`krxw status`)? Is KRXW_WAREHOUSE_DSN right?"
        ) from error
    except psycopg.ProgrammingError as error:
        raise WarehouseUnreachableError(
            "the warehouse's connection string is not one libpq can read; expected "
            "postgresql://USER@HOST:PORT/DATABASE in KRXW_WAREHOUSE_DSN"
        ) from error
    if role is not None:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        connection.commit()
    return connection


def address_of(dsn: str) -> str:
    """``host:port/database`` of a connection string, for messages: nothing secret."""
    parts = psycopg.conninfo.conninfo_to_dict(dsn)
    return f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"
