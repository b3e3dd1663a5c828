"""The form of a dataset's declaration, and what is derived from it.

A dataset is declared once, in its own module of this package, as ``DATASET``. Arrow schema, staging DDL,
upsert, expectation suite, column comments, data dictionary and Airflow asset all come from that.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property

import pyarrow as pa

_POSTGRES_TYPES: Mapping[pa.DataType, str] = {
    pa.string(): "text",
    pa.date32(): "date",
    pa.int16(): "smallint",
    pa.int64(): "bigint",
    pa.bool_(): "boolean",
    pa.decimal128(12, 2): "numeric(12,2)",
    pa.decimal128(18, 2): "numeric(18,2)",
    pa.decimal128(18, 4): "numeric(18,4)",
    pa.decimal128(18, 6): "numeric(18,6)",
    pa.timestamp("us", tz="UTC"): "timestamp with time zone",
}


class UnknownDatasetError(LookupError):
    """No dataset of that name is declared."""


@dataclass(frozen=True)
class Column:
    """One column: its type, what it means, and what any value of it must satisfy.

    ``unit`` is the unit of a quantity (``KRW``, ``shares``); ``minimum`` is inclusive; ``pattern`` is an
    anchored regular expression; ``values`` is the closed list of allowed values.
    """

    name: str
    type: pa.DataType
    meaning: str
    unit: str | None = None
    nullable: bool = False
    minimum: int | None = None
    pattern: str | None = None
    values: tuple[str | int, ...] | None = None

    @property
    def postgres_type(self) -> str:
        """The column's type in the warehouse."""
        return _POSTGRES_TYPES[self.type]

    @property
    def comment(self) -> str:
        """What the warehouse's column comment says."""
        return f"{self.meaning} [{self.unit}]" if self.unit else self.meaning


@dataclass(frozen=True)
class RowRule:
    """A law one row must satisfy. ``violation`` is SQL that is true of a row that breaks it.

    The SQL is evaluated by DuckDB on the parsed rows and must also be valid PostgreSQL.
    """

    name: str
    violation: str
    meaning: str


@dataclass(frozen=True)
class GroupRule:
    """A law the rows of one group must satisfy together; all rows of a group that breaks it are quarantined.

    ``by`` names the columns that make a group. ``violation`` is SQL with aggregates over the group's rows, true of
    a group that breaks the law, evaluated by DuckDB.
    """

    name: str
    by: tuple[str, ...]
    violation: str
    meaning: str


@dataclass(frozen=True)
class Coverage:
    """How much of the prior session's rows a session must have to be believed.

    ``share`` applies to the whole session, ``group_share`` to each group of rows that had at least
    ``group_size`` rows in the prior session. ``group_of`` is SQL naming a row's group. What is counted are rows, or
    the different values of the column ``of``.
    """

    share: float
    group_of: str = "''"
    group_share: float = 0.0
    group_size: int = 1
    of: str | None = None

    @property
    def unit(self) -> str:
        """What is counted, in words."""
        return f"{self.of}s" if self.of else "rows"


PROVENANCE = (
    Column("source", pa.string(), "Source the row's values came from"),
    Column("batch_id", pa.int64(), "Batch that last wrote the row: ops.batch", minimum=1),
    Column(
        "known_at",
        pa.timestamp("us", tz="UTC"),
        "When these values became known: the session's publication for values loaded first, the fetch for corrections",
    ),
)


@dataclass(frozen=True)
class Dataset:
    """A dataset: one fact table and everything known about it.

    ``columns`` are the business columns in table order; every fact table ends in ``PROVENANCE``.
    ``parsed_only`` columns come with the source's rows and are kept elsewhere (an instrument's name).
    ``sources`` are in order of trust: a row is only ever corrected by the same or a better source.
    ``partial_sources`` are those of them that by nature publish less than the whole: coverage does not refuse
    them, and the session stays due until a better source gives it.
    ``copy_of_yesterday`` names the columns that, equal for nearly all rows to the prior session's, betray
    a stale answer; ``copy_among`` is SQL choosing the rows this is judged by.
    ``publication_hour`` is the hour (KST) counted from the session's midnight by which values are final; None
    where a value is known when it is fetched.
    ``sparse`` datasets have sessions without a row. Rows of a dataset that is not ``on_sessions`` follow another
    calendar than the exchange's. ``recheck`` is for datasets whose stale or partial answers cannot be told from true
    ones: a run of the schedule collects so many sessions before its own again, and what they then lack goes.
    ``universe`` names the query (``include/sql/queries/universe_*.sql``) of the symbols that sources which answer
    symbol by symbol are asked for.
    """

    name: str
    table: str
    title: str
    meaning: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    sources: tuple[str, ...]
    publication_hour: int | None
    row_rules: tuple[RowRule, ...] = ()
    group_rules: tuple[GroupRule, ...] = ()
    parsed_only: tuple[Column, ...] = ()
    coverage: Coverage | None = None
    copy_of_yesterday: tuple[str, ...] = ()
    copy_among: str = "TRUE"
    partial_sources: tuple[str, ...] = ()
    sparse: bool = False
    on_sessions: bool = True
    recheck: int = 0
    universe: str | None = None
    session_column: str = "session"

    @property
    def subject(self) -> str:
        """The column that says what a row is about: the first of the key."""
        return self.key[0]

    @property
    def revision_table(self) -> str:
        """The table that keeps the values a correction replaced."""
        return f"{self.table}_revision"

    @cached_property
    def values(self) -> tuple[str, ...]:
        """Names of the business columns outside the key."""
        return tuple(column.name for column in self.columns if column.name not in self.key)

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """Names of the business columns, in table order."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def table_columns(self) -> tuple[Column, ...]:
        """All columns of the fact table, in order."""
        return self.columns + PROVENANCE

    @cached_property
    def parsed_schema(self) -> pa.Schema:
        """What ``parse`` returns: business columns, then those kept elsewhere. All nullable: checks decide."""
        return pa.schema([(column.name, column.type) for column in self.columns + self.parsed_only])


@cache
def datasets() -> Mapping[str, Dataset]:
    """Every declared dataset by name, found by looking at this package's modules."""
    package = importlib.import_module(__package__ or "include.datasets")
    declared = (
        getattr(importlib.import_module(f"{package.__name__}.{module.name}"), "DATASET", None)
        for module in pkgutil.iter_modules(package.__path__)
    )
    return {dataset.name: dataset for dataset in declared if isinstance(dataset, Dataset)}


def dataset_named(name: str) -> Dataset:
    """The dataset called ``name``.

    Raises:
        UnknownDatasetError: there is none; the message lists those there are.
    """
    try:
        return datasets()[name]
    except KeyError:
        raise UnknownDatasetError(
            f"no dataset is called {name!r}; there are: {', '.join(sorted(datasets()))}"
        ) from None
