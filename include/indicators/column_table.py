"""Keeps ``derived.indicator_column``, where readers of the table find what its columns are."""

from __future__ import annotations

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from include.indicators.catalogue import CATALOGUE

_COLUMNS = ("position", "name", "family", "title", "unit", "parameters", "warm_up", "flat", "meaning", "source")


def describe_columns(connection: psycopg.Connection) -> None:
    """Make the table say what the catalogue does, in one transaction; writes nothing where it does."""
    declared = [(column, indicator) for indicator in CATALOGUE for column in indicator.columns]
    told = [
        (
            position,
            column.name,
            indicator.family,
            indicator.title,
            column.unit,
            indicator.parameters,
            column.warm_up,
            indicator.flat,
            column.meaning,
            indicator.source,
        )
        for position, (column, indicator) in enumerate(declared)
    ]
    names = sql.SQL(", ").join(map(sql.Identifier, _COLUMNS))
    with connection.transaction(), connection.cursor() as cursor:
        select = sql.SQL("SELECT {} FROM derived.indicator_column ORDER BY position").format(names)
        if cursor.execute(select).fetchall() == told:
            return
        cursor.execute("DELETE FROM derived.indicator_column")
        insert = sql.SQL("INSERT INTO derived.indicator_column ({}) VALUES ({})").format(
            names, sql.SQL(", ").join(sql.Placeholder() * len(_COLUMNS))
        )
        cursor.executemany(
            insert, [tuple(Jsonb(each) if isinstance(each, dict) else each for each in row) for row in told]
        )
