"""``python -m benchmarks.corporate_actions``: what is found of a simulated market's actions, and what adjusting costs.

The simulator knows what its companies did; the warehouse sees only the bars. Actions are compared by symbol and
ex-date: found are those applied or noted. Then the adjusted views are timed against the same questions to raw bars, as
they reach a client, and refreshing after one split has come in.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from statistics import median
from typing import Annotated

import psycopg
import typer
from psycopg import sql
from rich.console import Console
from rich.table import Table

from benchmarks.databases import checkpoint, empty_warehouse, running_server
from benchmarks.figures import Figures
from benchmarks.load import load_in_child
from benchmarks.market_files import MarketFiles, market_files
from include.adjustments.refresh import refresh_adjustments
from include.platform.embedded import embedded_engine
from include.platform.postgres import PostgresServer
from include.settings import load_settings
from include.simulator.exchange.truth import CorporateAction
from include.warehouse.connection import connect

SYMBOLS = 2_100  # ten million rows
YEARS = 20
RECALL_AIM = 1.0
PRECISION_AIM = 0.995
KINDS_AIM = 0.95
RATIO_AIM = 2.0
_REPEATS = 7
_SYMBOLS_OF_A_STUDY = 200
_YEARS_OF_A_STUDY = 5
_SHOWN = 20
_COPY_BARS = sql.SQL("COPY (SELECT session, open, high, low, close, volume FROM {} WHERE {}) TO STDOUT (FORMAT binary)")


@dataclass(frozen=True)
class Found:
    """A row of ``market.corporate_action`` that no operator touched."""

    symbol: str
    ex_date: date
    kind: str
    status: str
    base_ratio: float
    evidence: str


@dataclass(frozen=True)
class Comparison:
    """True actions beside found ones. ``pairs`` are those of the same symbol and ex-date."""

    pairs: Sequence[tuple[CorporateAction, Found]]
    missed: Sequence[CorporateAction]
    invented: Sequence[Found]
    roundings: int
    pending: int

    @property
    def recall(self) -> float:
        """Share of the true actions that were found."""
        return len(self.pairs) / (len(self.pairs) + len(self.missed))

    @property
    def precision(self) -> float:
        """Share of the found actions that are true."""
        return len(self.pairs) / (len(self.pairs) + len(self.invented))

    @property
    def right_kind(self) -> float:
        """Share of the pairs of which the kind is right."""
        return sum(true.kind.value == found.kind for true, found in self.pairs) / len(self.pairs)

    @property
    def wrong_ratio(self) -> list[tuple[CorporateAction, Found]]:
        """The pairs whose base ratio is not the true one to the last bit."""
        return [(true, found) for true, found in self.pairs if float(true.base_ratio) != found.base_ratio]

    def confusion(self) -> Table:
        """True kinds by found kinds."""
        counts = Counter((true.kind.value, found.kind) for true, found in self.pairs)
        missed = Counter(true.kind.value for true in self.missed)
        kinds = sorted({found for _, found in counts} | {true for true, _ in counts} | set(missed))
        table = Table("true kind", *kinds, "missed", title="Found as", title_justify="left", box=None)
        for column in table.columns[1:]:
            column.justify = "right"
        for true in kinds:
            cells = [counts[true, found] for found in kinds] + [missed[true]]
            if any(cells):
                table.add_row(true, *(f"{cell:,}" if cell else "" for cell in cells))
        return table

    def rest(self) -> Iterator[str]:
        """What was missed, invented or told wrongly, a line each, so many of a sort."""
        wrong = [pair for pair in self.pairs if pair[0].kind.value != pair[1].kind]
        sorts = {
            "missed": [f"{true.symbol} {true.ex_date} {true.kind.value}" for true in self.missed],
            "invented": [f"{found.symbol} {found.ex_date} {found.kind}: {found.evidence}" for found in self.invented],
            "other ratio": [
                f"{true.symbol} {true.ex_date} {true.base_ratio}, not {found.base_ratio}"
                for true, found in self.wrong_ratio
            ],
            "other kind": [
                f"{true.symbol} {true.ex_date} {true.kind.value}, not {found.kind}: {found.evidence}"
                for true, found in wrong
            ],
        }
        for sort, lines in sorts.items():
            for line in lines[:_SHOWN]:
                yield f"{sort}: {line}"
            if len(lines) > _SHOWN:
                yield f"{sort}: and {len(lines) - _SHOWN:,} more"


def compare(dsn: str, actions: Sequence[CorporateAction]) -> Comparison:
    """What the warehouse found beside ``actions``, the truth."""
    with connect(dsn, "etl") as connection:
        rows = connection.execute(
            "SELECT symbol, ex_date, kind, status, base_ratio, evidence FROM market.corporate_action "
            "ORDER BY ex_date, symbol"
        ).fetchall()
        [roundings] = connection.execute("SELECT count(*) FROM market.base_rounding").fetchone() or (0,)
    held = {(found.symbol, found.ex_date): found for found in (Found(*row) for row in rows)}
    return _compare(held, {(action.symbol, action.ex_date): action for action in actions}, roundings)


def measure_corporate_actions(
    server: PostgresServer, home: Path, files: MarketFiles, figures: Figures, report: Callable[[str], None]
) -> Comparison:
    """Load ``files`` into a warehouse of ``server``, add the figures, and return what was found."""
    name = server.engine.name
    with empty_warehouse(server) as dsn:
        report(f"{name}: loading {files.years} years of {files.symbols:,} symbols")
        load = load_in_child(dsn, home / "scratch", files.folder, files.first(files.years), files.last)
        figures.add("corporate actions: raw rows", name, load.rows, "rows")
        report(f"{name}: finding corporate actions")
        began = time.perf_counter()
        refresh_adjustments(dsn)
        figures.add("refresh, all that was loaded", name, time.perf_counter() - began, "s")
        with connect(dsn, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        checkpoint(dsn)
        report("asking the simulator for the truth")
        comparison = compare(dsn, [action for action in files.market().actions if action.ex_date <= files.last])
        _add_comparison(figures, name, comparison)
        report(f"{name}: reading adjusted bars")
        _add_reading(figures, name, dsn, files)
        report(f"{name}: refreshing")
        _add_refreshing(figures, name, dsn, files)
    return comparison


def _compare(
    held: Mapping[tuple[str, date], Found], actions: Mapping[tuple[str, date], CorporateAction], roundings: int
) -> Comparison:
    found = {place: action for place, action in held.items() if action.status in ("applied", "noted")}
    return Comparison(
        pairs=[(actions[place], found[place]) for place in sorted(actions.keys() & found.keys())],
        missed=[actions[place] for place in sorted(actions.keys() - found.keys())],
        invented=[found[place] for place in sorted(found.keys() - actions.keys())],
        roundings=roundings,
        pending=sum(action.status == "pending" for action in held.values()),
    )


def _add_comparison(figures: Figures, name: str, comparison: Comparison) -> None:
    shares = {
        "recall of actions": (comparison.recall, RECALL_AIM),
        "precision of actions": (comparison.precision, PRECISION_AIM),
        "kinds": (comparison.right_kind, KINDS_AIM),
    }
    figures.add("true actions", name, len(comparison.pairs) + len(comparison.missed), "")
    for title, (share, aim) in shares.items():
        figures.add(title, name, 100 * share, "%", f"aim {aim:.1%}", met=share >= aim)
    wrong = len(comparison.wrong_ratio)
    figures.add("base ratio not the true one, to the last bit", name, wrong, "", "aim 0", met=wrong == 0)
    figures.add("base roundings, no actions", name, comparison.roundings, "")
    figures.add("pending", name, comparison.pending, "")


def _add_reading(figures: Figures, name: str, dsn: str, files: MarketFiles) -> None:
    """Each question to raw, adjusted and as-of bars by turns, so that all see the machine in the same state."""
    years = min(_YEARS_OF_A_STUDY, files.years)
    since, last = str(files.first(years)), str(files.last)
    relations = (
        sql.SQL("mart.daily_bar"),
        sql.SQL("mart.adjusted_daily_bar"),
        sql.SQL("mart.adjusted_daily_bar_asof({})").format(last),
    )
    with connect(dsn, "analyst") as connection:
        symbols = _studied(connection, files.first(years))
        questions = {
            "all of one symbol": sql.SQL("symbol = {}").format(symbols[0]),
            "one session of all": sql.SQL("session = {}").format(last),
            f"{years} years of {len(symbols)} symbols": sql.SQL("symbol = ANY ({}) AND session >= {}").format(
                symbols, since
            ),
        }
        for title, condition in questions.items():
            queries = [_COPY_BARS.format(relation, condition) for relation in relations]
            raw, adjusted, known = _median_seconds(connection, queries)
            ratio = adjusted / raw
            figures.add(f"{title}: raw", name, raw * 1e3, "ms")
            figures.add(f"{title}: adjusted", name, adjusted * 1e3, "ms")
            figures.add(f"{title}: adjusted / raw", name, ratio, "", f"aim < {RATIO_AIM:g}", met=ratio < RATIO_AIM)
            figures.add(f"{title}: as of the last day", name, known * 1e3, "ms")


def _studied(connection: psycopg.Connection, since: date) -> list[str]:
    """Symbols traded from ``since`` to the end, those with the most actions first."""
    rows = connection.execute(
        "SELECT symbol FROM mart.instrument AS issue LEFT JOIN mart.corporate_action USING (symbol) "
        "WHERE first_session < %s + 10 AND last_session = (SELECT max(last_session) FROM mart.instrument) "
        "GROUP BY symbol ORDER BY count(ex_date) DESC, symbol LIMIT %s",
        [since, _SYMBOLS_OF_A_STUDY],
    ).fetchall()
    return [symbol for (symbol,) in rows]


def _median_seconds(connection: psycopg.Connection, queries: Sequence[sql.Composed]) -> list[float]:
    """Of so many turns each, the first not counted."""
    turns = [[_seconds_of_copy(connection, query) for query in queries] for _ in range(_REPEATS + 1)]
    return [median(seconds) for seconds in zip(*turns[1:], strict=True)]


def _seconds_of_copy(connection: psycopg.Connection, query: sql.Composed) -> float:
    began = time.perf_counter()
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        received = sum(len(block) for block in copy)
    seconds = time.perf_counter() - began
    if received < 100:
        raise RuntimeError(f"no rows: {query.as_string(connection)}")
    return seconds


def _add_refreshing(figures: Figures, name: str, dsn: str, files: MarketFiles) -> None:
    symbol = _split_on(dsn, files.last, files.following)
    began = time.perf_counter()
    report = refresh_adjustments(dsn)
    seconds = time.perf_counter() - began
    if report.symbols_with_factors_changed != (symbol,):
        raise RuntimeError(f"the split of {symbol} changed factors of {report.symbols_with_factors_changed}")
    figures.add("refresh, one split came in", name, seconds, "s", f"changed factors of 1 symbol of {files.symbols:,}")
    began = time.perf_counter()
    refresh_adjustments(dsn, everything=True)
    figures.add("refresh, everything", name, time.perf_counter() - began, "s")


def _split_on(dsn: str, last: date, following: date) -> str:
    """Add the session ``following``, on which nothing moves but one share, split 5 to 1; its symbol."""
    with connect(dsn, "etl") as connection:
        [batch] = connection.execute(
            "INSERT INTO ops.batch (dataset, source, first_session, last_session, status, finished_at) "
            "VALUES ('daily_bar', 'marcap', %s, %s, 'loaded', now()) RETURNING batch_id",
            [following, following],
        ).fetchone() or (0,)
        connection.execute(
            "CREATE TEMPORARY TABLE coming ON COMMIT DROP AS SELECT * FROM market.daily_bar WHERE session = %s", [last]
        )
        connection.execute(
            "UPDATE coming SET session = %s, batch_id = %s, known_at = known_at + interval '1 day', "
            "base_price = close, change = 0, fluctuation_code = 3, "
            "open = close, high = close, low = close, halted = false",
            [following, batch],
        )
        [symbol] = connection.execute(
            "UPDATE coming SET open = close / 5, high = close / 5, low = close / 5, close = close / 5, "
            "base_price = close / 5, listed_shares = listed_shares * 5 "
            "WHERE symbol = (SELECT symbol FROM coming WHERE close % 5000 = 0 ORDER BY symbol LIMIT 1) RETURNING symbol"
        ).fetchone() or ("",)
        connection.execute("SELECT ops.ensure_year_partitions('market.daily_bar', %s, %s)", [following, following])
        connection.execute("INSERT INTO market.daily_bar SELECT * FROM coming")
        connection.execute(
            "UPDATE market.instrument SET last_session = %s WHERE symbol IN (SELECT symbol FROM coming)", [following]
        )
    return str(symbol)


def main(
    symbols: Annotated[int, typer.Option(help="Rows of a session, about.", min=1)] = SYMBOLS,
    years: Annotated[int, typer.Option(help="Years of bars.", min=1)] = YEARS,
) -> None:
    """Compare what is found with what the simulator did, and time adjusted bars against raw ones."""
    console = Console()
    settings = load_settings()
    home = settings.home / "bench"
    home.mkdir(parents=True, exist_ok=True)
    figures = Figures(f"corporate actions, {years} years of {symbols:,} symbols")
    with (
        console.status("simulating the market") as status,
        running_server(embedded_engine(settings.home / "postgresql-binaries")) as server,
    ):
        comparison = measure_corporate_actions(server, home, market_files(home, symbols, years), figures, status.update)
    console.print(figures.table())
    show(comparison, console)
    console.print(f"Kept in {figures.write(home)}", soft_wrap=True)


def show(comparison: Comparison, console: Console) -> None:
    """Print the kinds found, and what is not as it should be."""
    console.print(comparison.confusion())
    for line in comparison.rest():
        console.print(line, soft_wrap=True, highlight=False, markup=False)


if __name__ == "__main__":
    typer.run(main)
