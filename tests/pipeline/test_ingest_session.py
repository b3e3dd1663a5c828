"""One session through all six steps, from the exchange's service: good days, bad days, and the next source."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest
import requests

from include.outcomes import (
    AuthRequired,
    CollectionOutcome,
    CoverageDrop,
    Malformed,
    NotASession,
    NotPublished,
    SourceNotConfiguredError,
)
from include.pipeline.ingest import ingest_session
from include.settings import Settings
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.servers.krx_open_api import KrxOpenApiServer
from include.simulator.world import World

KEY = "key-that-must-not-leak"
FIRST, SECOND = date(2023, 1, 5), date(2023, 1, 6)


@pytest.fixture
def exchange(market: SimulatedMarket) -> Iterator[KrxOpenApiServer]:
    with KrxOpenApiServer(World(market), auth_key=KEY) as running:
        yield running


@pytest.fixture
def environment(exchange: KrxOpenApiServer) -> dict[str, str]:
    return {"KRXW_KRX_OPENAPI_URL": exchange.base_url, "KRXW_KRX_OPENAPI_KEY": KEY}


def _fetch(dsn: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query).fetchall()


def _switch(exchange: KrxOpenApiServer, kind: str) -> None:
    requests.post(
        f"{exchange.base_url}/control/fault", json={"endpoint": "*", "kind": kind, "times": None}, timeout=5
    ).raise_for_status()


def _clear(exchange: KrxOpenApiServer) -> None:
    requests.delete(f"{exchange.base_url}/control/fault", timeout=5).raise_for_status()


def test_a_session_lands_with_its_calls_on_record(
    settings: Settings, warehouse: str, market: SimulatedMarket, environment: dict[str, str]
) -> None:
    report = ingest_session(settings, "daily_bar", FIRST, environment=environment)
    assert (report.source, report.sessions) == ("krx_openapi", (FIRST,))
    assert report.rows_inserted == market.session_table(FIRST).num_rows
    assert _fetch(warehouse, "SELECT source, endpoint, status, outcome FROM ops.source_call ORDER BY endpoint") == [
        ("krx_openapi", f"/svc/apis/sto/{endpoint}", 200, "ok")
        for endpoint in ("knx_bydd_trd", "ksq_bydd_trd", "stk_bydd_trd")
    ]
    assert _fetch(warehouse, "SELECT outcome FROM ops.session_outcome") == [("loaded",)]


def test_the_key_is_nowhere_in_what_is_kept(
    settings: Settings, warehouse: str, environment: dict[str, str], tmp_path: Path
) -> None:
    ingest_session(settings, "daily_bar", FIRST, environment=environment)
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any("manifests" in path.parts for path in kept)
    assert not [path for path in kept if KEY.encode() in path.read_bytes()]
    for [table] in _fetch(warehouse, "SELECT 'ops.' || tablename FROM pg_tables WHERE schemaname = 'ops'"):
        assert KEY not in str(_fetch(warehouse, f"SELECT * FROM {table}"))


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("maintenance_html", Malformed),
        ("empty_list", NotPublished),
        ("partial_market", CoverageDrop),
        ("stale_copy", NotPublished),
        ("duplicate_rows", Malformed),
    ],
)
def test_a_fault_is_an_alarm_and_no_row_until_it_passes(
    settings: Settings,
    warehouse: str,
    exchange: KrxOpenApiServer,
    environment: dict[str, str],
    kind: str,
    outcome: type[CollectionOutcome],
) -> None:
    ingest_session(settings, "daily_bar", FIRST, environment=environment)
    _switch(exchange, kind)
    with pytest.raises(outcome):
        ingest_session(settings, "daily_bar", SECOND, environment=environment)
    assert _fetch(warehouse, f"SELECT count(*) FROM market.daily_bar WHERE session = '{SECOND}'") == [(0,)]
    open_alarms = "SELECT session, kind FROM ops.alarm WHERE closed_at IS NULL"
    assert _fetch(warehouse, open_alarms) == [(SECOND, outcome.outcome)]
    _clear(exchange)
    assert ingest_session(settings, "daily_bar", SECOND, environment=environment).status == "loaded"
    assert _fetch(warehouse, open_alarms) == []


def test_a_refused_key_is_an_alarm(settings: Settings, warehouse: str, environment: dict[str, str]) -> None:
    with pytest.raises(AuthRequired):
        ingest_session(settings, "daily_bar", FIRST, environment={**environment, "KRXW_KRX_OPENAPI_KEY": "wrong"})
    assert _fetch(warehouse, "SELECT kind FROM ops.alarm WHERE closed_at IS NULL") == [("auth_required",)]


def test_the_next_source_answers_when_the_first_is_down(
    settings: Settings, warehouse: str, exchange: KrxOpenApiServer, environment: dict[str, str], marcap_folder: Path
) -> None:
    _switch(exchange, "maintenance_html")
    both = {**environment, "KRXW_MARCAP_PATH": str(marcap_folder)}
    report = ingest_session(settings, "daily_bar", FIRST, environment=both)
    assert report.source == "marcap"
    assert _fetch(warehouse, "SELECT DISTINCT source FROM market.daily_bar") == [("marcap",)]


def test_a_better_source_corrects_and_a_worse_one_does_not(
    settings: Settings, warehouse: str, environment: dict[str, str], marcap_folder: Path
) -> None:
    ingest_session(settings, "daily_bar", FIRST, environment=environment)
    with psycopg.connect(warehouse) as connection:
        connection.execute("UPDATE market.daily_bar SET volume = volume + 1")
    marcap = {"KRXW_MARCAP_PATH": str(marcap_folder)}
    worse = ingest_session(settings, "daily_bar", FIRST, "marcap", environment=marcap)
    assert (worse.status, worse.rows_updated) == ("unchanged", 0)
    with psycopg.connect(warehouse) as connection:
        connection.execute("UPDATE market.daily_bar SET source = 'marcap'")
    better = ingest_session(settings, "daily_bar", FIRST, environment=environment)
    assert better.rows_updated == better.rows_published
    assert _fetch(warehouse, "SELECT DISTINCT source FROM market.daily_bar") == [("krx_openapi",)]


def test_a_closed_day_is_not_asked_for(settings: Settings, warehouse: str, environment: dict[str, str]) -> None:
    with pytest.raises(NotASession):
        ingest_session(settings, "daily_bar", date(2023, 1, 7), environment=environment)
    assert _fetch(warehouse, "SELECT count(*) FROM ops.source_call") == [(0,)]


def test_without_any_configured_source_it_says_what_to_set(settings: Settings) -> None:
    with pytest.raises(SourceNotConfiguredError, match="KRXW_KRX_OPENAPI_KEY"):
        ingest_session(settings, "daily_bar", FIRST, environment={})
