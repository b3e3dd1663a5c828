"""Content hashes of the warehouse's tables: the same for the same data, however and wherever it was loaded.

What counts is what a table says about the market. Batch numbers, sources and times of work are left out: they
tell how the data came here, and differ between two warehouses that hold the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from include.datasets.registry import datasets
from include.warehouse.content_digest import ContentDigest
from include.warehouse.reading import read_batches

# What counts of the tables that are not datasets. An observation counts by its unbroken runs of days, one row
# each: a multirange has no representation of its own in Arrow, and its text depends on the server's settings.
DERIVED_TABLES: Mapping[str, str] = {
    "market.instrument": """
        SELECT symbol, first_session, last_session, name, market, section FROM market.instrument
    """,
    "market.instrument_observation": """
        SELECT symbol, name, market, section, lower(run.days), upper(run.days)
        FROM market.instrument_observation, unnest(observed) AS run (days)
    """,
    "market.halt": """
        SELECT symbol, lower(run.days), upper(run.days) FROM market.halt, unnest(halted) AS run (days)
    """,
    "market.corporate_action": """
        SELECT symbol, ex_date, kind, status, prior_session, prior_close, base_price, base_ratio, share_ratio,
               applied_ratio, applied_basis, confidence, evidence
        FROM market.corporate_action
    """,
    "market.base_rounding": """
        SELECT symbol, session, prior_session, prior_close, base_price FROM market.base_rounding
    """,
    "market.adjustment_factor": """
        SELECT symbol, first_session, last_session, price_factor, volume_factor FROM market.adjustment_factor
    """,
    "market.total_return_factor": """
        SELECT symbol, first_session, last_session, price_factor FROM market.total_return_factor
    """,
}


class UnknownTableError(LookupError):
    """No fingerprint is defined for a table of that name."""


@dataclass(frozen=True)
class TableFingerprint:
    """``digest`` of what ``table`` says, see ``include.warehouse.content_digest``; ``rows`` entered it."""

    table: str
    rows: int
    digest: str


def fingerprint(dsn: str, table: str) -> TableFingerprint:
    """The fingerprint of ``table``, named with its schema (``market.daily_bar``).

    Raises:
        UnknownTableError: the message lists the tables there are.
        WarehouseUnreachableError: the warehouse does not answer.
    """
    queries = _queries()
    if table not in queries:
        raise UnknownTableError(f"no fingerprint of {table!r}; there are: {', '.join(queries)}")
    content = ContentDigest()
    schemas = {dataset.table: dataset.parsed_schema for dataset in datasets().values()}
    with read_batches(dsn, queries[table], schemas.get(table)) as batches:
        for batch in batches:
            content.update(batch)
    return TableFingerprint(table, content.rows, content.hexdigest)


def fingerprints(dsn: str, tables: Sequence[str] | None = None) -> list[TableFingerprint]:
    """The fingerprints of ``tables``; None means of every table that has one, datasets first."""
    return [fingerprint(dsn, table) for table in (_queries() if tables is None else tables)]


def _queries() -> dict[str, sql.Composable]:
    """What counts of each table."""
    facts: dict[str, sql.Composable] = {
        dataset.table: sql.SQL("SELECT {} FROM {}").format(
            sql.SQL(", ").join(map(sql.Identifier, dataset.column_names)),
            sql.Identifier(*dataset.table.split(".")),
        )
        for dataset in datasets().values()
    }
    return facts | {table: sql.SQL(query) for table, query in DERIVED_TABLES.items()}
