"""``make demo``: a warehouse full of a simulated market, filled by a real Airflow, and what to look at in it.

The demo leaves a system at work: Airflow goes on collecting each session of the exchange's calendar from the
simulated source. ``make down`` stops it. Run again, the demo takes up what is there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, datetime, timedelta

import typer
from psycopg import sql
from rich.console import Console
from rich.status import Status

from include.cli.terminal import plain_errors
from include.market.calendar import KST, previous_session, trading_hours
from include.market.hours import FileClock
from include.paper_book.books import NewBook, add_book
from include.platform.airflow import airflow_status, stop_airflow
from include.platform.airflow_client import AirflowClient
from include.platform.errors import PlatformError
from include.platform.local import WAREHOUSE, start_airflow_here, start_database
from include.settings import PROJECT_ROOT, Settings, load_settings
from include.warehouse.connection import connect
from tools.demo_report import datasets_table, derived_table, landed_table, signals_table, split_table, what_next
from tools.demo_runs import follow_chain, follow_runs, run_ids, start_run, wait_for_scheduler
from tools.demo_source import FIRST, SYMBOLS, clock_file, marcap_folder, start_sources, write_history

# In the order in which one's results start the next.
DERIVING = ("corporate_actions", "indicators", "signals", "screens", "paper_book")
OTHERS = ("backfill", "backtests", "cold_storage", "intraday_snapshots", *DERIVING)
COLLECTING = tuple(sorted(path.stem for path in (PROJECT_ROOT / "dags").glob("*.py") if path.stem not in OTHERS))
QUARTER = timedelta(days=91)
# Three ticks a session: a real one has every ten minutes.
MINUTES_BETWEEN_TICKS = "130"
BOOK = "quarter"
MARK = "krx-warehouse: the demo's simulated market"

console = Console()


class DemoError(PlatformError):
    """The demo cannot go on; the message says why and what to do."""


def main() -> None:
    """Fill a local warehouse with a simulated market, under a real Airflow."""
    began = time.monotonic()
    settings = load_settings()
    now = datetime.now(KST)
    with ThreadPoolExecutor(1) as background:
        history = background.submit(write_history, settings, previous_session(now.date() + timedelta(days=1)))
        with _step(settings, "Start the database") as status:
            _start_warehouse(settings, status)
        with _step(settings, f"Start the simulated exchange of {SYMBOLS} symbols and its six sources"):
            source, is_new = start_sources(settings)
            os.environ |= source | {
                "KRXW_CLOCK_FILE": str(clock_file(settings)),
                "KRXW_SNAPSHOT_MINUTES": MINUTES_BETWEEN_TICKS,
            }
        with _step(settings, "Start Airflow") as status:
            if is_new and any(airflow_status(settings).values()):
                stop_airflow(settings)  # it would not know this source
            endpoint = start_airflow_here(settings, report=status.update)
            client = AirflowClient(endpoint)
            for dag_id in (*OTHERS, *COLLECTING):
                client.wait_for_dag(dag_id)
        with _step(settings, f"Write the exchange's history since {FIRST} as marcap's yearly files"):
            market = history.result()

    session = _session_to_collect(client)
    before = previous_session(session)
    client.unpause("corporate_actions")
    with _step(settings, f"Backfill daily bars {FIRST} to {before} from marcap's files: DAG backfill") as status:
        asked = {"first": str(FIRST), "last": str(before), "dataset": "daily_bar", "source": "marcap"}
        asked |= {"path": str(marcap_folder(settings))}
        follow_runs(client, {"backfill": start_run(client, "backfill", asked)}, status)
    quarter = str(session - QUARTER), str(before)
    with _step(
        settings, f"Backfill all datasets {quarter[0]} to {quarter[1]} from their sources: DAG backfill"
    ) as status:
        asked = {"first": quarter[0], "last": quarter[1], "dataset": "all"}
        follow_runs(client, {"backfill": start_run(client, "backfill", asked)}, status)
    _open_book(settings, session - QUARTER)
    earlier = {dag_id: run_ids(client, dag_id) for dag_id in DERIVING}
    for dag_id in DERIVING:
        client.unpause(dag_id)
    with _step(settings, f"Collect the new session {session}: {len(COLLECTING)} DAGs") as status:
        conf = {"session": str(session)}
        follow_runs(client, {dag_id: start_run(client, dag_id, conf) for dag_id in COLLECTING}, status)
    chain = ", ".join(DERIVING)
    with _step(settings, f"What follows from it, started by the new data: DAGs {chain}") as status:
        follow_chain(client, earlier, lambda: _is_entered(settings, session), status)
    with _step(settings, "Test the strategies over all history: DAG backtests") as status:
        follow_runs(client, {"backtests": start_run(client, "backtests")}, status)
    hours = f"Live through the hours of {session}: DAG intraday_snapshots"
    with _step(settings, hours) as status, _clock_at_the_open(settings, session):
        follow_runs(client, {"intraday_snapshots": start_run(client, "intraday_snapshots")}, status)
    with _step(settings, "Write Parquet and read it back: DAG cold_storage") as status:
        follow_runs(client, {"cold_storage": start_run(client, "cold_storage")}, status)
    with _step(settings, "Ask the warehouse"), connect(settings.warehouse_dsn, "etl") as connection:
        truth = [action for action in market.actions if action.ex_date <= session]
        tables = (
            datasets_table(connection),
            landed_table(connection, truth, now),
            split_table(connection, truth),
            signals_table(connection),
            derived_table(connection, BOOK),
        )
    for table in tables:
        console.print("", table)
    console.print()
    console.print(what_next(settings, endpoint, source["KRXW_KRX_OPENAPI_URL"], session), soft_wrap=True)
    console.print(f"[green]Done[/] in {time.monotonic() - began:.0f} s.")


def _open_book(settings: Settings, first: date) -> None:
    """Open a paper book that trades the last quarter again; the others begin today."""
    with connect(settings.warehouse_dsn, "etl") as connection:
        if connection.execute("SELECT FROM derived.paper_book WHERE book = %s", [BOOK]).fetchone():
            return
    strategies = ("oversold_rebound", "momentum_breakout", "golden_cross_5_20")
    add_book(
        settings.warehouse_dsn,
        NewBook(BOOK, "The last quarter", 100_000_000, (*strategies, "dead_cross_5_20"), first_session=first),
    )


def _is_entered(settings: Settings, session: date) -> bool:
    """Whether the session is through all that follows from it: in the paper book, and in the screens."""
    with connect(settings.warehouse_dsn, "etl") as connection:
        [(entered,)] = connection.execute(
            "SELECT EXISTS (SELECT FROM mart.paper_performance WHERE (book, session) = (%(book)s, %(session)s)) "
            "AND EXISTS (SELECT FROM mart.screen_run WHERE session = %(session)s)",
            {"book": BOOK, "session": session},
        ).fetchall()
    return bool(entered)


@contextmanager
def _step(settings: Settings, title: str) -> Iterator[Status]:
    """Shows ``title`` while it runs, and then how long it took; a failure ends the demo with the step's name."""
    began = time.monotonic()
    with console.status(title) as status:
        try:
            with plain_errors():
                yield status
        except typer.Exit:
            console.print(f"[red]The demo stopped at:[/] {title}")
            console.print(
                f"Logs: {settings.home / 'airflow'}/*.log and {settings.home / 'airflow' / 'logs'}", soft_wrap=True
            )
            raise
    console.print(f"[green]✓[/] {title} [dim]{time.monotonic() - began:.1f} s[/]", highlight=False)


@contextmanager
def _clock_at_the_open(settings: Settings, session: date) -> Iterator[None]:
    """While it lasts, quotes and ticks follow a clock that jumps through the session's hours."""
    clock = FileClock(clock_file(settings))
    clock.set(trading_hours(session).open - timedelta(minutes=5))
    try:
        yield
    finally:
        clock.path.unlink()


def _start_warehouse(settings: Settings, status: Status) -> None:
    """Start the database. A new one is marked as the demo's, one that holds other data is refused."""
    if settings.dsn is not None:
        raise DemoError(
            "KRXW_WAREHOUSE_DSN is set, and the demo's market is made up: it is not for that warehouse. "
            "Unset it, the demo brings a database of its own"
        )
    start_database(settings, report=status.update)
    with connect(settings.warehouse_dsn) as connection:
        [(comment, holds_data)] = connection.execute(
            "SELECT shobj_description(oid, 'pg_database'), EXISTS (SELECT FROM ops.batch) "
            "FROM pg_database WHERE datname = current_database()"
        ).fetchall()
        if holds_data and comment != MARK:
            raise DemoError(
                f"the warehouse in {settings.home} holds data the demo did not load, and the demo's market is "
                "made up. Keep the two apart: KRXW_HOME=<another folder> make demo"
            )
        mark = sql.SQL("COMMENT ON DATABASE {} IS {}")
        connection.execute(mark.format(sql.Identifier(WAREHOUSE), sql.Literal(MARK)))


def _session_to_collect(client: AirflowClient) -> date:
    """The session ``daily_bars`` collects once it is switched on; of one that is on, the latest that was due."""
    dag = client.get("dags/daily_bars")
    if dag["is_paused"]:
        return _day_in_seoul(dag["next_dagrun_run_after"])
    # A scheduler that was started again has yet to make the runs that came due meanwhile.
    return previous_session(_day_in_seoul(wait_for_scheduler(client, "daily_bars")))


def _day_in_seoul(moment: str) -> date:
    return datetime.fromisoformat(moment).astimezone(KST).date()


if __name__ == "__main__":
    typer.run(main)
