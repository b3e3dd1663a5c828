"""Keeps corporate actions and factors in step with the bars, the dividends and what operators decided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

import psycopg
from psycopg import sql

from include.adjustments.candidates import read_candidates
from include.adjustments.evidence import Finding
from include.adjustments.history import Candidate, HeldAction, action_history, rounding_now
from include.warehouse.connection import SQL_QUERIES, connect

ADJUSTING_DATASETS = ("daily_bar", "etp_daily_bar", "dividend", "instrument")
# What was loaded over more days than this is looked at by going through everything.
_DAYS_LOOKED_AT = 400
_KEYS = {
    "corporate_action": ("symbol", "ex_date"),
    "corporate_action_revision": ("symbol", "ex_date", "known_at"),
    "base_rounding": ("symbol", "session"),
    "adjustment_factor": ("symbol", "first_session"),
    "total_return_factor": ("symbol", "first_session"),
}


@dataclass(frozen=True)
class AdjustmentReport:
    """Symbols whose actions changed, and whose factors did; the actions applied and pending in the warehouse."""

    symbols_with_actions_changed: tuple[str, ...]
    symbols_with_factors_changed: tuple[str, ...]
    actions_applied: int
    actions_pending: int

    def summary(self) -> str:
        """One line in plain words."""
        pending = (
            f"; {self.actions_pending:,} are pending until missing sessions are loaded or an operator decides"
            if self.actions_pending
            else ""
        )
        return (
            f"{self.actions_applied:,} corporate actions applied{pending}; "
            f"factors of {len(self.symbols_with_factors_changed):,} symbols changed"
        )


def refresh_adjustments(
    dsn: str, symbols: Sequence[str] | None = None, *, everything: bool = False
) -> AdjustmentReport:
    """Bring corporate actions and factors up to date, in one transaction.

    Looks at what batches and decisions since the last time can have changed; at ``symbols`` where they are given; at
    every issue with ``everything``. The result depends only on what is in the warehouse, not on the order it came
    in; running it again changes nothing.

    Raises:
        WarehouseUnreachableError: the warehouse does not answer.
    """
    with connect(dsn, "etl") as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('refresh adjustments'))")
        connection.execute("SET LOCAL work_mem = '256MB'")  # all bars are sorted by issue
        fresh, decisions = _fresh_batches(connection), _fresh_decisions(connection)
        if everything:
            looked_at = None
        elif symbols is not None:
            looked_at = _of_the_same_companies(connection, symbols)
        else:
            looked_at = _touched(connection, fresh)
        actions: set[str] = set()
        factors: set[str] = set()
        if looked_at is None or looked_at:
            candidates = read_candidates(connection, looked_at)
            _stage_findings(connection, candidates)
            _run(connection, "find_code_changes.sql", looked_at)
            actions = _replace(connection, "corporate_action", looked_at)
            actions |= _replace(connection, "corporate_action_revision", looked_at)
            _replace(connection, "base_rounding", looked_at)
            factors = _refresh_factors(connection, looked_at)
        if symbols is None:
            _mark_done(connection, fresh, decisions)
        connection.execute(
            "INSERT INTO ops.readjusted_symbol SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING", [sorted(factors)]
        )
        counts: dict[str, int] = dict(
            connection.execute("SELECT status, count(*) FROM market.corporate_action GROUP BY status").fetchall()
        )
    return AdjustmentReport(
        symbols_with_actions_changed=tuple(sorted(actions)),
        symbols_with_factors_changed=tuple(sorted(factors)),
        actions_applied=counts.get("applied", 0),
        actions_pending=counts.get("pending", 0),
    )


def take_readjusted_symbols(dsn: str) -> list[str]:
    """The symbols whose factors changed since this was asked last, by whatever refreshed them, in order.

    Raises:
        WarehouseUnreachableError: the warehouse does not answer.
    """
    with connect(dsn, "etl") as connection:
        rows = connection.execute("DELETE FROM ops.readjusted_symbol RETURNING symbol").fetchall()
    return sorted(symbol for (symbol,) in rows)


@dataclass(frozen=True)
class _Batch:
    batch_id: int
    first: date
    last: date


def _fresh_batches(connection: psycopg.Connection) -> list[_Batch]:
    rows = connection.execute(
        "SELECT batch_id, first_session, last_session FROM ops.batch "
        "WHERE status = 'loaded' AND dataset = ANY (%s) "
        "AND NOT EXISTS (SELECT FROM ops.adjusted_batch AS done WHERE done.batch_id = batch.batch_id)",
        [list(ADJUSTING_DATASETS)],
    )
    return [_Batch(*row) for row in rows.fetchall()]


def _fresh_decisions(connection: psycopg.Connection) -> list[int]:
    rows = connection.execute(
        "SELECT decision_id FROM market.corporate_action_decision AS decision WHERE NOT EXISTS ("
        "SELECT FROM ops.adjusted_decision AS done WHERE done.decision_id = decision.decision_id)"
    )
    return [decision_id for (decision_id,) in rows.fetchall()]


def _of_the_same_companies(connection: psycopg.Connection, symbols: Sequence[str]) -> list[str]:
    """``symbols`` and all issues of their companies: a preferred share is told by its common share."""
    rows = connection.execute(
        "SELECT symbol FROM market.instrument WHERE left(symbol, 5) = ANY (%s) UNION SELECT unnest(%s::text[])",
        [[symbol[:5] for symbol in symbols], list(symbols)],
    )
    return sorted(symbol for (symbol,) in rows.fetchall())


def _touched(connection: psycopg.Connection, fresh: Sequence[_Batch]) -> list[str] | None:
    """The symbols to look at; None means all."""
    first = min((batch.first for batch in fresh), default=date.max)
    last = max((batch.last for batch in fresh), default=date.max)
    if (last - first).days > _DAYS_LOOKED_AT:
        return None
    if not fresh:
        # No day is asked for, only operators' decisions.
        first = last = date(9000, 1, 1)
    rows = connection.execute(
        (SQL_QUERIES / "find_touched_symbols.sql").read_bytes(),
        {"first": first, "last": last, "batches": [batch.batch_id for batch in fresh]},
    )
    return [symbol for (symbol,) in rows.fetchall()]


def _mark_done(connection: psycopg.Connection, fresh: Sequence[_Batch], decisions: Sequence[int]) -> None:
    connection.execute(
        "INSERT INTO ops.adjusted_batch SELECT unnest(%s::bigint[]) ON CONFLICT DO NOTHING",
        [[batch.batch_id for batch in fresh]],
    )
    connection.execute(
        "INSERT INTO ops.adjusted_decision SELECT unnest(%s::bigint[]) ON CONFLICT DO NOTHING", [list(decisions)]
    )


def _stage_findings(connection: psycopg.Connection, candidates: Sequence[Candidate]) -> None:
    """What the candidates are, into the temporary tables found_*."""
    for table in _KEYS:
        connection.execute(
            sql.SQL("CREATE TEMPORARY TABLE {} (LIKE {}) ON COMMIT DROP").format(
                sql.Identifier(f"found_{table}"), sql.Identifier("market", table)
            )
        )
    held: list[tuple[Any, ...]] = []
    replaced: list[tuple[Any, ...]] = []
    roundings: list[tuple[Any, ...]] = []
    by_place = {(candidate.symbol, candidate.ex_date): candidate for candidate in candidates}
    for candidate in candidates:
        common = by_place.get((candidate.symbol[:5] + "0", candidate.ex_date))
        actions = action_history(candidate, None if common is candidate else common)
        for action in actions:
            row = _row(candidate, action)
            if action.superseded_at is None:
                held.append(row)
            else:
                replaced.append((*row, action.superseded_at))
        is_held = bool(actions) and actions[-1].superseded_at is None
        if not is_held and (rounding := rounding_now(candidate)):
            place = (candidate.symbol, candidate.ex_date)
            roundings.append((*place, rounding.prior_session, rounding.prior_close, rounding.base_price))
    _copy(connection, "found_corporate_action", _ACTION_COLUMNS, held)
    _copy(connection, "found_corporate_action_revision", (*_ACTION_COLUMNS, "superseded_at"), replaced)
    _copy(
        connection,
        "found_base_rounding",
        ("symbol", "session", "prior_session", "prior_close", "base_price"),
        roundings,
    )


_FINDING_COLUMNS = tuple(field.name for field in fields(Finding))
_ACTION_COLUMNS = ("symbol", "ex_date", *_FINDING_COLUMNS, "decided_by", "known_at")


def _row(candidate: Candidate, action: HeldAction) -> tuple[Any, ...]:
    found = (getattr(action.finding, name) for name in _FINDING_COLUMNS)
    return (candidate.symbol, candidate.ex_date, *found, action.decided_by, action.known_at)


def _refresh_factors(connection: psycopg.Connection, symbols: Sequence[str] | None) -> set[str]:
    """Rebuild the factors of ``symbols``; those that changed."""
    _run(connection, "compute_adjustment_factors.sql", symbols)
    _run(connection, "compute_total_return_factors.sql", symbols)
    return _replace(connection, "adjustment_factor", symbols) | _replace(connection, "total_return_factor", symbols)


def _run(connection: psycopg.Connection, name: str, symbols: Sequence[str] | None) -> None:
    connection.execute((SQL_QUERIES / name).read_bytes(), {"symbols": None if symbols is None else list(symbols)})


def _copy(connection: psycopg.Connection, table: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def _replace(connection: psycopg.Connection, table: str, symbols: Sequence[str] | None) -> set[str]:
    """Make ``table`` hold what found_``table`` does, touching only rows that differ; the symbols of those."""
    columns = [
        name
        for (name,) in connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped "
            "ORDER BY attnum",
            [f"market.{table}"],
        )
    ]
    values = [name for name in columns if name not in _KEYS[table]]
    statement = sql.SQL(
        """
        WITH gone AS (
            DELETE FROM {table} AS known
            WHERE (%(symbols)s::text[] IS NULL OR known.symbol = ANY (%(symbols)s))
                AND NOT EXISTS (SELECT FROM {found} AS found WHERE ({found_key}) = ({known_key}))
            RETURNING known.symbol
        ), written AS (
            INSERT INTO {table} AS known ({columns}) SELECT {columns} FROM {found}
            ON CONFLICT ({key}) DO UPDATE SET {assignments}
            WHERE ({known_values}) IS DISTINCT FROM ({new_values})
            RETURNING known.symbol
        )
        SELECT symbol FROM gone UNION SELECT symbol FROM written
        """
    ).format(
        table=sql.Identifier("market", table),
        found=sql.Identifier(f"found_{table}"),
        columns=_list(columns),
        key=_list(_KEYS[table]),
        found_key=_list(_KEYS[table], "found"),
        known_key=_list(_KEYS[table], "known"),
        known_values=_list(values, "known"),
        new_values=_list(values, "excluded"),
        assignments=sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in values),
    )
    parameters = {"symbols": None if symbols is None else list(symbols)}
    return {symbol for (symbol,) in connection.execute(statement, parameters).fetchall()}


def _list(names: Sequence[str], table: str | None = None) -> sql.Composed:
    prefix = (table,) if table else ()
    return sql.SQL(", ").join(sql.Identifier(*prefix, name) for name in names)
