"""The simulated Naver over real HTTP, read as its readers read it."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from bs4 import BeautifulSoup

from include.market.calendar import KST, previous_session
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.exchange.truth import CorporateAction
from include.simulator.servers.faults import FaultKind
from include.simulator.servers.naver import NaverServer
from include.simulator.servers.web import SimulatedServer
from include.simulator.world import World

SESSION = date(2023, 4, 14)
EVENING = datetime(2023, 4, 14, 18, 0, tzinfo=KST)
Row = dict[str, Any]


class Clock:
    """A clock that stands where it was set."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def world() -> World:
    return World(SimulatedMarket(2, 120, date(2023, 1, 2), date(2023, 4, 28)))


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock(EVENING)


@pytest.fixture(scope="module")
def running(world: World, clock: Clock) -> Iterator[NaverServer]:
    with NaverServer(world, now=clock) as server:
        yield server


@pytest.fixture
def server(running: NaverServer, clock: Clock) -> Iterator[NaverServer]:
    yield running
    running.faults.clear()
    clock.now = EVENING


def get(server: SimulatedServer, path: str, **params: str) -> requests.Response:
    response = requests.get(server.base_url + path, params, timeout=5)
    assert response.status_code == 200
    return response


def truth(world: World, dataset: str, session: date = SESSION) -> list[Row]:
    rows: list[Row] = world.table(dataset, session).to_pylist()
    return rows


def share(world: World) -> Row:
    """A share that traded in the session."""
    return next(bar for bar in truth(world, "daily_bar") if bar["volume"] > 0)


def fchart(server: NaverServer, symbol: str, count: int) -> list[list[str]]:
    body = get(server, "/sise.nhn", symbol=symbol, timeframe="day", count=str(count), requestType="0").content
    return [str(item["data"]).split("|") for item in BeautifulSoup(body.decode("cp949"), "xml").find_all("item")]


def sise(server: NaverServer, symbol: str, first: date, last: date) -> list[list[Any]]:
    days = {"startTime": f"{first:%Y%m%d}", "endTime": f"{last:%Y%m%d}"}
    text = get(server, "/siseJson.naver", symbol=symbol, requestType="1", timeframe="day", **days).text
    rows: list[list[Any]] = ast.literal_eval(text.strip())
    return rows


def funds(server: NaverServer) -> list[Row]:
    body = get(server, "/api/sise/etfItemList.nhn").content.decode("cp949")
    rows: list[Row] = json.loads(body)["result"]["etfItemList"]
    return rows


def table_of(page: bytes, charset: str, css: str) -> tuple[list[str], list[list[str]]]:
    tables = BeautifulSoup(page.decode(charset), "lxml").select(css)
    lines = [line.find_all("td") for line in tables[-1].find_all("tr")]
    header = [cell.get_text(strip=True) for cell in tables[-1].find_all("th")]
    return header, [[cell.get_text(strip=True) for cell in cells] for cells in lines if len(cells) > 1]


def foreign_days(server: NaverServer, symbol: str, page: int = 1) -> list[list[str]]:
    body = get(server, "/item/frgn.naver", code=symbol, page=str(page)).content
    return table_of(body, "cp949", "table.type2")[1]


def trend(server: NaverServer, symbol: str, **params: str) -> list[Row]:
    rows: list[Row] = get(server, f"/api/stock/{symbol}/trend", **params).json()
    return rows


def quotes(server: NaverServer, *symbols: str) -> Row:
    body = get(server, "/api/realtime", query=f"SERVICE_ITEM:{','.join(symbols)}").content
    result: Row = json.loads(body.decode("cp949"))["result"]
    return result


def action_of(world: World) -> CorporateAction:
    return next(action for action in world.market.actions if action.ex_date < SESSION)


def test_fchart_is_adjusted_as_of_the_last_session(server: NaverServer, world: World) -> None:
    action = action_of(world)
    adjusted = world.adjusted_bars(action.symbol, world.sessions[0], SESSION).to_pylist()
    bars = fchart(server, action.symbol, 10_000)
    assert [bar[0] for bar in bars] == [f"{bar['session']:%Y%m%d}" for bar in adjusted]
    names = ("open", "high", "low", "close", "volume")
    assert [list(map(int, bar[1:])) for bar in bars] == [[bar[name] for name in names] for bar in adjusted]
    raw = world.rows("daily_bar", action.symbol, previous_session(action.ex_date)).to_pylist()[0]
    before = next(bar for bar in bars if bar[0] == f"{raw['session']:%Y%m%d}")
    assert int(before[4]) != raw["close"]
    assert fchart(server, action.symbol, 5) == bars[-5:]


def test_sise_json_is_no_json_and_covers_the_days_asked_for(server: NaverServer, world: World) -> None:
    symbol = share(world)["symbol"]
    rows = sise(server, symbol, date(2023, 4, 3), date(2023, 4, 10))
    assert rows[0] == ["날짜", "시가", "고가", "저가", "종가", "거래량", "외국인소진율"]
    assert [row[0] for row in rows[1:]] == [
        f"{day:%Y%m%d}" for day in world.sessions if 3 <= day.day <= 10 and day.month == 4
    ]
    assert [[row[0], *map(str, row[1:6])] for row in rows[1:]] == fchart(server, symbol, 10)[-10:-4]
    held = world.rows("foreign_holding", symbol, date(2023, 4, 10)).to_pylist()[0]
    assert Decimal(str(rows[-1][6])) == held["foreign_pct"]


def test_indices_have_two_decimals_and_thousands_of_shares(server: NaverServer, world: World) -> None:
    bars = {(bar["index_name"], bar["family"]): bar for bar in truth(world, "index_bar")}
    names = {"KOSPI": ("코스피", "KOSPI"), "KOSDAQ": ("코스닥", "KOSDAQ"), "KPI200": ("코스피 200", "KOSPI")}
    for symbol, name in names.items():
        [_, row] = sise(server, symbol, SESSION, SESSION)
        bar = bars[name]
        assert [Decimal(str(value)) for value in row[1:5]] == [bar[key] for key in ("open", "high", "low", "close")]
        assert row[5] == bar["volume"] // 1000


def test_the_list_of_funds(server: NaverServer, world: World) -> None:
    bars = {bar["symbol"]: bar for bar in truth(world, "etp_daily_bar") if bar["kind"] == "ETF"}
    listed = funds(server)
    assert {fund["itemcode"] for fund in listed} == set(bars)
    assert [fund["marketSum"] for fund in listed] == sorted((fund["marketSum"] for fund in listed), reverse=True)
    for fund in listed:
        bar = bars[fund["itemcode"]]
        assert (fund["itemname"], fund["nowVal"], fund["changeVal"]) == (bar["name"], bar["close"], bar["change"])
        assert (fund["quant"], fund["amonut"]) == (bar["volume"], bar["value_krw"] // 10**6)
        assert fund["nav"] == float(bar["nav"])


def test_ten_positions_by_both_ways(server: NaverServer, world: World) -> None:
    positions = truth(world, "etf_holding")
    for fund in funds(server):
        code = fund["itemcode"]
        analysis = get(server, f"/api/stock/{code}/etfAnalysis").json()
        assert (analysis["itemCode"], analysis["returnPerformanceReferenceDate"]) == (code, "2023.04.14")
        held = {row["name"]: row for row in positions if row["fund"] == code}
        shown = analysis["etfTop10MajorConstituentAssets"]
        assert [entry["seq"] for entry in shown] == list(range(1, min(10, len(held)) + 1))
        for entry in shown:
            row = held[entry["itemName"]]
            assert entry["itemCode"] == (row["component"] if row["kind"] == "stock" else "")
            assert (entry["etfWeight"] == "-") == (row["kind"] == "other" or row["weight_pct"] is None)
            assert (entry["stockCount"] == "-") == (row["shares"] is None)
        page = get(server, "/item/main.naver", code=code).content
        assert "2023.04.14" in BeautifulSoup(page, "lxml").select_one("em.date").text  # type: ignore[union-attr]
        header, lines = table_of(page, "utf-8", "table.tb_type1.tb_type1_a")
        assert header == ["구성종목(구성자산)", "주식수(계약수)", "구성비중", "시세", "전일비", "등락률"]
        assert [line[:3] for line in lines] == [
            [entry["itemName"], entry["stockCount"], entry["etfWeight"]] for entry in shown
        ]


def test_flows_and_holdings_of_foreigners_newest_first(server: NaverServer, world: World) -> None:
    symbol = share(world)["symbol"]
    first, second = foreign_days(server, symbol), foreign_days(server, symbol, page=2)
    sessions = [session for session in reversed(world.sessions) if session <= SESSION]
    assert [line[0] for line in first + second] == [f"{session:%Y.%m.%d}" for session in sessions[:40]]
    flows = {row["investor"]: row["net_shares"] for row in world.rows("investor_flow", symbol, SESSION).to_pylist()}
    held = world.rows("foreign_holding", symbol, SESSION).to_pylist()[0]
    numbers = [int(cell.replace(",", "")) for cell in first[0][5:8]]
    assert numbers == [flows["institution"], flows["foreign"], held["foreign_shares"]]
    assert first[0][8] == f"{held['foreign_pct']}%"
    body = get(server, "/item/frgn.naver", code=symbol).content
    header = table_of(body, "cp949", "table.type2")[0]
    assert header[-6:] == ["기관", "외국인", "순매매량", "순매매량", "보유주수", "보유율"]


def test_the_apps_flows_and_those_of_the_page_agree(server: NaverServer, world: World) -> None:
    symbol = share(world)["symbol"]
    page, rows = foreign_days(server, symbol), trend(server, symbol)
    assert len(rows) == 10
    for line, row in zip(page, rows, strict=False):
        assert line[0].replace(".", "") == row["bizdate"]
        assert line[5:7] == [row["organPureBuyQuant"], row["foreignerPureBuyQuant"]]
        assert (line[1], line[4], line[8]) == (
            row["closePrice"],
            row["accumulatedTradingVolume"],
            row["foreignerHoldRatio"],
        )
    flows = {row["investor"]: row["net_shares"] for row in world.rows("investor_flow", symbol, SESSION).to_pylist()}
    assert int(rows[0]["individualPureBuyQuant"].replace(",", "")) == flows["individual"]
    bar = share(world)
    assert int(rows[0]["compareToPreviousClosePrice"].replace(",", "")) == bar["change"]
    name = "RISING" if bar["change"] > 0 else "FALLING" if bar["change"] < 0 else "UNCHANGED"
    assert rows[0]["compareToPreviousPrice"]["name"] == name


def test_the_apps_flows_lead_back_day_by_day(server: NaverServer, world: World) -> None:
    symbol = share(world)["symbol"]
    sessions = [f"{session:%Y%m%d}" for session in reversed(world.sessions) if session <= SESSION]
    first = trend(server, symbol, pageSize="60")
    assert [row["bizdate"] for row in first] == sessions[:60]
    second = trend(server, symbol, pageSize="60", bizdate=first[-1]["bizdate"])
    assert [row["bizdate"] for row in second] == sessions[60:]
    [row] = trend(server, symbol, pageSize="1", bizdate="20230415")
    assert row == first[0]


def test_quotes_follow_the_session_and_end_at_the_close(server: NaverServer, world: World, clock: Clock) -> None:
    fund, bar = funds(server)[0]["itemcode"], share(world)
    for moment in (datetime(2023, 4, 14, 11, 20, tzinfo=KST), EVENING):
        clock.now = moment
        result = quotes(server, bar["symbol"], fund, "ZZZZZZ")
        expected = world.quotes(SESSION, moment, [bar["symbol"], fund]).to_pylist()
        shown = result["areas"][0]["datas"]
        names = {"cd": "symbol", "nv": "price", "cv": "change", "ov": "open", "hv": "high", "lv": "low", "aq": "volume"}
        assert [{names[key]: entry[key] for key in names} for entry in shown] == [
            {name: quote[name] for name in names.values()} for quote in expected
        ]
        assert datetime.fromtimestamp(result["time"] / 1000, KST).date() == SESSION
    assert (shown[0]["nv"], shown[0]["nm"], shown[0]["ms"]) == (bar["close"], bar["name"], "CLOSE")


def test_bars_show_from_the_close_and_flows_from_the_evening(server: NaverServer, world: World, clock: Clock) -> None:
    symbol = share(world)["symbol"]
    clock.now = EVENING.replace(hour=15, minute=29)
    assert fchart(server, symbol, 1)[0][0] == "20230413"
    clock.now = EVENING.replace(hour=15, minute=30)
    assert fchart(server, symbol, 1)[0][0] == "20230414"
    assert foreign_days(server, symbol)[0][0] == "2023.04.13"
    assert trend(server, symbol)[0]["bizdate"] == "20230413"
    clock.now = EVENING + timedelta(days=1)
    assert foreign_days(server, symbol)[0][0] == "2023.04.14"
    assert trend(server, symbol)[0]["bizdate"] == "20230414"


def test_faults_spoil_every_kind_of_page(server: NaverServer, world: World) -> None:
    symbol, fund = share(world)["symbol"], funds(server)[0]["itemcode"]
    pages = {
        "sise": ("/sise.nhn", {"symbol": symbol, "count": "30"}),
        "siseJson": ("/siseJson.naver", {"symbol": symbol, "startTime": "20230101", "endTime": "20230414"}),
        "etfItemList": ("/api/sise/etfItemList.nhn", {}),
        "etfAnalysis": (f"/api/stock/{fund}/etfAnalysis", {}),
        "main": ("/item/main.naver", {"code": fund}),
        "frgn": ("/item/frgn.naver", {"code": symbol}),
        "trend": (f"/api/stock/{symbol}/trend", {}),
        "realtime": ("/api/realtime", {"query": f"SERVICE_ITEM:{symbol},{fund}"}),
    }
    spoiling = {
        FaultKind.EMPTY_LIST,
        FaultKind.YESTERDAYS_DATA,
        FaultKind.STALE_COPY,
        FaultKind.RENAMED_COLUMN,
        FaultKind.MISSING_COLUMN,
        FaultKind.WRONG_ENCODING,
        FaultKind.DUPLICATE_ROWS,
        FaultKind.LAYOUT_CHANGED,
    }
    for endpoint, (path, params) in pages.items():
        whole = get(server, path, **params).content
        for kind in spoiling:
            fault = {"endpoint": endpoint, "kind": kind, "times": 1}
            assert requests.post(f"{server.base_url}/control/fault", json=fault, timeout=5).status_code == 200
            assert get(server, path, **params).content != whole, (endpoint, kind)
        assert get(server, path, **params).content == whole


def test_yesterdays_page_and_its_stale_copy(server: NaverServer, world: World) -> None:
    symbol = share(world)["symbol"]
    now = foreign_days(server, symbol)
    for kind in (FaultKind.YESTERDAYS_DATA, FaultKind.STALE_COPY):
        fault = {"endpoint": "frgn", "kind": kind, "times": 1}
        requests.post(f"{server.base_url}/control/fault", json=fault, timeout=5)
    assert foreign_days(server, symbol)[0] == now[1]
    assert foreign_days(server, symbol)[0] == [now[0][0], *now[1][1:]]


def test_wrong_parameters_and_paths(server: NaverServer) -> None:
    assert requests.get(f"{server.base_url}/sise.nhn?symbol=005930&count=many", timeout=5).status_code == 400
    assert requests.get(f"{server.base_url}/siseJson.naver?symbol=005930", timeout=5).status_code == 400
    assert requests.get(f"{server.base_url}/api/stock/005930/trend?pageSize=200", timeout=5).status_code == 400
    assert requests.get(f"{server.base_url}/item/board.naver", timeout=5).status_code == 404


def test_an_unknown_symbol_has_nothing(server: NaverServer) -> None:
    assert fchart(server, "ZZZZZZ", 10) == []
    assert foreign_days(server, "ZZZZZZ") == []
    assert trend(server, "ZZZZZZ") == []
    assert get(server, "/api/stock/ZZZZZZ/etfAnalysis").json()["etfTop10MajorConstituentAssets"] == []
