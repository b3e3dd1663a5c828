"""Every DAG run by ``dag.test()`` against a real warehouse, fed by the simulated exchange."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.datasets.registry import datasets
from include.market.calendar import KST
from include.platform.postgres import PostgresServer
from include.simulator.exchange.market import SCHEMA, SimulatedMarket
from include.simulator.marcap import FileFormat, Vintage, write_marcap_years
from include.simulator.servers.faults import Fault, FaultKind
from include.simulator.servers.krx_open_api import KrxOpenApiServer
from include.simulator.world import World
from include.warehouse.migrations import migrate

KEY = "key-of-the-simulated-service"
FIRST, LAST_OF_FILES = date(2024, 11, 1), date(2025, 2, 25)
NEXT, SATURDAY = date(2025, 2, 26), date(2025, 3, 1)
MARKETS = 3  # calls that one session takes
COMPARED = [name for name in SCHEMA.names if name not in {"name", "section"}]


@dataclass(frozen=True)
class Story:
    """What became of the DAGs run, in order."""

    backfill: dict[str, Any]
    spoilt: dict[str, Any]
    healed: dict[str, Any]
    closed_day: dict[str, Any]
    indicators: dict[str, Any]
    corporate_actions: dict[str, Any]
    screens: dict[str, Any]
    cold_storage: dict[str, Any]
    queued: list[list[str]]
    log: str


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return SimulatedMarket(seed=7, symbols=150, first=FIRST, last=date(2025, 2, 28))


@pytest.fixture(scope="module")
def service(market: SimulatedMarket) -> Iterator[KrxOpenApiServer]:
    with KrxOpenApiServer(World(market), KEY, now=lambda: datetime(2025, 3, 5, tzinfo=KST)) as server:
        yield server


@pytest.fixture(scope="module")
def warehouse_dsn(postgres_server: PostgresServer) -> Iterator[str]:
    dsn = postgres_server.create_database("warehouse_of_dags")
    migrate(dsn)
    yield dsn
    postgres_server.drop_database("warehouse_of_dags")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def story(
    market: SimulatedMarket,
    service: KrxOpenApiServer,
    warehouse_dsn: str,
    home: Path,
    tmp_path_factory: pytest.TempPathFactory,
    run_dags: Callable[..., Any],
) -> Story:
    files = tmp_path_factory.mktemp("marcap")
    write_marcap_years(market, files, FileFormat.PARQUET, Vintage.V2026)
    environment = {
        "KRXW_HOME": str(home),
        "KRXW_WAREHOUSE_DSN": warehouse_dsn,
        "KRXW_KRX_OPENAPI_URL": service.base_url,
        "KRXW_KRX_OPENAPI_KEY": KEY,
    }
    past = {"first": str(FIRST), "last": str(LAST_OF_FILES), "source": "marcap", "path": str(files)}
    service.faults.add(Fault("*", FaultKind.MAINTENANCE_HTML, times=MARKETS))
    result = run_dags(
        [
            ("backfill", past),
            ("daily_bars", {"session": str(NEXT)}),
            ("daily_bars", {"session": str(NEXT)}),
            ("daily_bars", {"session": str(SATURDAY)}),
            ("indicators", {}),
            ("corporate_actions", {}),
            ("screens", {}),
            ("cold_storage", {}),
        ],
        environment,
    )
    return Story(*result["runs"], queued=result["queued"], log=result["log"])


def fetch(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query).fetchall()


def rows_of(table: pa.Table, names: Sequence[str]) -> list[tuple[Any, ...]]:
    return sorted(zip(*(table[name].to_pylist() for name in names), strict=True))


def test_backfill_loads_year_by_year_and_announces_the_latest_session(story: Story) -> None:
    assert story.backfill["state"] == "success", story.log
    skipped = {f"announce_{name}" for name in datasets()} - {"announce_daily_bar"}
    assert {name for name, state in story.backfill["tasks"].items() if state == "skipped"} == skipped
    assert {name: state for name, state in story.backfill["tasks"].items() if name not in skipped} == dict.fromkeys(
        ("plan", "load[0]", "load[1]", "summarise", "choose_announcements", "announce_daily_bar"), "success"
    )
    assert story.backfill["announced"] == [["daily_bar", str(LAST_OF_FILES)]]


def test_a_maintenance_page_fails_the_run_and_announces_nothing(story: Story) -> None:
    assert (story.spoilt["state"], story.spoilt["tasks"]) == ("failed", {"ingest": "failed"})
    assert story.spoilt["announced"] == []


def test_the_session_is_collected_and_announced_once_the_source_is_back(story: Story) -> None:
    assert (story.healed["state"], story.healed["tasks"]) == ("success", {"ingest": "success"}), story.log
    assert story.healed["announced"] == [["daily_bar", str(NEXT)]]


def test_the_maintenance_page_left_an_alarm_that_closed_with_its_session(story: Story, warehouse_dsn: str) -> None:
    alarms = fetch(warehouse_dsn, "SELECT dataset, session, kind, closed_at IS NOT NULL FROM ops.alarm")
    assert alarms == [("daily_bar", NEXT, "malformed", True)]


def test_a_closed_day_is_skipped_and_announces_nothing(story: Story) -> None:
    assert (story.closed_day["state"], story.closed_day["tasks"]) == ("success", {"ingest": "skipped"})
    assert story.closed_day["announced"] == []


def test_each_announced_session_queues_corporate_actions_for_it(story: Story) -> None:
    assert story.queued == [["corporate_actions", str(LAST_OF_FILES)], ["corporate_actions", str(NEXT)]]


def test_corporate_actions_are_found_reported_and_announced(
    story: Story, market: SimulatedMarket, warehouse_dsn: str, home: Path
) -> None:
    assert story.corporate_actions["tasks"] == {"refresh": "success", "report_week": "success"}, story.log
    assert story.corporate_actions["announced"] == [["corporate_action", None]]
    found = fetch(warehouse_dsn, "SELECT symbol, ex_date FROM market.corporate_action ORDER BY ex_date, symbol")
    true = sorted((action.ex_date, action.symbol) for action in market.actions if action.ex_date <= NEXT)
    assert found == [(symbol, ex_date) for ex_date, symbol in true]
    [page] = (home / "reports" / "corporate_actions").glob("*.html")
    assert "Corporate actions" in page.read_text(encoding="utf-8")


def test_indicators_of_every_bar_are_computed_and_announced(story: Story, warehouse_dsn: str) -> None:
    assert story.indicators["tasks"] == {"refresh": "success"}, story.log
    assert story.indicators["announced"] == [["indicator", None]]
    unmatched = "SELECT count(*) FROM market.daily_bar FULL JOIN derived.indicator AS stored USING (symbol, session) "
    assert fetch(warehouse_dsn, unmatched + "WHERE daily_bar.close IS NULL OR stored.flat IS NULL") == [(0,)]
    assert fetch(warehouse_dsn, "SELECT count(*) > 0 FROM derived.indicator WHERE rsi_14 > 0") == [(True,)]


def test_indicators_that_run_before_corporate_actions_rest_on_their_factors(story: Story, warehouse_dsn: str) -> None:
    resting = (
        "SELECT count(*) FILTER (WHERE state.factor_digest <> coalesce(factors.digest, '')), count(digest) > 0 "
        "FROM derived.indicator_state AS state LEFT JOIN mart.factor_digest AS factors USING (symbol)"
    )
    assert fetch(warehouse_dsn, resting) == [(0, True)], story.log


def test_screens_are_run_on_the_session_and_those_that_lack_values_wait(story: Story, warehouse_dsn: str) -> None:
    assert story.screens["tasks"] == {"run": "success"}, story.log
    runs = fetch(warehouse_dsn, "SELECT screen, session FROM mart.screen_run")
    assert runs == [("oversold_rebound", NEXT)]
    assert f"waiting: value_with_foreign_buying has nothing to look at on {NEXT}" in story.log


def test_cold_storage_succeeds(story: Story) -> None:
    assert story.cold_storage["tasks"] == {"export": "success", "verify": "success"}, story.log


def test_the_warehouse_holds_what_the_exchange_published(
    story: Story, market: SimulatedMarket, warehouse_dsn: str
) -> None:
    columns = ", ".join(f'"{name}"' for name in COMPARED)
    loaded = sorted(fetch(warehouse_dsn, f"SELECT {columns} FROM market.daily_bar"))
    published = pa.concat_tables(market.session_table(session) for session in market.sessions if session <= NEXT)
    assert loaded == rows_of(published, COMPARED)


def test_cold_storage_holds_every_row_that_was_loaded_by_then(
    story: Story, market: SimulatedMarket, home: Path
) -> None:
    stored = pq.read_table(home / "cold" / "dataset=daily_bar", columns=["symbol", "session"])
    published = pa.concat_tables(market.session_table(session) for session in market.sessions if session <= NEXT)
    assert rows_of(stored, ["symbol", "session"]) == rows_of(published, ["symbol", "session"])
