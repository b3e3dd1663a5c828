"""Staging tables: one batch's rows, unlogged, gone when the batch ends."""

from __future__ import annotations

import psycopg
import pyarrow as pa
from adbc_driver_postgresql import dbapi
from psycopg import sql

from include.datasets.registry import Column, Dataset
from include.warehouse.connection import connect

SCHEMA = "staging"
_BLOCK_ROWS = 16_384

# What the checks add to a dataset's own columns.
_MARKS = (
    Column("row_number", pa.int64(), "Place of the row in what the source published, from 1"),
    Column("violated_rule", pa.string(), "First rule the row broke; null if it may load", nullable=True),
)


def staged_columns(dataset: Dataset) -> tuple[Column, ...]:
    """The columns of the dataset's staging tables: its own, then what the checks add."""
    return (*dataset.columns, *_MARKS)


def table_name(dataset: Dataset, batch_id: int) -> str:
    """The staging table of a batch, without its schema."""
    return f"{dataset.name}_{batch_id}"


def stage(dsn: str, dataset: Dataset, batch_id: int, rows: pa.Table) -> str:
    """Create the batch's staging table and copy ``rows`` into it; returns the table's name.

    ``rows`` holds at least the dataset's columns, ``row_number`` and ``violated_rule``.
    """
    name = table_name(dataset, batch_id)
    columns = staged_columns(dataset)
    definition = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.postgres_type)) for column in columns
    )
    with connect(dsn, "etl") as connection:
        connection.execute(sql.SQL("CREATE UNLOGGED TABLE {} ({})").format(sql.Identifier(SCHEMA, name), definition))
    with dbapi.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE etl")
        cursor.execute("SET client_encoding = 'UTF8'")  # Arrow's text is, whatever the database prefers
        # A table goes as one block, encoded whole before a byte is sent; a reader's blocks stream.
        blocks = rows.select([column.name for column in columns]).to_reader(max_chunksize=_BLOCK_ROWS)
        cursor.adbc_ingest(name, blocks, mode="append", db_schema_name=SCHEMA)
        connection.commit()
    return name


def drop(connection: psycopg.Connection, dataset: Dataset, batch_id: int) -> None:
    """Drop the batch's staging table if it is there."""
    name = sql.Identifier(SCHEMA, table_name(dataset, batch_id))
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(name))
