"""A whole session of the DAG ``intraday_snapshots`` by ``dag.test()``: a real warehouse, simulated sources, a clock
that jumps to whatever is waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from typing import Any

import psycopg
import pytest

from include.market.calendar import KST
from include.market.hours import FileClock
from include.platform.postgres import PostgresServer
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.servers.broker_tokens import UNLIMITED
from include.simulator.servers.faults import Fault, FaultKind
from include.simulator.servers.kis import KisServer
from include.simulator.servers.naver import NaverServer
from include.simulator.world import World
from include.warehouse.migrations import migrate

KEY, SECRET = "key-of-the-simulated-broker", "secret-of-the-simulated-broker"
# College entrance examination: 10:00-16:30.
SESSION = date(2025, 11, 13)
TICKS = [datetime.combine(SESSION, moment, KST) for moment in (time(12), time(14), time(16), time(16, 30))]
COLUMNS = ("symbol", "at", "price", "open", "high", "low", "change", "volume")
WATCHED = 12


@pytest.fixture(scope="module")
def world() -> World:
    return World(SimulatedMarket(seed=7, symbols=40, first=date(2025, 11, 3), last=date(2025, 11, 14)))


@pytest.fixture(scope="module")
def watched(world: World) -> list[str]:
    largest_first = world.table("daily_bar", SESSION).sort_by([("value_krw", "descending")])
    symbols: list[str] = largest_first["symbol"].to_pylist()[:WATCHED]
    return symbols


@pytest.fixture(scope="module")
def warehouse_dsn(postgres_server: PostgresServer, world: World, watched: list[str]) -> Iterator[str]:
    dsn = postgres_server.create_database("warehouse_of_snapshots")
    migrate(dsn)
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO market.instrument (symbol, first_session, last_session, name, market, section) "
            "VALUES (%(symbol)s, %(session)s, %(session)s, %(name)s, %(market)s, %(section)s)",
            world.table("daily_bar", SESSION).to_pylist(),
        )
        cursor.executemany("INSERT INTO ops.watched_symbol (symbol) VALUES (%s)", [(symbol,) for symbol in watched])
    yield dsn
    postgres_server.drop_database("warehouse_of_snapshots")


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> FileClock:
    return FileClock(tmp_path_factory.mktemp("clock") / "clock")


@pytest.fixture(scope="module")
def broker(world: World, clock: FileClock) -> Iterator[KisServer]:
    with KisServer(world, KEY, SECRET, now=clock.now, limits=UNLIMITED) as server:
        yield server


@pytest.fixture(scope="module")
def site(world: World, clock: FileClock) -> Iterator[NaverServer]:
    with NaverServer(world, now=clock.now) as server:
        yield server


@pytest.fixture(scope="module")
def story(
    broker: KisServer,
    site: NaverServer,
    clock: FileClock,
    warehouse_dsn: str,
    tmp_path_factory: pytest.TempPathFactory,
    run_dags: Callable[..., Any],
) -> dict[str, Any]:
    """A session, begun before its open and KIS under maintenance at the first tick; then another run of the day."""
    environment = {
        "KRXW_HOME": str(tmp_path_factory.mktemp("home")),
        "KRXW_WAREHOUSE_DSN": warehouse_dsn,
        "KRXW_CLOCK_FILE": str(clock.path),
        "KRXW_KIS_URL": broker.base_url,
        "KRXW_KIS_ENVIRONMENT": "real",
        "KRXW_KIS_APP_KEY": KEY,
        "KRXW_KIS_APP_SECRET": SECRET,
        "KRXW_NAVER_URL": site.base_url,
    }
    broker.faults.add(Fault("FHKST01010100", FaultKind.MAINTENANCE_HTML, times=WATCHED))
    clock.set(datetime.combine(SESSION, time(8, 55), KST))
    asked = ("intraday_snapshots", {"minutes": 120})
    result = run_dags([asked, asked], environment)
    return {"session": result["runs"][0], "late": result["runs"][1], "log": result["log"]}


def fetch(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query).fetchall()


def test_the_run_goes_from_the_open_to_the_close(story: dict[str, Any]) -> None:
    assert story["session"]["tasks"] == {"market_hours": "success", "snapshots": "success"}, story["log"]
    assert story["session"]["announced"] == [["intraday_snapshot", str(SESSION)]]


def test_every_tick_holds_the_quotes_of_its_moment(
    story: dict[str, Any], world: World, watched: list[str], warehouse_dsn: str
) -> None:
    loaded = fetch(warehouse_dsn, f"SELECT {', '.join(COLUMNS)} FROM market.intraday_snapshot ORDER BY at, symbol")
    shown = [row for at in TICKS for row in world.quotes(SESSION, at, watched).select(COLUMNS).to_pylist()]
    assert loaded == [tuple(row.values()) for row in shown], story["log"]


def test_turnover_is_told_where_the_source_tells_it_exactly(
    story: dict[str, Any], world: World, watched: list[str], warehouse_dsn: str
) -> None:
    told = fetch(
        warehouse_dsn,
        "SELECT at, sum(value_krw)::bigint FROM market.intraday_snapshot WHERE source = 'kis' GROUP BY at ORDER BY at",
    )
    assert told == [(at, sum(world.quotes(SESSION, at, watched)["value_krw"].to_pylist())) for at in TICKS[1:]]


def test_the_rows_name_the_source_that_gave_them(story: dict[str, Any], warehouse_dsn: str) -> None:
    sources = fetch(warehouse_dsn, "SELECT DISTINCT at, source FROM market.intraday_snapshot ORDER BY at")
    assert sources == list(zip(TICKS, ["naver", "kis", "kis", "kis"], strict=True)), story["log"]


def test_the_alarm_of_the_first_tick_closed_with_a_later_one(story: dict[str, Any], warehouse_dsn: str) -> None:
    alarms = fetch(warehouse_dsn, "SELECT kind, closed_at IS NOT NULL FROM ops.alarm ORDER BY kind")
    assert alarms == [("fallback", True), ("malformed", True)], story["log"]


def test_one_token_serves_the_session_and_shows_nowhere(
    story: dict[str, Any], broker: KisServer, warehouse_dsn: str
) -> None:
    assert [call.endpoint for call in broker.calls].count("tokenP") == 1
    [(token,)] = fetch(warehouse_dsn, "SELECT value FROM broker.token")
    for secret in (KEY, SECRET, token):
        assert secret not in story["log"]


def test_a_run_after_the_close_is_skipped(story: dict[str, Any]) -> None:
    assert story["late"]["tasks"] == {"market_hours": "skipped", "snapshots": "skipped"}
    assert story["late"]["announced"] == []
