"""Keeps ``derived.indicator`` in step with what the warehouse holds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import psycopg
import pyarrow as pa
from adbc_driver_postgresql import dbapi
from psycopg import sql

from include.indicators.column_table import describe_columns
from include.indicators.compute import Indicators, compute
from include.indicators.due import EVERYTHING, Due, queue_changes, read_due
from include.indicators.formulas import formula_digest
from include.indicators.index_level import IndexLevels
from include.indicators.inputs import Inputs, read_index_levels, read_inputs
from include.indicators.panel import PanelError
from include.warehouse.connection import WarehouseUnreachableError, address_of, connect

# Rows taken at once. One that is written weighs more: it has all results, as numbers and as an Arrow table.
_ROWS_AT_ONCE = 400_000
_WEIGHT_OF_RESULTS = 5
# Read while one is worked on: the server takes longer to read an increment than it takes to compute it.
_BLOCKS_AHEAD = 2
# Rows encoded before the first of them is sent.
_ROWS_PER_MESSAGE = 8_192
# What PostgreSQL says when it ends a connection; nothing, when it is gone.
_BROKEN_OFF = ("08", "57P")

Progress = Callable[[int, int], None]


class NoBarsError(PanelError):
    """There are no bars to compute anything of."""


@dataclass(frozen=True)
class IndicatorReport:
    """Issues whose rows were written anew, those that have none any more, and rows written.

    ``since`` is the earliest session of the rows written; None where there are none.
    """

    symbols: tuple[str, ...]
    symbols_removed: tuple[str, ...]
    rows: int
    since: date | None

    def summary(self) -> str:
        """One line in plain words."""
        if not self.symbols and not self.symbols_removed:
            return "Indicators are up to date: nothing they rest on has changed"
        since = f" from {self.since} on" if self.since else ""
        removed = f"; {len(self.symbols_removed):,} symbols have no bars any more" if self.symbols_removed else ""
        return f"Indicators of {len(self.symbols):,} symbols computed{since}: {self.rows:,} rows written{removed}"


def refresh_indicators(dsn: str, *, everything: bool = False, on_progress: Progress | None = None) -> IndicatorReport:
    """Bring ``derived.indicator`` and ``derived.indicator_column`` up to date; every issue with ``everything``.

    Computes what batches and factors since the last time can have changed, from the earliest session they touched on;
    everything, where formulas have. Factors are taken as they are: ``refresh_adjustments`` brings them up to date.
    The result depends only on what is in the warehouse, not on the order it came in; running it again writes nothing.
    Some issues at a time are written in one transaction with the note that they are done, so a run that was cut short
    is taken up where it was. Only one runs at a time; another waits.

    Args:
        dsn: the warehouse (libpq URI).
        everything: compute all rows of all issues, not only what is new.
        on_progress: called with the number of issues done and of those there are to do, first with none done.

    Raises:
        NoBarsError: the warehouse holds neither bars nor indicators.
        PanelError: there are bars of which nothing can be computed; the message says which. The other issues are up to
            date, these are as they were, and still due.
        WarehouseUnreachableError: the warehouse does not answer, or broke off; some issues are up to date, the others
            as they were.
        adbc_driver_manager.Error: the server refused to take the rows of some issues; these are as they were.
    """
    with connect(dsn, "etl", autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext('refresh indicators'))")
        _require_bars(connection)
        with connection.transaction():
            describe_columns(connection)
            queue_changes(connection, everything=everything)
        due = read_due(connection)
        if not due:
            return IndicatorReport((), (), 0, None)
        with _writing(dsn) as cursor:
            run = _Run(dsn, connection, cursor, read_index_levels(dsn), len(due), on_progress or (lambda *_: None))
            later = run.work_off([each for each in due if each.first])
            rest = [each for each in due if not each.first]
            run.work_off([*rest, *(replace(each, first=None, first_obv=np.nan) for each in later)])
        run.refuse_faults()
        return run.report()


def _require_bars(connection: psycopg.Connection) -> None:
    [(there,)] = connection.execute(
        "SELECT EXISTS (SELECT FROM mart.daily_bar) OR EXISTS (SELECT FROM derived.indicator_state)"
    ).fetchall()
    if not there:
        raise NoBarsError("the warehouse holds no daily bars: load them first, as with `krxw backfill`")


@contextmanager
def _writing(dsn: str) -> Iterator[dbapi.Cursor]:
    """A cursor of a connection of its own, whose transaction is ended by its ``adbc_connection``'s ``commit``."""
    with _told_if_broken_off(dsn), dbapi.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE etl")
        cursor.execute("SET client_encoding = 'UTF8'")  # Arrow's text is, whatever the database prefers
        # An action rewrites rows of years that the columnstore has compressed.
        cursor.execute(
            "SELECT set_config(name, '0', false) FROM pg_settings "
            "WHERE name = 'timescaledb.max_tuples_decompressed_per_dml_transaction'"
        )
        connection.commit()
        yield cursor


@contextmanager
def _told_if_broken_off(dsn: str) -> Iterator[None]:
    try:
        yield
    except dbapi.OperationalError as error:
        if error.sqlstate is not None and not error.sqlstate.startswith(_BROKEN_OFF):
            raise
        reason = str(error).strip().removesuffix(".")
        raise WarehouseUnreachableError(
            f"the warehouse at {address_of(dsn)} broke off while indicators were written: {reason}. "
            "Look into the server's log, then run again: it goes on with the issues that are left"
        ) from error


class _Run:
    """One refresh, block after block."""

    def __init__(
        self,
        dsn: str,
        connection: psycopg.Connection,
        cursor: dbapi.Cursor,
        indices: IndexLevels,
        issues: int,
        on_progress: Progress,
    ) -> None:
        self._dsn = dsn
        self._connection = connection
        self._cursor = cursor
        self._indices = indices
        self._issues = issues
        self._on_progress = on_progress
        self._done = 0
        self._symbols: list[str] = []
        self._removed: list[str] = []
        self._rows = 0
        self._since: date | None = None
        # What is read from now on may hold more than this; nothing it lacks came before.
        [(self._read_at,)] = connection.execute("SELECT clock_timestamp()").fetchall()
        self._years: set[int] = set()
        self._faults: dict[str, str] = {}
        self._first_bar, self._last_bar = _span_of_bars(connection)
        on_progress(0, issues)

    def report(self) -> IndicatorReport:
        return IndicatorReport(tuple(sorted(self._symbols)), tuple(sorted(self._removed)), self._rows, self._since)

    def refuse_faults(self) -> None:
        """Raise a PanelError if there were issues with bars of which nothing can be computed."""
        if self._faults:
            told = "\n".join(told for _, told in sorted(self._faults.items()))
            raise PanelError(
                f"{len(self._faults):,} of {self._issues:,} issues could not be computed, and are still due; the "
                f"others are up to date:\n{told}",
                self._faults,
            )

    def work_off(self, due: Sequence[Due]) -> list[Due]:
        """Compute and write; those that lack sessions before their first one are left, and returned."""
        left: list[Due] = []
        for inputs in self._read_ahead(due):
            left += [*inputs.short, *(each for each in inputs.without_bars if each.first)]
            gone = [each for each in inputs.without_bars if not each.first]
            results = None
            if inputs.panel is not None:
                results = compute(inputs.panel, np.array([each.since for each in inputs.of_panel], "datetime64[D]"))
            self._write(inputs.of_panel, gone, results)
            self._done += len(inputs.of_panel) + len(gone)
            self._on_progress(self._done, self._issues)
        return left

    def _read_ahead(self, due: Sequence[Due]) -> Iterator[Inputs]:
        """The inputs of ``due``, block by block; the next ones are read while one is worked on."""
        with ThreadPoolExecutor(_BLOCKS_AHEAD) as beside:
            coming: deque[Future[Inputs]] = deque()
            for block in self._blocks(due):
                coming.append(beside.submit(self._read, block))
                if len(coming) > _BLOCKS_AHEAD:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()

    def _read(self, block: Sequence[Due]) -> Inputs:
        """The inputs of ``block`` but for issues with a bar of which nothing can be computed: these are left due."""
        if not block:
            return Inputs(None, (), (), ())
        try:
            return read_inputs(self._dsn, block, self._indices)
        except PanelError as error:
            if not error.faults:
                raise
            self._faults.update(error.faults)
            return self._read([each for each in block if each.symbol not in error.faults])

    def _blocks(self, due: Sequence[Due]) -> Iterator[list[Due]]:
        """``due``, the ones that reach back furthest first, in parts that fit into memory."""
        block: list[Due] = []
        weight = 0
        for each in sorted(due, key=lambda each: (each.first or date.min, each.symbol)):
            of_this = self._rows_from(each.first or date.min) + _WEIGHT_OF_RESULTS * self._rows_from(each.since)
            if block and weight + of_this > _ROWS_AT_ONCE:
                yield block
                block, weight = [], 0
            block.append(each)
            weight += of_this
        if block:
            yield block

    def _rows_from(self, day: date) -> int:
        """How many sessions an issue has from ``day`` on, at most and about."""
        return max((self._last_bar - max(day, self._first_bar)).days * 5 // 7, 0) + 1

    def _write(self, written: Sequence[Due], gone: Sequence[Due], results: Indicators | None) -> None:
        """Put the results in the place of what is stored, and the issues off the queue, in one transaction."""
        self._ensure_partitions(results)
        removed = [replace(each, since=EVERYTHING) for each in gone if each.is_stored]
        self._execute(_DELETE, [*(each for each in written if each.is_stored), *removed])
        if results is not None and len(results):
            rows = _rows(results).to_reader(max_chunksize=_ROWS_PER_MESSAGE)
            self._cursor.adbc_ingest("indicator", rows, mode="append", db_schema_name="derived")
        self._execute(_NOTE_WRITTEN, written)
        self._execute(_NOTE_REMOVED, removed)
        self._execute(_NOTE_UNSIGNALLED, [*written, *removed])
        self._execute(_TAKE_OFF_QUEUE, [*written, *gone])
        self._cursor.connection.commit()
        self._symbols += [each.symbol for each in written]
        self._removed += [each.symbol for each in removed]
        if results is not None and len(results):
            self._rows += len(results)
            first = results.sessions.min().astype(object)
            self._since = min(first, self._since or first)

    def _ensure_partitions(self, results: Indicators | None) -> None:
        if results is None or not len(results):
            return
        first, last = results.sessions.min().astype(object), results.sessions.max().astype(object)
        years = set(range(first.year, last.year + 1))
        if not years <= self._years:
            self._connection.execute("SELECT ops.ensure_year_partitions('derived.indicator', %s, %s)", [first, last])
            self._years |= years

    def _execute(self, statement: str, due: Sequence[Due]) -> None:
        """Run ``statement`` of the rows (symbol, since, factor_digest) of ``due``, if there are any."""
        if due:
            self._cursor.execute(
                sql.SQL(statement)
                .format(
                    due=_as_rows(due),
                    symbols=sql.Literal([each.symbol for each in due]),
                    formulas=sql.Literal(formula_digest()),
                    read_at=sql.Literal(self._read_at),
                    earliest=sql.Literal(min(each.since for each in due)),
                )
                .as_string()
            )


# The constants keep partitions before the earliest session out of the plan, and have it take the index.
_DELETE = """
    DELETE FROM derived.indicator AS stored USING {due}
    WHERE stored.symbol = due.symbol AND stored.session >= due.since
        AND stored.symbol = ANY ({symbols}) AND stored.session >= {earliest}
"""
_NOTE_WRITTEN = """
    INSERT INTO derived.indicator_state AS state (symbol, factor_digest, formula_digest, written_at)
    SELECT symbol, factor_digest, {formulas}, {read_at} FROM {due}
    ON CONFLICT (symbol) DO UPDATE SET
        factor_digest = excluded.factor_digest, formula_digest = excluded.formula_digest,
        written_at = excluded.written_at
"""
_NOTE_REMOVED = "DELETE FROM derived.indicator_state AS state USING {due} WHERE state.symbol = due.symbol"
_NOTE_UNSIGNALLED = """
    INSERT INTO ops.unsignalled_symbol AS known (symbol, since) SELECT symbol, since FROM {due}
    ON CONFLICT (symbol) DO UPDATE SET since = least(known.since, excluded.since)
"""
_TAKE_OFF_QUEUE = "DELETE FROM ops.indicator_due AS queued USING {due} WHERE queued.symbol = due.symbol"


def _as_rows(due: Sequence[Due]) -> sql.Composed:
    return sql.SQL("unnest({}::text[], {}::date[], {}::text[]) AS due (symbol, since, factor_digest)").format(
        sql.Literal([each.symbol for each in due]),
        sql.Literal([each.since.isoformat() for each in due]),
        sql.Literal([each.factor_digest for each in due]),
    )


def _rows(results: Indicators) -> pa.Table:
    """The columns of ``derived.indicator``."""
    table = results.table()
    return (
        table.set_column(0, "symbol", table["symbol"].cast(pa.string()))
        .append_column("traded", pa.array(results.traded))
        .append_column("traded_sessions", pa.array(results.traded_sessions))
        .append_column("flat", pa.array(results.flat))
    )


def _span_of_bars(connection: psycopg.Connection) -> tuple[date, date]:
    """The first and the last session there are bars of; today twice where there are none."""
    [span] = connection.execute(
        "SELECT coalesce(min(first), current_date), coalesce(max(last), current_date) FROM ("
        "SELECT min(session) AS first, max(session) AS last FROM market.daily_bar "
        "UNION ALL SELECT min(session), max(session) FROM market.etp_daily_bar) AS spans"
    ).fetchall()
    return span[0], span[1]
