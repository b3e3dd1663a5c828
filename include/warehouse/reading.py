"""Reads the warehouse as Arrow: in record batches, in bounded memory however many rows there are, or all at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
from adbc_driver_postgresql import dbapi
from psycopg import sql

from include.warehouse.connection import WarehouseUnreachableError, address_of, connect


class QueryRefusedError(RuntimeError):
    """The server refused a query, or gave it up; the message is the server's."""


@contextmanager
def read_batches(
    dsn: str, query: sql.Composable, schema: pa.Schema | None = None
) -> Iterator[Iterator[pa.RecordBatch]]:
    """The rows of one SELECT, run as ``analyst``, in batches of about 16 MB as they arrive.

    Leaving the context before the last batch ends the query.

    Args:
        dsn: the warehouse (libpq URI).
        query: with its values inside, as ``sql.Literal``.
        schema: the types of exact decimals by column name: the server's answer does not tell their scale, and
            without it they come as text.

    Raises:
        WarehouseUnreachableError: the warehouse does not answer, or broke off between two batches.
        QueryRefusedError: the server refused the query, or gave it up.
    """
    with _connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE analyst")
        cursor.execute("SET client_encoding = 'UTF8'")  # Arrow's; a database may be set to another
        try:
            cursor.execute(query.as_string())
        except dbapi.Error as error:
            # What the query was can be megabytes of symbols.
            reason = str(error).partition("\nQuery was:")[0]
            raise QueryRefusedError(f"the warehouse at {address_of(dsn)} refused a query: {reason}") from error
        with cursor.fetch_record_batch() as reader:
            yield (_with_decimals(batch, schema) for batch in _until_broken(reader, dsn))


def read_table(dsn: str, query: sql.Composable, schema: pa.Schema) -> pa.Table:
    """All rows of one SELECT, run as ``analyst``; ``schema`` is that of its answer.

    Raises:
        WarehouseUnreachableError, QueryRefusedError: as :func:`read_batches`.
    """
    with read_batches(dsn, query) as batches:
        return pa.Table.from_batches(batches, schema)


def _connect(dsn: str) -> dbapi.Connection:
    try:
        return dbapi.connect(dsn, autocommit=True)
    except dbapi.OperationalError as error:
        connect(dsn).close()  # fails for the same reason, in words made for people
        raise WarehouseUnreachableError(f"cannot reach the warehouse at {address_of(dsn)}: {error}") from error


def _with_decimals(batch: pa.RecordBatch, schema: pa.Schema | None) -> pa.RecordBatch:
    for place, field in enumerate(batch.schema):
        if isinstance(field.type, pa.OpaqueType) and field.type.type_name == "numeric":
            text = batch.column(place).storage
            column = text if schema is None else text.cast(schema.field(field.name).type)
            batch = batch.set_column(place, pa.field(field.name, column.type), column)
    return batch


def _until_broken(reader: pa.RecordBatchReader, dsn: str) -> Iterator[pa.RecordBatch]:
    try:
        yield from reader
    except OSError as error:
        reason = str(error).strip().removesuffix(".")
        raise WarehouseUnreachableError(
            f"the warehouse at {address_of(dsn)} broke off while rows were read: {reason}. "
            "Look into the server's log, then run again"
        ) from error
