"""What a warehouse holds against what the simulated world knows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import psycopg

from include.datasets.registry import Dataset, dataset_named
from include.simulator.world import World

Rows = dict[tuple[Any, ...], dict[str, Any]]

# KRX Open API has no master of ETFs and ETNs; what it says of them comes from their daily tables.
_PRODUCTS = ("etf", "etn")
_NOT_IN_DAILY_TABLES = ("isin", "full_name", "english_name", "listed_on", "par_value")


def held_rows(dsn: str, dataset: str, first: date, last: date) -> Rows:
    """The rows of the days from ``first`` to ``last`` by key."""
    declared = dataset_named(dataset)
    columns = ", ".join(f'"{name}"' for name in declared.column_names)
    query = f"SELECT {columns} FROM {declared.table} WHERE {declared.session_column} BETWEEN %s AND %s"
    with psycopg.connect(dsn) as connection:
        found = connection.execute(query.encode(), [first, last]).fetchall()
    return _by_key(declared, (dict(zip(declared.column_names, row, strict=True)) for row in found))


def true_rows(world: World, dataset: str, first: date, last: date) -> Rows:
    """The same of the world."""
    declared = dataset_named(dataset)
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    tables = (
        world.table(dataset, day).select(declared.column_names)
        for day in days
        if not declared.on_sessions or day in world.sessions
    )
    return _by_key(declared, (row for table in tables for row in table.to_pylist()))


def _by_key(dataset: Dataset, rows: Iterable[dict[str, Any]]) -> Rows:
    """``rows`` by their key, without what the best source does not publish."""
    by_key: Rows = {}
    for row in rows:
        if row.get("kind") in _PRODUCTS:
            row |= dict.fromkeys((name for name in _NOT_IN_DAILY_TABLES if name in row), None)
        key = tuple(row[name] for name in dataset.key)
        assert key not in by_key, key
        by_key[key] = row
    return by_key


def assert_same(held: Rows, true: Rows, what: str) -> None:
    """No row is missing, none is too many, none says something else."""
    missing, strange = true.keys() - held.keys(), held.keys() - true.keys()
    wrong = [key for key in true.keys() & held.keys() if held[key] != true[key]]
    examples = [(held.get(key), true.get(key)) for key in [*missing, *strange, *wrong][:2]]
    counts = {"missing": len(missing), "too many": len(strange), "wrong": len(wrong)}
    assert not any(counts.values()), f"{what}: {counts} of {len(true)} rows: {examples}"
