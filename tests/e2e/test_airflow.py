"""The whole platform, once: a real Airflow moves the simulated exchange's days into a real warehouse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from include.market.calendar import KST, previous_session, trading_hours
from include.platform.airflow import airflow_was_started
from include.platform.airflow_client import AirflowClient, AirflowError
from include.platform.local import remove_platform, start_airflow_here, start_database
from include.settings import Settings, load_settings
from include.simulator.exchange.market import SCHEMA, SimulatedMarket
from include.simulator.marcap import FileFormat, Vintage, write_marcap_years
from include.simulator.servers.faults import Fault, FaultKind
from include.simulator.servers.krx_open_api import KrxOpenApiServer
from include.simulator.world import World

KEY = "key-of-the-simulated-service"
OFFSET = timedelta(hours=2, minutes=40)
DAGS = ("backfill", "cold_storage", "corporate_actions", "daily_bars")
COMPARED = [name for name in SCHEMA.names if name not in {"name", "section"}]
ELSEWHERE = ("KRXW_WAREHOUSE_DSN", "KRXW_MARCAP_PATH", "KRXW_LANDING_URL", "KRXW_COLD_URL")


def latest_due(now: datetime) -> date:
    """The session that ``daily_bars`` collects when it is switched on at ``now``."""
    session = previous_session(now.date() + timedelta(days=1))
    while trading_hours(session).close + OFFSET > now:
        session = previous_session(session)
    return session


def eventually(check: Callable[[], None], seconds: float = 120) -> None:
    """Wait until ``check`` asserts nothing any more."""
    Retrying(
        retry=retry_if_exception_type(AssertionError),
        wait=wait_fixed(1),
        stop=stop_after_delay(seconds),
        reraise=True,
    )(check)


@pytest.fixture
def market() -> SimulatedMarket:
    """Three calendar years up to the session at hand: what a schedule fires for depends on the day of the test."""
    today = latest_due(datetime.now(KST))
    return SimulatedMarket(seed=7, symbols=200, first=today - timedelta(days=700), last=today)


@pytest.fixture
def service(market: SimulatedMarket) -> Iterator[KrxOpenApiServer]:
    all_published = datetime.now(KST) + timedelta(days=7)
    with KrxOpenApiServer(World(market), KEY, now=lambda: all_published) as server:
        yield server


@pytest.fixture
def settings(
    open_tmp: Path, service: KrxOpenApiServer, unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """A home of its own, left without a process and without data."""
    monkeypatch.setenv("KRXW_POSTGRES_PORT", str(unused_port))
    monkeypatch.setenv("KRXW_KRX_OPENAPI_URL", service.base_url)
    monkeypatch.setenv("KRXW_KRX_OPENAPI_KEY", KEY)
    for variable in ELSEWHERE:
        monkeypatch.delenv(variable, raising=False)
    settings = load_settings({"KRXW_HOME": str(open_tmp / "home")})
    yield settings
    remove_platform(settings)
    assert not airflow_was_started(settings)


@pytest.fixture
def airflow(settings: Settings) -> AirflowClient:
    start_database(settings)
    return AirflowClient(start_airflow_here(settings))


def fetch(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(settings.warehouse_dsn) as connection:
        return connection.execute(query).fetchall()


def scheduled_runs(airflow: AirflowClient) -> list[dict[str, Any]]:
    return [run for run in airflow.runs("daily_bars") if run["run_type"] == "scheduled"]


def collect(airflow: AirflowClient, session: date) -> str:
    return airflow.trigger_dag("daily_bars", {"session": str(session)})


def at(session: date) -> str:
    """When the run of ``session`` was due, as the API writes it."""
    due = (trading_hours(session).close + OFFSET).astimezone(UTC)
    return due.isoformat().replace("+00:00", "Z")


@pytest.mark.airflow
@pytest.mark.timeout(600)
def test_days_flow_from_the_exchange_into_the_warehouse(
    airflow: AirflowClient,
    settings: Settings,
    service: KrxOpenApiServer,
    market: SimulatedMarket,
    tmp_path: Path,
) -> None:
    *_, last_of_files, spoilt, next_one, today = market.sessions
    write_marcap_years(market, tmp_path, FileFormat.PARQUET, Vintage.V2026)
    for dag_id in DAGS:
        airflow.wait_for_dag(dag_id)
    assert airflow.get("importErrors")["total_entries"] == 0

    # A past from files.
    for dag_id in ("backfill", "cold_storage", "corporate_actions"):
        airflow.unpause(dag_id)
    past = {"first": str(market.sessions[0]), "last": str(last_of_files), "source": "marcap"}
    airflow.wait_for_run("backfill", airflow.trigger_dag("backfill", {**past, "path": str(tmp_path)}), 240)

    # Switched on, the schedule collects the session at hand by itself, as a partition.
    airflow.unpause("daily_bars")

    def scheduled() -> None:
        assert [(run["partition_key"], run["run_after"]) for run in scheduled_runs(airflow)] == [
            (str(today), at(today))
        ]

    eventually(scheduled)
    airflow.wait_for_run("daily_bars", scheduled_runs(airflow)[0]["dag_run_id"], 120)

    # One by hand, and one the source spoils: it fails at once, with an alarm, until it is collected again.
    airflow.wait_for_run("daily_bars", collect(airflow, next_one), 120)
    service.faults.add(Fault("*", FaultKind.MAINTENANCE_HTML))
    run_id = collect(airflow, spoilt)
    with pytest.raises(AirflowError, match="failed in ingest"):
        airflow.wait_for_run("daily_bars", run_id, 120)
    [task] = airflow.get(f"dags/daily_bars/dagRuns/{run_id}/taskInstances")["task_instances"]
    assert (task["state"], task["try_number"], task["max_tries"]) == ("failed", 1, 18)
    open_alarms = "SELECT session, kind FROM ops.alarm WHERE closed_at IS NULL"
    assert fetch(settings, open_alarms) == [(spoilt, "malformed")]
    service.faults.clear()
    airflow.wait_for_run("daily_bars", collect(airflow, spoilt), 120)
    assert fetch(settings, open_alarms) == []

    # Each announced session has started corporate_actions, by the asset and for its own partition.
    def adjusted() -> None:
        runs = airflow.runs("corporate_actions")
        assert {(run["partition_key"], run["run_type"], run["state"]) for run in runs} == {
            (str(session), "asset_triggered", "success") for session in (last_of_files, today, next_one, spoilt)
        }

    eventually(adjusted)
    airflow.wait_for_run("cold_storage", airflow.trigger_dag("cold_storage"), 120)

    # The warehouse knows what the exchange knows.
    columns = ", ".join(f'"{name}"' for name in COMPARED)
    loaded = fetch(settings, f"SELECT {columns} FROM market.daily_bar")
    published = pa.concat_tables(market.iter_blocks()).select(COMPARED)
    assert sorted(loaded) == sorted(zip(*published.to_pydict().values(), strict=True))
    found = fetch(settings, "SELECT symbol, ex_date FROM market.corporate_action WHERE status IN ('applied', 'noted')")
    assert {(action.symbol, action.ex_date) for action in market.actions} <= set(found)
