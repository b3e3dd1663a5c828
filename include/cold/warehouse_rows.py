"""A dataset's rows in the warehouse, a calendar year at a time."""

from __future__ import annotations

from datetime import date

import psycopg
import pyarrow as pa
from psycopg import sql

from include.cold.content import Content, content_of
from include.datasets.registry import Dataset
from include.warehouse.reading import read_batches


def years_held(connection: psycopg.Connection, dataset: Dataset) -> list[int]:
    """The calendar years the warehouse holds rows of, ascending; found by the index, not by a scan."""
    query = sql.SQL(
        """
        WITH bounds AS (SELECT min({session}) AS first, max({session}) AS last FROM {table})
        SELECT year
        FROM bounds, generate_series(extract(year FROM first)::int, extract(year FROM last)::int) AS year
        WHERE EXISTS (
            SELECT FROM {table} WHERE {session} >= make_date(year, 1, 1) AND {session} < make_date(year + 1, 1, 1)
        )
        ORDER BY year
        """
    ).format(table=_table(dataset), session=sql.Identifier(dataset.session_column))
    return [year for (year,) in connection.execute(query)]


def sorted_rows(dataset: Dataset, year: int) -> sql.Composable:
    """The query of all columns of a year's rows, sorted by the key, text by its bytes."""
    types = {column.name: column.type for column in dataset.columns}
    order = [
        sql.SQL('{} COLLATE "C"' if types[name] == pa.string() else "{}").format(sql.Identifier(name))
        for name in dataset.key
    ]
    names = [column.name for column in dataset.table_columns]
    return sql.SQL("{} ORDER BY {}").format(_rows(dataset, names, year), sql.SQL(", ").join(order))


def content_in_warehouse(dsn: str, dataset: Dataset, year: int) -> Content:
    """What the warehouse holds of a year."""
    with read_batches(dsn, _rows(dataset, dataset.column_names, year), dataset.parsed_schema) as batches:
        return content_of(batches, dataset)


def _rows(dataset: Dataset, names: list[str] | tuple[str, ...], year: int) -> sql.Composable:
    return sql.SQL("SELECT {names} FROM {table} WHERE {session} >= {first} AND {session} < {after}").format(
        names=sql.SQL(", ").join(map(sql.Identifier, names)),
        table=_table(dataset),
        session=sql.Identifier(dataset.session_column),
        first=sql.Literal(date(year, 1, 1)),
        after=sql.Literal(date(year + 1, 1, 1)),
    )


def _table(dataset: Dataset) -> sql.Identifier:
    return sql.Identifier(*dataset.table.split("."))
