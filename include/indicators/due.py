"""Which issues' indicators are to be computed, and from which session on: a queue in ``ops.indicator_due``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import psycopg
from psycopg import sql

from include.indicators.formulas import formula_digest
from include.indicators.index_level import INDEX_OF_MARKET
from include.warehouse.connection import SQL_QUERIES

# With the column of the fact table that says what a row is of.
_DATASETS_OF_ISSUES = ("daily_bar", "etp_daily_bar", "investor_flow", "foreign_holding")
INDICATED_DATASETS = (*_DATASETS_OF_ISSUES, "index_bar")
EVERYTHING = date.min
# An answer may reach so far beyond the days that were asked for.
_REACH = timedelta(days=45)


@dataclass(frozen=True)
class Due:
    """An issue to compute from ``since`` on.

    ``first`` is where reading may begin, as far as dates tell: its first traded session within about 670 before
    ``since``, with the on-balance volume stored there; None where all of its sessions have to be read.
    ``is_stored`` says whether it has rows.
    """

    symbol: str
    since: date
    factor_digest: str
    is_stored: bool
    first: date | None
    first_obv: float


def queue_changes(connection: psycopg.Connection, *, everything: bool) -> None:
    """Enter what batches and factors since the last time can have changed, or every issue; in one transaction.

    A batch touches the issues it wrote or removed rows of, from its earliest such session on; a batch of the index
    those that have bars on its market from then on. An issue whose factors, or formulas, are not those its rows were
    computed with is to be computed whole, and so is one that has no rows yet.
    """
    with connection.transaction():
        fresh = _fresh_batches(connection)
        if everything:
            connection.execute((SQL_QUERIES / "queue_all_indicators.sql").read_bytes())
        else:
            for dataset in _DATASETS_OF_ISSUES:
                for batches in _by_span([batch for batch in fresh if batch.dataset == dataset]):
                    _queue_issues(connection, dataset, batches)
            for batches in _by_span([batch for batch in fresh if batch.dataset == "index_bar"]):
                _queue_markets(connection, batches)
            connection.execute(
                (SQL_QUERIES / "queue_outdated_indicators.sql").read_bytes(), {"formulas": formula_digest()}
            )
        connection.execute(
            "INSERT INTO ops.indicated_batch SELECT unnest(%s::bigint[]) ON CONFLICT DO NOTHING",
            [[batch.batch_id for batch in fresh]],
        )


def read_due(connection: psycopg.Connection) -> list[Due]:
    """All that is to be computed, in order of symbol."""
    query = (SQL_QUERIES / "read_due_indicators.sql").read_bytes()
    return [Due(*row) for row in connection.execute(query, {"formulas": formula_digest()})]


@dataclass(frozen=True)
class _Batch:
    batch_id: int
    dataset: str
    first: date
    last: date


def _fresh_batches(connection: psycopg.Connection) -> list[_Batch]:
    rows = connection.execute(
        "SELECT batch_id, dataset, first_session, last_session FROM ops.batch "
        "WHERE status = 'loaded' AND dataset = ANY (%s) "
        "AND NOT EXISTS (SELECT FROM ops.indicated_batch AS done WHERE done.batch_id = batch.batch_id)",
        [list(INDICATED_DATASETS)],
    )
    return [_Batch(*row) for row in rows.fetchall()]


def _by_span(batches: Sequence[_Batch]) -> list[list[_Batch]]:
    """``batches`` in groups that no day was asked for by two of: the years between them need not be looked through."""
    groups: list[list[_Batch]] = []
    end = date.min
    for batch in sorted(batches, key=lambda batch: batch.first):
        if not groups or batch.first - _REACH > end + _REACH:
            groups.append([])
        groups[-1].append(batch)
        end = max(end, batch.last)
    return groups


def _parameters(batches: Sequence[_Batch]) -> dict[str, object]:
    return {
        "batches": [batch.batch_id for batch in batches],
        "first": min(batch.first for batch in batches) - _REACH,
        "last": max(batch.last for batch in batches) + _REACH,
    }


def _queue_issues(connection: psycopg.Connection, dataset: str, batches: Sequence[_Batch]) -> None:
    query = sql.SQL((SQL_QUERIES / "queue_touched_indicators.sql").read_text(encoding="utf-8")).format(
        table=sql.Identifier("market", dataset), revisions=sql.Identifier("market", f"{dataset}_revision")
    )
    connection.execute(query, _parameters(batches))


def _queue_markets(connection: psycopg.Connection, batches: Sequence[_Batch]) -> None:
    markets = {
        "markets": list(INDEX_OF_MARKET),
        "names": [index.name for index in INDEX_OF_MARKET.values()],
        "families": [index.family for index in INDEX_OF_MARKET.values()],
    }
    query = (SQL_QUERIES / "queue_indicators_of_indices.sql").read_bytes()
    connection.execute(query, _parameters(batches) | markets)
