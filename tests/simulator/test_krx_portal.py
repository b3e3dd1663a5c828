"""The simulated portal: real, unmodified pykrx reads the world from it; formats are those recorded."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import requests
from requests.adapters import HTTPAdapter

from include.market.calendar import KST, previous_session
from include.market.instruments import instrument_kind
from include.market.investors import CLASSES, PORTAL_CODES, Investor
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.servers.faults import FaultKind
from include.simulator.servers.krx_portal import STATISTICS, KrxPortalServer
from include.simulator.world import World

MEMBER = ("member", "secret")
SESSION = date(2023, 3, 10)
WEEKEND = date(2023, 3, 12)
NOW = datetime(2023, 3, 31, 20, 24, 22, tzinfo=KST)
DATA = "/comm/bldAttendant/getJsonData.cmd"
CLIENT = "/contents/MDC/COMS/client"


class ToLoopback(HTTPAdapter):
    """Sends what is meant for the real host to ``server``."""

    def __init__(self, server: KrxPortalServer) -> None:
        super().__init__()
        self._server = server

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        assert request.url is not None
        url = urlsplit(request.url)
        assert url.hostname == "data.krx.co.kr"
        redirected = request.copy()
        redirected.url = url._replace(scheme="http", netloc=f"127.0.0.1:{self._server.port}").geturl()
        return super().send(redirected, *args, **more)


@pytest.fixture(scope="module")
def world() -> World:
    return World(SimulatedMarket(2, 120, date(2023, 1, 2), date(2023, 4, 28)))


@pytest.fixture(scope="module")
def shared(world: World) -> Iterator[KrxPortalServer]:
    with KrxPortalServer(world, *MEMBER, now=lambda: NOW) as running:
        yield running


@pytest.fixture
def server(shared: KrxPortalServer) -> Iterator[KrxPortalServer]:
    yield shared
    shared.faults.clear()


@pytest.fixture
def browser(server: KrxPortalServer) -> Iterator[requests.Session]:
    with requests.Session() as session:
        log_in(server, session)
        yield session


def log_in(
    server: KrxPortalServer, session: requests.Session, *, member: tuple[str, str] = MEMBER, skip: bool = True
) -> str:
    """The code the portal answers a login with."""
    session.get(f"{server.base_url}{CLIENT}/MDCCOMS001.cmd", timeout=5)
    session.get(f"{server.base_url}{CLIENT}/view/login.jsp?site=mdc", timeout=5)
    form = {"mbrId": member[0], "pw": member[1]} | ({"skipDup": "Y"} if skip else {})
    answer = session.post(f"{server.base_url}{CLIENT}/MDCCOMS001D1.cmd", form, timeout=5)
    code: str = answer.json()["_error_code"]
    return code


def ask(server: KrxPortalServer, session: requests.Session, name: str, **form: str) -> requests.Response:
    folder = "comm/finder" if name.startswith("finder") else "MDC/STAT/standard"
    return session.post(f"{server.base_url}{DATA}", {**form, "bld": f"dbms/{folder}/{name}"}, timeout=20)


def rows_of(response: requests.Response) -> list[dict[str, str]]:
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    block, moment = response.json().values()
    assert re.fullmatch(r"2023\.03\.\d\d PM 08:24:22", moment)
    assert all(isinstance(value, str) for row in block for value in row.values())
    rows: list[dict[str, str]] = block
    return rows


def number(text: str) -> Decimal | None:
    return None if text == "-" else Decimal(text.replace(",", ""))


def compact(day: date) -> str:
    return f"{day:%Y%m%d}"


def form_of(world: World, name: str, day: date = SESSION) -> dict[str, str]:
    """A form that ``name`` answers with rows."""
    stock = world.table("instrument", day).filter(pc.field("symbol") == traded(world, day)).to_pylist()[0]["isin"]
    fund = world.table("etf_holding", day)["fund"][0].as_py()
    fund_isin = world.table("instrument", day).filter(pc.field("symbol") == fund).to_pylist()[0]["isin"]
    on_day, week = {"trdDd": compact(day)}, {"strtDd": compact(day - timedelta(days=7)), "endDd": compact(day)}
    forms = {
        "MDCSTAT00101": on_day | {"idxIndMidclssCd": "02"},
        "MDCSTAT00301": week | {"indIdx": "1", "indIdx2": "001"},
        "MDCSTAT00401": {"idxIndMidclssCd": "02"},
        "MDCSTAT01501": on_day | {"mktId": "ALL"},
        "MDCSTAT01701": week | {"isuCd": stock, "adjStkPrc": "1"},
        "MDCSTAT01901": {"mktId": "ALL"},
        "MDCSTAT02201": week | {"mktId": "STK", "etf": "", "etn": "", "elw": ""},
        "MDCSTAT02301": week | {"isuCd": stock, "inqTpCd": "1", "trdVolVal": "1", "askBid": "1"},
        "MDCSTAT02302": week | {"isuCd": stock, "inqTpCd": "2", "trdVolVal": "2", "askBid": "3"},
        "MDCSTAT02401": week | {"mktId": "STK", "invstTpCd": "8000"},
        "MDCSTAT03501": on_day | {"mktId": "STK"},
        "MDCSTAT03701": on_day | {"mktId": "STK", "isuLmtRto": "0", "searchType": "1"},
        "MDCSTAT03901": on_day | {"mktId": "STK"},
        "MDCSTAT04301": on_day,
        "MDCSTAT04801": week,
        "MDCSTAT05001": on_day | {"isuCd": fund_isin},
        "MDCSTAT06401": on_day,
        "MDCSTAT23801": {"mktId": "ALL", "isuCd": "ALL", "strtDd": "20210101", "endDd": compact(day)},
        "finder_stkisu": {"mktsel": "ALL", "searchText": "", "typeNo": "0"},
        "finder_listdelisu": {"mktsel": "ALL", "searchText": "", "typeNo": "0"},
    }
    return forms.get(name, {})


def traded(world: World, day: date) -> str:
    symbols = world.table("investor_flow", day)["symbol"]
    symbol: str = symbols[len(symbols) // 2].as_py()
    return symbol


# --- formats


@pytest.mark.samples
def test_fields_are_those_recorded(
    server: KrxPortalServer, browser: requests.Session, world: World, samples: Path
) -> None:
    compared = set()
    for entry in json.loads((samples / "krx_portal" / "INDEX.json").read_bytes()):
        name = entry["form"]["bld"].rpartition("/")[2]
        if name in STATISTICS and name not in compared:
            answer = ask(server, browser, name, **form_of(world, name))
            assert list(answer.json()) == list(entry["blocks"]), name
            rows = rows_of(answer)
            assert rows or name == "finder_listdelisu", name
            assert all(sorted(row) == sorted(entry["fields"]) for row in rows), name
            compared.add(name)
    undocumented = {"MDCSTAT00101", "MDCSTAT03901", "MDCSTAT06401", "MDCSTAT06701", "MDCSTAT08501", "MDCSTAT23801"}
    assert compared == set(STATISTICS) - undocumented


# --- the login


def test_nothing_without_a_login(server: KrxPortalServer) -> None:
    with requests.Session() as stranger:
        assert log_in(server, stranger, member=("member", "wrong")) == "CD002"
        response = ask(server, stranger, "MDCSTAT04601")
        assert (response.status_code, response.text) == (400, "LOGOUT")


def test_a_second_login_evicts_the_first(server: KrxPortalServer, browser: requests.Session) -> None:
    assert rows_of(ask(server, browser, "MDCSTAT04601"))
    assert log_in(server, browser, skip=False) == "CD001"
    with requests.Session() as second:
        assert log_in(server, second, skip=False) == "CD011"
        assert rows_of(ask(server, browser, "MDCSTAT04601"))
        assert log_in(server, second) == "CD001"
        assert rows_of(ask(server, second, "MDCSTAT04601"))
        assert ask(server, browser, "MDCSTAT04601").text == "LOGOUT"


def test_the_call_book_holds_no_login(server: KrxPortalServer, browser: requests.Session) -> None:
    assert browser.cookies
    logins = [call for call in server.calls if call.endpoint == "login"]
    assert logins
    assert not {"mbrId", "pw"} & {name for call in logins for name in call.params}


def test_a_form_without_a_day_is_refused(server: KrxPortalServer, browser: requests.Session) -> None:
    assert ask(server, browser, "MDCSTAT04301", trdDd="2023-03-10").status_code == 400
    assert ask(server, browser, "MDCSTAT99999").status_code == 404


# --- closed days and the hour of publication


@pytest.mark.parametrize("name", ["MDCSTAT01501", "MDCSTAT03501", "MDCSTAT03701", "MDCSTAT04301", "MDCSTAT06401"])
def test_a_closed_day_shows_no_figure(
    server: KrxPortalServer, browser: requests.Session, world: World, name: str
) -> None:
    form = form_of(world, name)
    before = rows_of(ask(server, browser, name, **form))
    rows = rows_of(ask(server, browser, name, **(form | {"trdDd": compact(WEEKEND)})))
    assert [row["ISU_SRT_CD"] for row in rows] == [row["ISU_SRT_CD"] for row in before]
    assert {row["TDD_CLSPRC"] for row in rows} == {"-"}
    assert {row["FLUC_TP_CD"] for row in rows} == {"0"}
    if "LIST_SHRS" in before[0]:
        assert [row["LIST_SHRS"] for row in rows] == [row["LIST_SHRS"] for row in before]


def test_a_closed_day_has_no_index_no_portfolio_and_no_flow(
    server: KrxPortalServer, browser: requests.Session, world: World
) -> None:
    for name in ("MDCSTAT00101", "MDCSTAT05001"):
        assert rows_of(ask(server, browser, name, **(form_of(world, name) | {"trdDd": compact(WEEKEND)}))) == []
    weekend = {"strtDd": compact(WEEKEND), "endDd": compact(WEEKEND)}
    for name in ("MDCSTAT00301", "MDCSTAT02401"):
        assert rows_of(ask(server, browser, name, **(form_of(world, name) | weekend))) == []
    sums = rows_of(ask(server, browser, "MDCSTAT02201", **(form_of(world, "MDCSTAT02201") | weekend)))
    assert {row["BID_TRDVAL"] for row in sums} == {"0"}
    assert len(sums) == 13


def test_a_session_is_published_in_the_evening(world: World) -> None:
    clock = [datetime(2023, 3, 10, 17, 59, tzinfo=KST)]
    with KrxPortalServer(world, *MEMBER, now=lambda: clock[0]) as server, requests.Session() as session:
        log_in(server, session)
        form = form_of(world, "MDCSTAT01501")

        def closes() -> set[str]:
            answer = ask(server, session, "MDCSTAT01501", **form).json()
            return {row["TDD_CLSPRC"] for row in answer["OutBlock_1"]}

        assert closes() == {"-"}
        clock[0] += timedelta(minutes=1)
        assert "-" not in closes()


# --- values


def test_flows_by_class_are_the_worlds(server: KrxPortalServer, browser: requests.Session, world: World) -> None:
    """Each class's rows of the three markets are what the world knows, and now and then a stock it did not trade."""
    truth: dict[Investor, dict[str, Any]] = {investor: {} for investor in Investor}
    for row in world.table("investor_flow", SESSION).to_pylist():
        truth[Investor(row["investor"])][row["symbol"]] = row
    untraded = 0
    for code, investor in PORTAL_CODES.items():
        published = {}
        for market in ("STK", "KSQ", "KNX"):
            form = {"strtDd": compact(SESSION), "endDd": compact(SESSION), "mktId": market, "invstTpCd": code}
            rows = rows_of(ask(server, browser, "MDCSTAT02401", **form))
            values = [number(row["NETBID_TRDVAL"]) for row in rows]
            assert values == sorted(values, reverse=True)
            published |= {row["ISU_SRT_CD"]: row for row in rows}
        nothing = {symbol for symbol, row in published.items() if row["ASK_TRDVAL"] == row["BID_TRDVAL"] == "0"}
        untraded += len(nothing - set(truth[investor]))
        assert set(published) - nothing == set(truth[investor]) - nothing
        for symbol, row in truth[investor].items():
            shown = published[symbol]
            assert number(shown["ASK_TRDVOL"]) == row["sell_shares"]
            assert number(shown["BID_TRDVOL"]) == row["buy_shares"]
            assert number(shown["NETBID_TRDVAL"]) == row["net_krw"]
    assert untraded > 0


def test_flows_of_a_stock_sum_over_days(server: KrxPortalServer, browser: requests.Session, world: World) -> None:
    symbol = traded(world, SESSION)
    sessions = [session for session in world.sessions if SESSION - timedelta(days=7) <= session <= SESSION]
    flows = pa.concat_tables([world.rows("investor_flow", symbol, session) for session in sessions]).to_pylist()

    def total(investors: tuple[Investor, ...], session: date | None = None) -> int:
        names = {investor.value for investor in investors}
        return sum(row["net_krw"] for row in flows if row["investor"] in names and session in {None, row["session"]})

    sums = rows_of(ask(server, browser, "MDCSTAT02301", **form_of(world, "MDCSTAT02301")))
    assert len(sums) == 13
    by_name = {row["INVST_TP_NM"]: number(row["NETBID_TRDVAL"]) for row in sums}
    assert by_name["개인"] == total((Investor.INDIVIDUAL,))
    assert by_name["기관합계"] == total((Investor.INSTITUTION,))
    days = rows_of(ask(server, browser, "MDCSTAT02302", **form_of(world, "MDCSTAT02302")))
    assert [row["TRD_DD"] for row in days] == [f"{session:%Y/%m/%d}" for session in reversed(sessions)]
    for row, session in zip(days, reversed(sessions), strict=True):
        assert number(row["TRDVAL4"]) == total((Investor.FOREIGN, Investor.OTHER_FOREIGN), session)
        assert sum(number(row[f"TRDVAL{place}"]) or 0 for place in range(1, 5)) == number(row["TRDVAL_TOT"]) == 0


@pytest.mark.parametrize(("name", "market"), [("MDCSTAT02201", "KOSPI"), ("MDCSTAT04801", "ETF")])
def test_flows_of_a_market(
    server: KrxPortalServer, browser: requests.Session, world: World, name: str, market: str
) -> None:
    day = {"strtDd": compact(SESSION), "endDd": compact(SESSION)}
    rows = rows_of(ask(server, browser, name, **(form_of(world, name) | day)))
    truth = world.table("market_investor_flow", SESSION).filter(pc.field("market") == market).to_pylist()
    assert sorted(number(row["BID_TRDVAL"]) or 0 for row in rows) == sorted(row["buy_krw"] for row in truth)
    assert len(truth) == len(rows) == len(CLASSES) + 2


def test_masters_are_of_the_latest_session(server: KrxPortalServer, browser: requests.Session, world: World) -> None:
    truth = {row["symbol"]: row for row in world.table("instrument", NOW.date()).to_pylist()}
    published = {
        name: {row["ISU_SRT_CD"]: row for row in rows_of(ask(server, browser, name, **form_of(world, name)))}
        for name in ("MDCSTAT01901", "MDCSTAT04601", "MDCSTAT06701")
    }
    stocks, funds, notes = published.values()
    assert stocks.keys() | funds.keys() | notes.keys() == truth.keys()
    assert {truth[symbol]["kind"] for symbol in funds} == {"etf"}
    assert {truth[symbol]["kind"] for symbol in notes} == {"etn"}
    for symbol, row in stocks.items():
        issue = truth[symbol]
        kind = instrument_kind(row["SECUGRP_NM"], row["KIND_STKCERT_TP_NM"], row["ISU_NM"])
        assert (kind.value, row["ISU_CD"], row["ISU_ABBRV"]) == (issue["kind"], issue["isin"], issue["name"])
        assert row["LIST_DD"] == f"{issue['listed_on']:%Y/%m/%d}"
        assert (None if row["PARVAL"] == "무액면" else number(row["PARVAL"])) == issue["par_value"]


def test_sectors_are_the_worlds(server: KrxPortalServer, browser: requests.Session, world: World) -> None:
    published = set()
    for market, name in (("STK", "KOSPI"), ("KSQ", "KOSDAQ")):
        form = form_of(world, "MDCSTAT03901") | {"mktId": market}
        rows = rows_of(ask(server, browser, "MDCSTAT03901", **form))
        published |= {(row["ISU_SRT_CD"], name, row["IDX_IND_NM"]) for row in rows}
    truth = world.table("sector", SESSION).to_pylist()
    assert published == {(row["symbol"], row["market"], row["sector"]) for row in truth}


def test_delistings_are_the_worlds() -> None:
    """A market long enough for some, read by the statistic and by the finder."""
    world = World(SimulatedMarket(2, 120, date(2022, 1, 3), date(2023, 6, 30)))
    truth = [row for session in world.sessions for row in world.table("delisting", session).to_pylist()]
    assert truth
    now = datetime(2023, 7, 1, 20, 24, 22, tzinfo=KST)
    with KrxPortalServer(world, *MEMBER, now=lambda: now) as server, requests.Session() as session:
        log_in(server, session)
        form = {"mktId": "ALL", "isuCd": "ALL", "strtDd": "20220101", "endDd": "20230630"}
        rows = ask(server, session, "MDCSTAT23801", **form).json()["output"]
        assert [(row["ISU_CD"], row["DELIST_DD"], row["DELIST_RSN_DSC"]) for row in reversed(rows)] == [
            (row["symbol"], f"{row['session']:%Y/%m/%d}", row["reason"]) for row in truth
        ]
        found = ask(server, session, "finder_listdelisu", mktsel="ALL").json()["block1"]
        assert [row["short_code"] for row in found] == [row["symbol"] for row in truth]


# --- faults


@pytest.mark.parametrize("name", sorted(set(STATISTICS) - {"MDCSTAT23801", "finder_listdelisu"}))
def test_every_statistic_can_be_spoilt(
    server: KrxPortalServer, browser: requests.Session, world: World, name: str
) -> None:
    form = form_of(world, name)
    whole = rows_of(ask(server, browser, name, **form))

    def spoilt(kind: FaultKind) -> requests.Response:
        document = {"endpoint": name, "kind": kind, "times": 1}
        assert requests.post(f"{server.base_url}/control/fault", json=document, timeout=5).status_code == 200
        return ask(server, browser, name, **form)

    statistic = STATISTICS[name]
    old, new = statistic.renamed
    assert [row[new] for row in rows_of(spoilt(FaultKind.RENAMED_COLUMN))] == [row[old] for row in whole]
    assert all(statistic.dropped not in row for row in rows_of(spoilt(FaultKind.MISSING_COLUMN)))
    assert rows_of(spoilt(FaultKind.EMPTY_LIST)) == []
    assert rows_of(spoilt(FaultKind.DUPLICATE_ROWS)) == whole + whole[:1]
    assert spoilt(FaultKind.LOGOUT).text == "LOGOUT"
    assert list(spoilt(FaultKind.LAYOUT_CHANGED).json()) == ["result", "CURRENT_DATETIME"]
    partial = rows_of(spoilt(FaultKind.PARTIAL_MARKET))
    assert partial in ([], whole) if statistic.subject else partial == whole[: len(whole) // 2]


def test_yesterdays_data_is_dated_where_the_portal_dates(
    server: KrxPortalServer, browser: requests.Session, world: World
) -> None:
    form = form_of(world, "MDCSTAT01501")
    yesterday = rows_of(ask(server, browser, "MDCSTAT01501", **(form | {"trdDd": compact(previous_session(SESSION))})))
    for kind, day in ((FaultKind.YESTERDAYS_DATA, "2023.03.30"), (FaultKind.STALE_COPY, "2023.03.31")):
        document = {"endpoint": "*", "kind": kind, "times": 1}
        requests.post(f"{server.base_url}/control/fault", json=document, timeout=5)
        answer = ask(server, browser, "MDCSTAT01501", **form)
        assert rows_of(answer) == yesterday
        assert answer.json()["CURRENT_DATETIME"].startswith(day)


def test_separators_are_no_fault_here(server: KrxPortalServer) -> None:
    document = {"endpoint": "*", "kind": FaultKind.COMMA_STRINGS}
    assert requests.post(f"{server.base_url}/control/fault", json=document, timeout=5).status_code == 400


# --- pykrx


@pytest.fixture(scope="module")
def pykrx(shared: KrxPortalServer) -> Iterator[Any]:
    """pykrx's ``stock``, logged in by its own login through a session that reaches the simulated portal."""
    patch = pytest.MonkeyPatch()
    for name in ("KRX_ID", "KRX_PW"):
        patch.delenv(name, raising=False)
    from pykrx import stock
    from pykrx.website.comm import auth

    session = requests.Session()
    session.mount("https://", ToLoopback(shared))
    assert auth.login_krx(*MEMBER, session)
    cookies = {cookie.name: {"value": cookie.value} for cookie in session.cookies}
    auth.set_auth_session(auth.KRXSession(session=session, is_authenticated=True, cookies=cookies))
    # Its own messages cannot be formatted, which pytest's handler raises: another test may have set a lower level.
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.WARNING)
    yield stock
    root.setLevel(level)
    auth.set_auth_session(None)
    patch.undo()


def truth_of(world: World, dataset: str, index: str = "symbol") -> pd.DataFrame:
    return world.table(dataset, SESSION).to_pandas().set_index(index)


def assert_columns(frame: pd.DataFrame, truth: pd.DataFrame, names: dict[str, str]) -> None:
    """``frame`` holds what ``truth`` does, under pykrx's names; pykrx shows nothing as zero."""
    assert set(frame.index) == set(truth.index)
    for korean, name in names.items():
        expected = truth.loc[frame.index, name].astype(float).fillna(0)
        assert frame[korean].astype(float).tolist() == pytest.approx(expected.tolist(), rel=1e-3), korean


def test_pykrx_reads_the_whole_market(pykrx: Any, world: World) -> None:
    frame = pykrx.get_market_ohlcv_by_ticker(compact(SESSION), market="ALL")
    names = {
        "시가": "open",
        "고가": "high",
        "저가": "low",
        "종가": "close",
        "거래량": "volume",
        "거래대금": "value_krw",
    }
    assert_columns(frame, truth_of(world, "daily_bar"), names)


def test_pykrx_reads_one_stock(pykrx: Any, world: World) -> None:
    symbol = traded(world, SESSION)
    frame = pykrx.get_market_ohlcv_by_date("20230306", compact(SESSION), symbol, adjusted=False)
    truth = world.history("daily_bar", symbol, date(2023, 3, 6), SESSION).to_pylist()
    assert [stamp.date() for stamp in frame.index] == [row["session"] for row in truth]
    for korean, name in {"시가": "open", "고가": "high", "저가": "low", "종가": "close", "거래량": "volume"}.items():
        assert frame[korean].tolist() == [row[name] for row in truth]


def test_pykrx_reads_fundamentals(pykrx: Any, world: World) -> None:
    frame = pykrx.get_market_fundamental_by_ticker(compact(SESSION), market="ALL")
    names = {"BPS": "bps_krw", "PER": "per", "PBR": "pbr", "EPS": "eps_krw", "DPS": "dps_krw"}
    assert_columns(frame, truth_of(world, "fundamental"), names | {"DIV": "dividend_yield_pct"})


def test_pykrx_reads_foreign_holdings(pykrx: Any, world: World) -> None:
    frame = pykrx.get_exhaustion_rates_of_foreign_investment_by_ticker(compact(SESSION), market="ALL")
    names = {"상장주식수": "listed_shares", "보유수량": "foreign_shares", "지분율": "foreign_pct"}
    assert_columns(frame, truth_of(world, "foreign_holding"), names | {"한도수량": "limit_shares"})


def test_pykrx_reads_investor_flows(pykrx: Any, world: World) -> None:
    day = compact(SESSION)
    frame = pykrx.get_market_net_purchases_of_equities_by_ticker(day, day, "KOSPI", "개인")
    truth = truth_of(world, "investor_flow").query("investor == 'individual'")
    truth = truth.loc[truth.index.isin(truth_of(world, "daily_bar").query("market == 'KOSPI'").index)]
    frame = frame[frame["매수거래대금"] + frame["매도거래대금"] > 0]
    names = {"매도거래량": "sell_shares", "매수거래량": "buy_shares", "순매수거래대금": "net_krw"}
    assert_columns(frame, truth, names)


def test_pykrx_reads_market_flows(pykrx: Any, world: World) -> None:
    day = compact(SESSION)
    frame = pykrx.get_market_trading_value_by_investor(day, day, "KOSDAQ")
    truth = truth_of(world, "market_investor_flow", "investor").query("market == 'KOSDAQ'")
    assert frame.loc["외국인", "매수"] == truth.loc["foreign", "buy_krw"]
    assert frame.loc["전체", "순매수"] == 0
    assert len(frame) == len(truth)


def test_pykrx_reads_portfolios(pykrx: Any, world: World) -> None:
    """pykrx cuts ISINs to their middle and calls the amount at the close a market capitalisation."""
    holdings = truth_of(world, "etf_holding", "fund")
    listed = {row["symbol"] for row in world.table("instrument", NOW.date()).to_pylist()}
    funds = [fund for fund in holdings.index.unique() if fund in listed]
    assert funds
    for fund in funds:
        frame = pykrx.get_etf_portfolio_deposit_file(fund, compact(SESSION))
        truth = holdings.loc[fund]
        assert frame.index.tolist() == [code[3:9] if len(code) > 6 else code for code in truth["component"]]
        assert frame["시가총액"].tolist() == truth["value_krw"].tolist()
        assert frame["계약수"].tolist() == pytest.approx(truth["shares"].astype(float).fillna(0).tolist())


def test_pykrx_reads_products(pykrx: Any, world: World) -> None:
    frame = pykrx.get_etf_ohlcv_by_ticker(compact(SESSION))
    truth = truth_of(world, "etp_daily_bar").query("kind == 'ETF'")
    assert_columns(
        frame, truth, {"NAV": "nav", "종가": "close", "거래대금": "value_krw", "기초지수": "underlying_close"}
    )


@pytest.mark.parametrize(("code", "name"), [("1001", "코스피"), ("1028", "코스피 200"), ("2203", "코스닥 150")])
def test_pykrx_reads_indices(pykrx: Any, world: World, code: str, name: str) -> None:
    frame = pykrx.get_index_ohlcv_by_date("20230306", compact(SESSION), code)
    truth = [
        world.table("index_bar", session).filter(pc.field("index_name") == name).to_pylist()[0]
        for session in world.sessions
        if date(2023, 3, 6) <= session <= SESSION
    ]
    assert frame["종가"].tolist() == pytest.approx([float(row["close"]) for row in truth])
    assert frame["거래대금"].tolist() == [row["value_krw"] for row in truth]


def test_pykrx_reads_all_indices_of_a_day(pykrx: Any, world: World) -> None:
    frame = pykrx.get_index_ohlcv_by_ticker(compact(SESSION), "KOSPI")
    truth = truth_of(world, "index_bar", "index_name").query("family == 'KOSPI'")
    # pykrx takes spaces and points out of the names.
    truth.index = truth.index.str.replace(r"[^-\w.]", "", regex=True)
    with_foreign_shares = "코스피외국주포함"
    assert frame.loc[with_foreign_shares, "종가"] == 0
    names = {"종가": "close", "고가": "high", "거래량": "volume"}
    assert_columns(frame.drop(with_foreign_shares), truth, names)
