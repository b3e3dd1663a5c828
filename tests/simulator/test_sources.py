"""All simulated sources at once."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, datetime

import pytest
import requests

from include.market.calendar import KST
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.servers.broker_tokens import UNLIMITED
from include.simulator.servers.web import LOOPBACK
from include.simulator.sources import SimulatedSources
from include.simulator.world import World

SESSION = date(2023, 3, 10)
NOW = datetime(2023, 3, 11, 9, 0, tzinfo=KST)
SOURCES = {"krx_openapi", "krx_portal", "naver", "yfinance", "kis", "kiwoom"}


@pytest.fixture(scope="module")
def world() -> World:
    return World(SimulatedMarket(2, 20, date(2023, 3, 2), date(2023, 3, 31)))


@pytest.fixture
def sources(world: World) -> Iterator[SimulatedSources]:
    with SimulatedSources(world, lambda: NOW, broker_limits=UNLIMITED) as running:
        yield running


def test_every_source_answers_where_the_environment_says(sources: SimulatedSources) -> None:
    assert set(sources.servers) == SOURCES
    assert all(server.name == name for name, server in sources.servers.items())
    addresses = {value for name, value in sources.environment.items() if name.endswith("_URL")}
    assert addresses == {server.base_url for server in sources.servers.values()}
    for address in addresses:
        assert requests.get(f"{address}/control/calls", timeout=5).json()["total"] == 0


def test_keys_of_the_environment_open_the_sources(sources: SimulatedSources, world: World) -> None:
    environment = sources.environment
    answer = requests.get(
        f"{environment['KRXW_KRX_OPENAPI_URL']}/svc/apis/sto/stk_bydd_trd",
        {"basDd": f"{SESSION:%Y%m%d}"},
        headers={"AUTH_KEY": environment["KRXW_KRX_OPENAPI_KEY"]},
        timeout=5,
    )
    published = {row["ISU_CD"]: int(row["TDD_CLSPRC"]) for row in answer.json()["OutBlock_1"]}
    bars = world.table("daily_bar", SESSION).to_pylist()
    assert published == {row["symbol"]: row["close"] for row in bars if row["market"] == "KOSPI"}
    login = requests.post(
        f"{environment['KRXW_KRX_PORTAL_URL']}/contents/MDC/COMS/client/MDCCOMS001D1.cmd",
        {"mbrId": environment["KRXW_KRX_PORTAL_ID"], "pw": environment["KRXW_KRX_PORTAL_PASSWORD"]},
        timeout=5,
    )
    assert login.json()["_error_code"] == "CD001"
    kis = {name: environment[f"KRXW_KIS_APP_{name[3:].upper()}"] for name in ("appkey", "appsecret")}
    tokens = [
        requests.post(
            f"{environment['KRXW_KIS_URL']}/oauth2/tokenP", json=kis | {"grant_type": "client_credentials"}, timeout=5
        ),
        requests.post(
            f"{environment['KRXW_KIWOOM_URL']}/oauth2/token",
            json={
                "grant_type": "client_credentials",
                "appkey": environment["KRXW_KIWOOM_APP_KEY"],
                "secretkey": environment["KRXW_KIWOOM_SECRET_KEY"],
            },
            timeout=5,
        ),
    ]
    assert [answer.status_code for answer in tokens] == [200, 200]


def are_free(ports: range) -> bool:
    with ExitStack() as sockets:
        for port in ports:
            probe = sockets.enter_context(socket.socket())
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                return False
    return True


def test_ports_follow_the_first(world: World) -> None:
    blocks = (range(first, first + len(SOURCES)) for first in range(21_000, 29_000, len(SOURCES)))
    ports = next(block for block in blocks if are_free(block))
    with SimulatedSources(world, lambda: NOW, ports[0]) as sources:
        assert [server.port for server in sources.servers.values()] == list(ports)
