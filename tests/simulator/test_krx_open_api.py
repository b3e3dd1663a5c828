"""The simulated KRX Open API over real HTTP; what all simulated servers share is in test_web.py."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import requests

from include.market.calendar import KST, previous_session
from include.market.instruments import instrument_kind
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.servers.faults import FaultKind
from include.simulator.servers.krx_open_api import KrxOpenApiServer
from include.simulator.servers.krx_open_api_rows import ENDPOINTS, MARKETS
from include.simulator.world import World

KEY = "test-key"
FIELDS = (
    "BAS_DD",
    "ISU_CD",
    "ISU_NM",
    "MKT_NM",
    "SECT_TP_NM",
    "TDD_CLSPRC",
    "CMPPREVDD_PRC",
    "FLUC_RT",
    "TDD_OPNPRC",
    "TDD_HGPRC",
    "TDD_LWPRC",
    "ACC_TRDVOL",
    "ACC_TRDVAL",
    "MKTCAP",
    "LIST_SHRS",
)
SESSION = date(2023, 3, 10)
HOLIDAY = date(2023, 3, 1)
WEEKEND = date(2023, 3, 11)
NOW = datetime(2023, 3, 31, 8, 0, tzinfo=KST)


@pytest.fixture(scope="module")
def world() -> World:
    return World(SimulatedMarket(2, 120, date(2023, 1, 2), date(2023, 4, 28)))


@pytest.fixture
def server(world: World) -> Iterator[KrxOpenApiServer]:
    with KrxOpenApiServer(world, KEY, now=lambda: NOW, daily_quota=100) as running:
        yield running


def ask(
    server: KrxOpenApiServer, day: date = SESSION, endpoint: str = "stk_bydd_trd", key: str | None = KEY
) -> requests.Response:
    headers = {} if key is None else {"AUTH_KEY": key}
    url = f"{server.base_url}/svc/apis/{ENDPOINTS[endpoint].group}/{endpoint}"
    return requests.get(url, {"basDd": f"{day:%Y%m%d}"}, headers=headers, timeout=5)


def rows_of(response: requests.Response) -> list[dict[str, str]]:
    assert response.status_code == 200
    assert list(response.json()) == ["OutBlock_1"]
    rows: list[dict[str, str]] = response.json()["OutBlock_1"]
    assert all(isinstance(value, str) for row in rows for value in row.values())
    return rows


def number(text: str) -> Decimal | None:
    return None if text == "-" else Decimal(text)


def test_bars_equal_the_truth(server: KrxOpenApiServer, world: World) -> None:
    for session in world.sessions[:3]:
        published = {}
        for code, markets in MARKETS.items():
            rows = rows_of(ask(server, session, f"{code}_bydd_trd"))
            assert {row["MKT_NM"] for row in rows} <= {market.value for market in markets}
            assert all(tuple(row) == FIELDS for row in rows)
            published |= {row["ISU_CD"]: row for row in rows}
        truth = world.table("daily_bar", session).to_pylist()
        assert set(published) == {row["symbol"] for row in truth}
        for row in truth:
            assert published[row["symbol"]] == {
                "BAS_DD": f"{session:%Y%m%d}",
                "ISU_CD": row["symbol"],
                "ISU_NM": row["name"],
                "MKT_NM": row["market"],
                "SECT_TP_NM": row["section"],
                "TDD_CLSPRC": str(row["close"]),
                "CMPPREVDD_PRC": str(row["change"]),
                "FLUC_RT": published[row["symbol"]]["FLUC_RT"],
                "TDD_OPNPRC": str(row["open"]),
                "TDD_HGPRC": str(row["high"]),
                "TDD_LWPRC": str(row["low"]),
                "ACC_TRDVOL": str(row["volume"]),
                "ACC_TRDVAL": str(row["value_krw"]),
                "MKTCAP": str(row["market_cap_krw"]),
                "LIST_SHRS": str(row["listed_shares"]),
            }
            rate = float(published[row["symbol"]]["FLUC_RT"])
            assert rate == pytest.approx(row["change"] / row["base_price"] * 100, abs=0.00501)


def test_products_equal_the_truth(server: KrxOpenApiServer, world: World) -> None:
    truth = {row["symbol"]: row for row in world.table("etp_daily_bar", SESSION).to_pylist()}
    before = {row["symbol"]: row for row in world.table("etp_daily_bar", previous_session(SESSION)).to_pylist()}
    funds, notes = (rows_of(ask(server, endpoint=endpoint)) for endpoint in ("etf_bydd_trd", "etn_bydd_trd"))
    assert {row["ISU_CD"] for row in funds + notes} == set(truth)
    for row in funds + notes:
        bar = truth[row["ISU_CD"]]
        assert number(row["TDD_CLSPRC"]) == bar["close"]
        assert number(row["OBJ_STKPRC_IDX"]) == bar["underlying_close"]
        assert number(row["CMPPREVDD_IDX"]) == bar["underlying_close"] - before[row["ISU_CD"]]["underlying_close"]
        assert row["IDX_IND_NM"] == bar["underlying_index"]
    for row in funds:
        bar = truth[row["ISU_CD"]]
        assert (number(row["NAV"]), number(row["INVSTASST_NETASST_TOTAMT"])) == (bar["nav"], bar["net_assets_krw"])
    assert all(number(row["PER1SECU_INDIC_VAL"]) == truth[row["ISU_CD"]]["nav"] for row in notes)


def test_masters_equal_the_truth(server: KrxOpenApiServer, world: World) -> None:
    table = world.table("instrument", SESSION)
    truth = table.filter(pc.invert(pc.is_in(table["kind"], pa.array(["etf", "etn"])))).to_pylist()
    published = {
        row["ISU_SRT_CD"]: row for code in MARKETS for row in rows_of(ask(server, endpoint=f"{code}_isu_base_info"))
    }
    assert set(published) == {issue["symbol"] for issue in truth}
    for issue in truth:
        row = published[issue["symbol"]]
        kind = instrument_kind(row["SECUGRP_NM"], row["KIND_STKCERT_TP_NM"], row["ISU_NM"])
        assert kind.value == issue["kind"]
        assert (row["ISU_CD"], row["ISU_ABBRV"], row["ISU_NM"]) == (issue["isin"], issue["name"], issue["full_name"])
        assert (row["MKT_TP_NM"], row["SECT_TP_NM"]) == (issue["market"], issue["section"])
        assert (row["LIST_DD"], row["LIST_SHRS"]) == (f"{issue['listed_on']:%Y%m%d}", str(issue["listed_shares"]))
        assert (None if row["PARVAL"] == "무액면" else Decimal(row["PARVAL"])) == issue["par_value"]


def test_indices_equal_the_truth(server: KrxOpenApiServer, world: World) -> None:
    truth = {(row["family"], row["index_name"]): row for row in world.table("index_bar", SESSION).to_pylist()}
    published = {
        (row["IDX_CLSS"], row["IDX_NM"]): row
        for family in ("krx", "kospi", "kosdaq")
        for row in rows_of(ask(server, endpoint=f"{family}_dd_trd"))
    }
    with_foreign_shares = published.pop(("KOSPI", "코스피 (외국주포함)"))
    assert with_foreign_shares["CLSPRC_IDX"] == "-" != with_foreign_shares["ACC_TRDVOL"]
    assert set(published) == set(truth)
    for key, row in published.items():
        bar = truth[key]
        figures = ("OPNPRC_IDX", "HGPRC_IDX", "LWPRC_IDX", "CLSPRC_IDX", "CMPPREVDD_IDX")
        values = [bar[name] for name in ("open", "high", "low", "close", "change")]
        assert [number(row[name]) for name in figures] == values
        quantities = ("ACC_TRDVOL", "ACC_TRDVAL", "MKTCAP")
        assert [int(row[name]) for name in quantities] == [
            bar[name] for name in ("volume", "value_krw", "market_cap_krw")
        ]


def test_rates_have_two_decimals_and_a_sign(server: KrxOpenApiServer) -> None:
    rates = [row["FLUC_RT"] for row in rows_of(ask(server))]
    assert all(len(rate.split(".")[1]) == 2 for rate in rates)
    assert any(rate.startswith("-") for rate in rates)
    assert "-0.00" not in rates


@pytest.mark.parametrize("key", [None, "wrong"])
def test_wrong_key(server: KrxOpenApiServer, key: str | None) -> None:
    response = ask(server, key=key)
    assert response.status_code == 401
    assert response.json() == {"respCode": "401", "respMsg": "Unauthorized Key"}


@pytest.mark.parametrize("day", [HOLIDAY, WEEKEND])
@pytest.mark.parametrize("endpoint", ["stk_bydd_trd", "etf_bydd_trd", "etn_bydd_trd"])
def test_a_closed_day_shows_only_share_counts(server: KrxOpenApiServer, day: date, endpoint: str) -> None:
    before = {row["ISU_CD"]: row["LIST_SHRS"] for row in rows_of(ask(server, previous_session(day), endpoint))}
    rows = rows_of(ask(server, day, endpoint))
    assert {row["ISU_CD"]: row["LIST_SHRS"] for row in rows} == before
    assert {row["BAS_DD"] for row in rows} == {f"{day:%Y%m%d}"}
    texts = {"BAS_DD", "ISU_CD", "ISU_NM", "MKT_NM", "SECT_TP_NM", "LIST_SHRS", "IDX_IND_NM"}
    assert {value for row in rows for name, value in row.items() if name not in texts} == {"-"}


def test_a_closed_day_has_no_index(server: KrxOpenApiServer) -> None:
    assert [rows_of(ask(server, HOLIDAY, f"{family}_dd_trd")) for family in ("krx", "kospi", "kosdaq")] == [[]] * 3


def test_a_session_is_published_the_next_morning(world: World) -> None:
    clock = [datetime(2023, 3, 11, 7, 59, tzinfo=KST)]
    with KrxOpenApiServer(world, KEY, now=lambda: clock[0]) as server:
        assert [rows_of(ask(server, endpoint=endpoint)) for endpoint in ENDPOINTS] == [[]] * len(ENDPOINTS)
        clock[0] += timedelta(minutes=1)
        assert all(rows_of(ask(server, endpoint=endpoint)) for endpoint in ENDPOINTS)


def test_days_outside_the_market_are_empty(server: KrxOpenApiServer) -> None:
    for day in (date(2022, 12, 29), date(2023, 4, 20)):
        assert rows_of(ask(server, day)) == []


@pytest.mark.parametrize("text", ["", "2023-03-10", "20230231"])
def test_a_malformed_day_is_refused(server: KrxOpenApiServer, text: str) -> None:
    url = f"{server.base_url}/svc/apis/sto/stk_bydd_trd"
    response = requests.get(url, {"basDd": text}, headers={"AUTH_KEY": KEY}, timeout=5)
    assert response.status_code == 400


def test_unknown_paths(server: KrxOpenApiServer) -> None:
    for path in ("sto/elw_bydd_trd", "idx/stk_bydd_trd", "stk_bydd_trd"):
        response = requests.get(f"{server.base_url}/svc/apis/{path}", headers={"AUTH_KEY": KEY}, timeout=5)
        assert response.status_code == 404


def test_quota_counts_by_day_of_seoul(world: World) -> None:
    clock = [NOW]
    with KrxOpenApiServer(world, KEY, now=lambda: clock[0], daily_quota=2) as server:
        assert [ask(server).status_code for _ in range(3)] == [200, 200, 429]
        assert ask(server, key="wrong").status_code == 401
        clock[0] += timedelta(days=1)
        assert ask(server).status_code == 200


def spoilt(server: KrxOpenApiServer, kind: FaultKind, endpoint: str) -> Any:
    """What an endpoint answers under a fault."""
    document = {"endpoint": endpoint, "kind": kind, "times": 1}
    assert requests.post(f"{server.base_url}/control/fault", json=document, timeout=5).status_code == 200
    return ask(server, endpoint=endpoint)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_every_endpoint_can_be_spoilt(server: KrxOpenApiServer, endpoint: str) -> None:
    whole = rows_of(ask(server, endpoint=endpoint))
    (old, new), dropped = ENDPOINTS[endpoint].renamed, ENDPOINTS[endpoint].dropped
    renamed = rows_of(spoilt(server, FaultKind.RENAMED_COLUMN, endpoint))
    assert [row[new] for row in renamed] == [row[old] for row in whole]
    assert all(old not in row for row in renamed)
    missing = rows_of(spoilt(server, FaultKind.MISSING_COLUMN, endpoint))
    assert all(set(before) - set(row) == {dropped} for before, row in zip(whole, missing, strict=True))
    commas = rows_of(spoilt(server, FaultKind.COMMA_STRINGS, endpoint))
    changed = [name for before, row in zip(whole, commas, strict=True) for name in row if row[name] != before[name]]
    assert changed
    assert [{name: value.replace(",", "") for name, value in row.items()} for row in commas] == [
        {name: value.replace(",", "") for name, value in row.items()} for row in whole
    ]
    assert "OutBlock_1" not in spoilt(server, FaultKind.LAYOUT_CHANGED, endpoint).json()


@pytest.mark.parametrize("endpoint", [name for name in ENDPOINTS if not name.endswith("base_info")])
def test_yesterdays_data_and_its_stale_copy(server: KrxOpenApiServer, endpoint: str) -> None:
    yesterday = rows_of(ask(server, previous_session(SESSION), endpoint))
    assert rows_of(spoilt(server, FaultKind.YESTERDAYS_DATA, endpoint)) == yesterday
    stale = rows_of(spoilt(server, FaultKind.STALE_COPY, endpoint))
    assert stale == [row | {"BAS_DD": f"{SESSION:%Y%m%d}"} for row in yesterday]
