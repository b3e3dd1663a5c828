"""Keeps ``derived.signal`` in step with the indicators and the catalogue of strategies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from include.indicators.symbol_rows import row_keys, session_days
from include.signals.catalogue import CATALOGUE
from include.signals.check import check_on_signals
from include.signals.evaluate import evaluate
from include.signals.history import BARS, History, LookAheadError
from include.signals.strategy import Strategy, StrategyError, priority_of
from include.warehouse.connection import SQL_QUERIES, connect
from include.warehouse.reading import read_table

# Rows read at once, about 70 MB of them; there are three blocks in memory while the next but one is read.
_ROWS_AT_ONCE = 200_000
_STRENGTH_DECIMALS = 2

# A correction, or a new version, changes rows of years that the columnstore has compressed.
_SETTINGS = """
    SELECT set_config(name, '0', false) FROM pg_settings
    WHERE name = 'timescaledb.max_tuples_decompressed_per_dml_transaction'
"""
_INDICATORS = """
    SELECT {columns} FROM derived.indicator WHERE traded AND symbol = ANY ({symbols}) AND session >= {first}
"""
_BARS = """
    SELECT {columns} FROM mart.adjusted_daily_bar WHERE symbol = ANY ({symbols}) AND session >= {first}
"""
_KEY = {"symbol": pa.string(), "session": pa.date32()}
_TEMPORARY = """
    CREATE TEMPORARY TABLE looked_at (
        symbol text, since date, first date, through date, indicated_at timestamptz
    ) ON COMMIT DELETE ROWS;
    CREATE TEMPORARY TABLE found_signal (
        symbol text, session date, strategy text, strategy_version integer, side text, strength double precision,
        priority text, reason text
    ) ON COMMIT DELETE ROWS;
"""


class NoIndicatorsError(LookupError):
    """The warehouse has no indicators, so there is nothing to look at."""


@dataclass(frozen=True)
class SignalReport:
    """What a refresh looked at and wrote; ``added`` counts signals that had been withdrawn and are back, too."""

    symbols: int
    added: int
    changed: int
    withdrawn: int
    strategies_evaluated_anew: tuple[str, ...]

    def summary(self) -> str:
        """One line in plain words."""
        if not self.symbols and not self.withdrawn:
            return "Signals are up to date: no indicators have changed"
        count = len(self.strategies_evaluated_anew)
        anew = f"; {count} new strategies or versions evaluated over all history" if count else ""
        return (
            f"Signals of {self.symbols:,} symbols: {self.added:,} new, {self.changed:,} changed, "
            f"{self.withdrawn:,} withdrawn{anew}"
        )


@dataclass(frozen=True)
class _Task:
    """To look for signals of ``symbol`` from ``since`` on, reading from ``first`` on.

    ``through`` is its last session with indicators, ``indicated_at`` when these were written; None where it has none.
    ``queued`` is the version of its row in the queue, None where it has none: indicators written after it was read
    queue the symbol anew.
    """

    symbol: str
    since: date
    first: date
    through: date | None
    indicated_at: datetime | None
    queued: str | None


def refresh_signals(
    dsn: str,
    *,
    everything: bool = False,
    strategies: Sequence[Strategy] = CATALOGUE,
    on_block: Callable[[int, int], None] | None = None,
) -> SignalReport:
    """Bring signals up to the indicators: of symbols whose indicators changed, from the session on they did.

    All history is evaluated where a strategy is new or has a new version, and with ``everything``. A block of symbols
    is one transaction; what a run that died had left, the next one does. Running again changes nothing: a signal that
    is found again stays as it was written. One that is not found again is marked as withdrawn.

    A strategy is checked on every block with signals of it, before they are written, until one has shown that it looks
    neither ahead nor further back than its memory. One that does is refused: the run ends, and what it had said on
    blocks that could not show it is withdrawn.

    ``on_block`` is told after each block how many symbols of how many are done.

    Raises:
        LookAheadError: a strategy looks ahead; none of its signals stands.
        NoIndicatorsError: the warehouse has no indicators at all.
        StrategyError: a strategy has no strength where its condition holds, or looks further back than its memory; of
            the latter none of its signals stands.
        WarehouseUnreachableError: the warehouse does not answer.
    """
    with connect(dsn, "etl", autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext('refresh signals'))")
        connection.execute(_SETTINGS.encode())
        connection.execute(_TEMPORARY.encode())
        withdrawn = _register(connection, strategies)
        unevaluated = _unevaluated(connection)
        whole = everything or bool(unevaluated)
        tasks = _tasks(connection, strategies, whole=whole)
        unchecked = _unchecked(connection, strategies)
        done = added = changed = 0
        for block, history in _read_ahead(dsn, _blocks(tasks, _earliest(connection)), strategies):
            if history is not None:
                unchecked = _check(connection, history, unchecked)
            with connection.transaction():
                _note(connection, block, history)
                if history is not None:
                    _stage(connection, history, block, strategies)
                counts = _write(connection, block, strategies, unevaluated)
            added, changed, withdrawn = added + counts[0], changed + counts[1], withdrawn + counts[2]
            done += len(block)
            if on_block:
                on_block(done, len(tasks))
        _see_that_there_are_indicators(connection)
        connection.execute(
            "UPDATE derived.strategy SET evaluated_version = version WHERE name = ANY (%s)", [unevaluated]
        )
    return SignalReport(len(tasks), added, changed, withdrawn, tuple(unevaluated))


def register_strategies(connection: psycopg.Connection, strategies: Sequence[Strategy]) -> None:
    """Keep what ``strategies`` are declared as in ``derived.strategy``; what is there of others stays."""
    for strategy in strategies:
        declared = {
            "name": strategy.name,
            "version": strategy.version,
            "title": strategy.title,
            "family": strategy.family,
            "side": strategy.side,
            "condition": strategy.words,
            "strength": strategy.strength_in_words,
            "source": strategy.source,
            "memory": strategy.memory,
            "stop_loss_pct": strategy.stop_loss_pct,
        }
        connection.execute((SQL_QUERIES / "register_strategy.sql").read_bytes(), declared)


def _register(connection: psycopg.Connection, strategies: Sequence[Strategy]) -> int:
    """Keep ``derived.strategy`` as declared; how many signals of strategies no longer declared were withdrawn."""
    names = [strategy.name for strategy in strategies]
    with connection.transaction():
        register_strategies(connection, strategies)
        retired = connection.execute(
            "UPDATE derived.strategy SET retired_at = now(), evaluated_version = NULL "
            "WHERE retired_at IS NULL AND name <> ALL (%s) RETURNING name",
            [names],
        ).fetchall()
        if not retired:
            return 0
        return connection.execute(
            "UPDATE derived.signal SET withdrawn_at = now() WHERE withdrawn_at IS NULL AND strategy = ANY (%s)",
            [[name for (name,) in retired]],
        ).rowcount


def _unevaluated(connection: psycopg.Connection) -> list[str]:
    """The strategies of which not all history was evaluated with their version."""
    rows = connection.execute(
        "SELECT name FROM derived.strategy "
        "WHERE retired_at IS NULL AND evaluated_version IS DISTINCT FROM version ORDER BY name"
    )
    return [name for (name,) in rows.fetchall()]


def _unchecked(connection: psycopg.Connection, strategies: Sequence[Strategy]) -> list[Strategy]:
    """The strategies of whose version no signals were there yet that could show what is wrong."""
    rows = connection.execute("SELECT name FROM derived.strategy WHERE checked_version IS NOT DISTINCT FROM version")
    checked = {name for (name,) in rows.fetchall()}
    return [strategy for strategy in strategies if strategy.name not in checked]


def _see_that_there_are_indicators(connection: psycopg.Connection) -> None:
    [(there_are,)] = connection.execute("SELECT EXISTS (SELECT FROM derived.indicator)").fetchall()
    if not there_are:
        raise NoIndicatorsError(
            "no indicators are in the warehouse, so there is nothing to find signals in; load daily bars, then run the "
            "DAG indicators, or: krxw indicators"
        )


def _tasks(connection: psycopg.Connection, strategies: Sequence[Strategy], *, whole: bool) -> list[_Task]:
    """Every symbol, or those of the queue, the ones of which little has to be read together."""
    query = "find_all_symbols.sql" if whole else "find_unsignalled_symbols.sql"
    memory = max(strategy.memory for strategy in strategies)
    rows = connection.execute((SQL_QUERIES / query).read_bytes(), {"memory": memory})
    return [_Task(*row) for row in rows.fetchall()]


def _earliest(connection: psycopg.Connection) -> date:
    """The first session there are indicators of; today where there are none."""
    earliest: date
    [(earliest,)] = connection.execute("SELECT coalesce(min(session), current_date) FROM derived.indicator").fetchall()
    return earliest


def _blocks(tasks: Sequence[_Task], earliest: date) -> list[list[_Task]]:
    """``tasks`` in parts of about as many rows as are read at once, those of which little has to be read together.

    All of a part are read from where the one that reaches back furthest begins; nothing is there before ``earliest``.
    """
    blocks: list[list[_Task]] = []
    block: list[_Task] = []
    throughs = 0
    for task in sorted(tasks, key=lambda task: task.first, reverse=True):
        first = max(task.first, earliest)
        through = max(task.through or first, first).toordinal()
        count = len(block) + 1
        days = throughs + through - count * first.toordinal()
        if block and days * 5 // 7 + count > _ROWS_AT_ONCE:
            blocks.append(block)
            block, throughs = [], 0
        block.append(task)
        throughs += through
    return [*blocks, block] if block else []


def _read_ahead(
    dsn: str, blocks: Sequence[Sequence[_Task]], strategies: Sequence[Strategy]
) -> Iterator[tuple[Sequence[_Task], History | None]]:
    """What there is of each block; the next one is read while one is worked on."""
    with ThreadPoolExecutor(max_workers=1) as beside:
        coming = [beside.submit(_read, dsn, block, strategies) for block in blocks[:1]]
        for place, block in enumerate(blocks):
            history = coming.pop().result()
            coming = [beside.submit(_read, dsn, following, strategies) for following in blocks[place + 1 : place + 2]]
            yield block, history


def _note(connection: psycopg.Connection, block: Sequence[_Task], history: History | None) -> None:
    """Take ``block`` from the queue, but for what was queued again, and note what is looked at."""
    connection.execute(
        "DELETE FROM ops.unsignalled_symbol WHERE symbol IN (SELECT symbol FROM ops.unsignalled_symbol AS queued "
        "JOIN unnest(%s::text[], %s::text[]) AS task (symbol, version) USING (symbol) "
        "WHERE queued.xmin::text = task.version FOR UPDATE OF queued SKIP LOCKED)",
        [[task.symbol for task in block], [task.queued for task in block]],
    )
    firsts = {} if history is None else history.first_sessions()
    with connection.cursor() as cursor, cursor.copy("COPY looked_at FROM STDIN") as copy:
        for task in block:
            first = firsts.get(task.symbol, task.through)
            copy.write_row((task.symbol, task.since, first, task.through, task.indicated_at))


def _read(dsn: str, block: Sequence[_Task], strategies: Sequence[Strategy]) -> History | None:
    """What ``strategies`` look at of the symbols of ``block``; None where there is nothing.

    Bars and indicators are joined here: of tables just filled the server knows too little to do it well.
    """
    of_indicators = sorted({column for strategy in strategies for column in strategy.columns} - {*BARS})
    part = {
        "symbols": sql.SQL("{}::text[]").format(sql.Literal([task.symbol for task in block])),
        "first": sql.Literal(min(task.first for task in block)),
    }
    indicators = _read_columns(dsn, _INDICATORS, of_indicators, part)
    bars = _read_columns(dsn, _BARS, BARS, part)
    rows = indicators.join(bars, list(_KEY), join_type="inner")
    if not rows.num_rows:
        return None
    number = pc.index_in(rows["symbol"], pa.array(sorted(task.symbol for task in block))).to_numpy()
    order = np.argsort(row_keys(number, session_days(rows)), kind="stable")
    return History.from_arrow(rows.take(pa.array(order)))


def _read_columns(dsn: str, query: str, columns: Sequence[str], part: Mapping[str, sql.Composable]) -> pa.Table:
    names = sql.SQL(", ").join(map(sql.Identifier, (*_KEY, *columns)))
    schema = pa.schema(_KEY | dict.fromkeys(columns, pa.float64()))
    return read_table(dsn, sql.SQL(query).format(columns=names, **part), schema)


def _check(connection: psycopg.Connection, history: History, strategies: Sequence[Strategy]) -> list[Strategy]:
    """Check ``strategies`` on their signals in ``history``; those of which it could not show what is wrong."""
    left = []
    for strategy in strategies:
        try:
            shown = check_on_signals(strategy, history)
        except (LookAheadError, StrategyError):
            _refuse(connection, strategy)
            raise
        if shown:
            connection.execute("UPDATE derived.strategy SET checked_version = version WHERE name = %s", [strategy.name])
        else:
            left.append(strategy)
    return left


def _refuse(connection: psycopg.Connection, strategy: Strategy) -> None:
    """Withdraw what a strategy that is wrong has said, and have it evaluated anew when it is mended."""
    with connection.transaction():
        connection.execute(
            "UPDATE derived.signal SET withdrawn_at = now() "
            "WHERE withdrawn_at IS NULL AND strategy = %s AND strategy_version = %s",
            [strategy.name, strategy.version],
        )
        connection.execute("UPDATE derived.strategy SET evaluated_version = NULL WHERE name = %s", [strategy.name])


def _stage(
    connection: psycopg.Connection, history: History, block: Sequence[_Task], strategies: Sequence[Strategy]
) -> None:
    """The signals of ``history`` that are looked for, into the temporary table found_signal."""
    since = {task.symbol: task.since for task in block}
    sinces = np.array([since[symbol] for symbol in history.symbols], "datetime64[D]")
    asked = history.sessions >= np.repeat(sinces, np.diff(history.offsets))
    with connection.cursor() as cursor, cursor.copy("COPY found_signal FROM STDIN") as copy:
        for hits in evaluate(history, strategies, asked):
            strategy, rows = hits.strategy, hits.rows
            symbols = history.symbols[history.symbol_index(rows)].tolist()
            sessions = history.sessions[rows].tolist()
            strengths = hits.strengths.round(_STRENGTH_DECIMALS).tolist()
            reasons = strategy.reasons(history, rows)
            for symbol, session, strength, reason in zip(symbols, sessions, strengths, reasons, strict=True):
                found = (symbol, session, strategy.name, strategy.version, strategy.side)
                copy.write_row((*found, strength, priority_of(strength), reason))


def _write(
    connection: psycopg.Connection,
    block: Sequence[_Task],
    strategies: Sequence[Strategy],
    unevaluated: Sequence[str],
) -> tuple[int, int, int]:
    """Make the table hold what was found of the symbols looked at: signals added, changed and withdrawn."""
    connection.execute("ANALYZE found_signal, looked_at")
    connection.execute(
        "SELECT ops.ensure_year_partitions('derived.signal', min(session), max(session)) "
        "FROM found_signal HAVING count(*) > 0"
    )
    place = {"symbols": [task.symbol for task in block], "since": min(task.since for task in block)}
    withdrawn = connection.execute((SQL_QUERIES / "withdraw_signals.sql").read_bytes(), place).rowcount
    [(added, changed)] = connection.execute(
        (SQL_QUERIES / "write_signals.sql").read_bytes(),
        place
        | {
            "unevaluated": list(unevaluated),
            "of_investor_flow": [each.name for each in strategies if each.looks_at("investor_flow")],
            "of_foreign_holding": [each.name for each in strategies if each.looks_at("foreign_holding")],
        },
    ).fetchall()
    connection.execute(
        "DELETE FROM derived.signal_state WHERE symbol IN (SELECT symbol FROM looked_at WHERE through IS NULL)"
    )
    connection.execute(
        "INSERT INTO derived.signal_state AS known (symbol, first, through, indicated_at) "
        "SELECT symbol, first, through, indicated_at FROM looked_at WHERE through IS NOT NULL "
        "ON CONFLICT (symbol) DO UPDATE SET first = least(known.first, excluded.first), through = excluded.through, "
        "indicated_at = excluded.indicated_at"
    )
    return added, changed, withdrawn
