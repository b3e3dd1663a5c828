"""Moves a batch's clean rows from staging into the fact table, keeping what they correct."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import psycopg
from psycopg import sql

from include.datasets.registry import Dataset
from include.warehouse import staging


@dataclass(frozen=True)
class Loaded:
    """Rows new to the table, rows corrected, and rows taken out of it."""

    inserted: int
    updated: int
    removed: int


def load_staged(
    connection: psycopg.Connection,
    dataset: Dataset,
    source: str,
    batch_id: int,
    sessions: Sequence[date],
    fetched_at: datetime,
    answered: tuple[date, date],
) -> Loaded:
    """Load the batch's clean rows, which are of ``sessions`` or some of them; touches only rows that differ.

    A row is corrected by a better source of the dataset, or by a later fetch from its own; the values it
    replaces go to the revision table. So do rows the batch lacks where that means they are wrong: see
    :func:`_remove_vanished`; ``answered`` are the first and the last day the source was asked for. Runs in the
    caller's transaction.
    """
    days = min(sessions), max(sessions)
    connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"load {dataset.table}"])
    connection.execute("SELECT ops.ensure_year_partitions(%s::regclass, %s, %s)", [dataset.table, *days])
    parameters = {
        "source": source,
        "batch_id": batch_id,
        "first": days[0],
        "last": days[1],
        "fetched_at": fetched_at,
        "less_trusted": list(dataset.sources[dataset.sources.index(source) + 1 :]),
        "partial_sources": list(dataset.partial_sources),
        "recheck": dataset.recheck > 0,
        "publication_hour": dataset.publication_hour,
        "answered": [day for day in sessions if answered[0] <= day <= answered[1]],
    }
    if not _holds_rows(connection, dataset, days):
        return Loaded(connection.execute(_insert(dataset, batch_id), parameters).rowcount, 0, 0)
    updated = connection.execute(_keep_revisions(dataset, batch_id), parameters).rowcount
    touched = connection.execute(_insert(dataset, batch_id) + _correct_on_conflict(dataset), parameters).rowcount
    removed = 0
    if source not in dataset.partial_sources:
        removed = connection.execute(_remove_vanished(dataset, batch_id), parameters).rowcount
    return Loaded(touched - updated, updated, removed)


def changed_sessions(
    connection: psycopg.Connection, dataset: Dataset, batch_id: int, days: Sequence[date]
) -> set[date]:
    """The sessions among ``days`` of which the batch wrote rows or took some out."""
    if not days:
        return set()
    query = sql.SQL(
        "SELECT {session} FROM {table} WHERE {session} BETWEEN %(first)s AND %(last)s AND batch_id = %(batch_id)s "
        "UNION SELECT {session} FROM {revisions} WHERE {session} BETWEEN %(first)s AND %(last)s "
        "AND superseded_by = %(batch_id)s"
    ).format(
        session=sql.Identifier(dataset.session_column),
        table=_name(dataset.table),
        revisions=_name(dataset.revision_table),
    )
    parameters = {"first": min(days), "last": max(days), "batch_id": batch_id}
    return {day for (day,) in connection.execute(query, parameters).fetchall()}


def _holds_rows(connection: psycopg.Connection, dataset: Dataset, days: tuple[date, date]) -> bool:
    query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {} BETWEEN %s AND %s)").format(
        _name(dataset.table), sql.Identifier(dataset.session_column)
    )
    row = connection.execute(query, days).fetchone()
    return bool(row and row[0])


def _insert(dataset: Dataset, batch_id: int) -> sql.Composed:
    """Insert the staged rows. One that was taken out before is known anew from its fetch, not from its publication."""
    return sql.SQL(
        "INSERT INTO {table} AS held ({columns}, source, batch_id, known_at) "
        "SELECT {staged_columns}, %(source)s, %(batch_id)s, CASE WHEN vanished THEN %(fetched_at)s ELSE coalesce("
        "(staged.{session} + make_interval(hours => %(publication_hour)s)) AT TIME ZONE 'Asia/Seoul', %(fetched_at)s) "
        "END FROM {staged} AS staged LEFT JOIN (SELECT DISTINCT {key}, true AS vanished FROM {revisions} "
        "WHERE {session} BETWEEN %(first)s AND %(last)s) AS revision USING ({key}) "
        "WHERE staged.violated_rule IS NULL"
    ).format(
        table=_name(dataset.table),
        columns=_list(dataset.column_names),
        staged_columns=_list(dataset.column_names, "staged"),
        key=_list(dataset.key),
        revisions=_name(dataset.revision_table),
        session=sql.Identifier(dataset.session_column),
        staged=_staged(dataset, batch_id),
    )


def _correct_on_conflict(dataset: Dataset) -> sql.Composed:
    assignments = sql.SQL(", ").join(
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in dataset.values
    )
    return sql.SQL(
        " ON CONFLICT ({key}) DO UPDATE SET {assignments}, source = excluded.source, "
        "batch_id = excluded.batch_id, known_at = %(fetched_at)s WHERE {corrects}"
    ).format(key=_list(dataset.key), assignments=assignments, corrects=_corrects(dataset, "excluded"))


def _keep_revisions(dataset: Dataset, batch_id: int) -> sql.Composed:
    same_key = sql.SQL(" AND ").join(
        sql.SQL("held.{0} = staged.{0}").format(sql.Identifier(name)) for name in dataset.key
    )
    return sql.SQL(
        "INSERT INTO {revisions} SELECT held.*, %(fetched_at)s, %(batch_id)s FROM {table} AS held "
        "JOIN {staged} AS staged ON {same_key} WHERE staged.violated_rule IS NULL AND {corrects}"
    ).format(
        revisions=_name(dataset.revision_table),
        table=_name(dataset.table),
        staged=_staged(dataset, batch_id),
        same_key=same_key,
        corrects=_corrects(dataset, "staged"),
    )


def _remove_vanished(dataset: Dataset, batch_id: int) -> sql.Composed:
    """Move rows of the sessions answered for that the answer lacks to the revisions.

    Only rows of a partial source, which a whole answer replaces, and those of a dataset to be rechecked, where an
    earlier answer may have been stale. Otherwise a row missing from an answer may as well be the answer's fault.
    """
    same_key = sql.SQL(" AND ").join(
        sql.SQL("held.{0} = staged.{0}").format(sql.Identifier(name)) for name in dataset.key
    )
    return sql.SQL(
        "WITH gone AS (DELETE FROM {table} AS held WHERE held.{session} = ANY (%(answered)s) "
        "AND NOT EXISTS (SELECT FROM {staged} AS staged WHERE {same_key}) "
        "AND (held.source = ANY (%(partial_sources)s) OR (%(recheck)s AND (held.source = ANY (%(less_trusted)s) OR "
        "(held.source = %(source)s AND %(fetched_at)s > (SELECT earlier.fetched_at FROM ops.batch AS earlier "
        "WHERE earlier.batch_id = held.batch_id))))) RETURNING held.*) "
        "INSERT INTO {revisions} SELECT gone.*, %(fetched_at)s, %(batch_id)s FROM gone"
    ).format(
        table=_name(dataset.table),
        revisions=_name(dataset.revision_table),
        session=sql.Identifier(dataset.session_column),
        staged=_staged(dataset, batch_id),
        same_key=same_key,
    )


def _corrects(dataset: Dataset, incoming: str) -> sql.Composed:
    """True where the incoming row says something else and is to be believed."""
    held = _list(dataset.values, "held")
    new = _list(dataset.values, incoming)
    return sql.SQL(
        "({held}) IS DISTINCT FROM ({new}) AND (held.source = ANY (%(less_trusted)s) OR ("
        "held.source = %(source)s AND %(fetched_at)s > ("
        "SELECT earlier.fetched_at FROM ops.batch AS earlier WHERE earlier.batch_id = held.batch_id)))"
    ).format(held=held, new=new)


def _list(names: tuple[str, ...], table: str | None = None) -> sql.Composed:
    prefix = (table,) if table else ()
    return sql.SQL(", ").join(sql.Identifier(*prefix, name) for name in names)


def _name(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))


def _staged(dataset: Dataset, batch_id: int) -> sql.Identifier:
    return sql.Identifier(staging.SCHEMA, staging.table_name(dataset, batch_id))
