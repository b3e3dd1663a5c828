"""The simulated KIS over real HTTP: who is let in, what the answers say, what goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests

from include.market.calendar import KST, next_session, previous_session
from include.market.investors import Investor
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.servers.broker_tokens import UNLIMITED, BrokerEnvironment, BrokerLimits
from include.simulator.servers.faults import FaultKind
from include.simulator.servers.kis import KisServer
from include.simulator.world import World

KEY, SECRET = "app-key", "app-secret"
SESSION = date(2023, 4, 14)
EVENING = datetime(2023, 4, 14, 18, 0, tzinfo=KST)
QUOTATIONS = "/uapi/domestic-stock/v1/quotations"
PRICE, CHART, INVESTORS, DIVIDENDS = "FHKST01010100", "FHKST03010100", "FHKST01010900", "HHKDB669102C0"
PATHS = {
    PRICE: f"{QUOTATIONS}/inquire-price",
    CHART: f"{QUOTATIONS}/inquire-daily-itemchartprice",
    INVESTORS: f"{QUOTATIONS}/inquire-investor",
    DIVIDENDS: "/uapi/domestic-stock/v1/ksdinfo/dividend",
}
Row = dict[str, Any]


@pytest.fixture(scope="module")
def world() -> World:
    return World(SimulatedMarket(2, 120, date(2023, 1, 2), date(2023, 4, 28)))


@pytest.fixture(scope="module")
def running(world: World) -> Iterator[KisServer]:
    with KisServer(world, KEY, SECRET, now=lambda: EVENING, limits=UNLIMITED) as server:
        yield server


@pytest.fixture
def server(running: KisServer) -> Iterator[KisServer]:
    yield running
    running.faults.clear()
    running.now = lambda: EVENING


@pytest.fixture(scope="module")
def token(running: KisServer) -> str:
    return str(token_of(running).json()["access_token"])


@pytest.fixture(scope="module")
def symbol(world: World) -> str:
    """A share with a fundamental that traded in the session."""
    valued = {row["symbol"] for row in world.table("fundamental", SESSION).to_pylist() if row["per"] is not None}
    bars = world.table("daily_bar", SESSION).to_pylist()
    return str(next(bar["symbol"] for bar in bars if bar["volume"] > 0 and bar["symbol"] in valued))


def token_of(server: KisServer, key: str = KEY, secret: str = SECRET) -> requests.Response:
    document = {"grant_type": "client_credentials", "appkey": key, "appsecret": secret}
    return requests.post(f"{server.base_url}/oauth2/tokenP", json=document, timeout=5)


def ask(
    server: KisServer, token: str, transaction: str, *, key: str = KEY, tr_id: str | None = None, **params: str
) -> requests.Response:
    headers = {
        "authorization": f"Bearer {token}",
        "appkey": key,
        "appsecret": SECRET,
        "tr_id": tr_id or transaction,
        "custtype": "P",
    }
    return requests.get(server.base_url + PATHS[transaction], params, headers=headers, timeout=5)


def answer(server: KisServer, token: str, transaction: str, **params: str) -> Row:
    response = ask(server, token, transaction, **params)
    assert response.status_code == 200
    document: Row = response.json()
    assert (document["rt_cd"], document["msg_cd"]) == ("0", "MCA00000")
    return document


def about(symbol: str) -> dict[str, str]:
    return {"FID_COND_MRKT_DIV_CODE": "J", "FID_INPUT_ISCD": symbol}


def chart(server: KisServer, token: str, symbol: str, first: date, last: date, prices: str = "1") -> Row:
    days = {"FID_INPUT_DATE_1": f"{first:%Y%m%d}", "FID_INPUT_DATE_2": f"{last:%Y%m%d}"}
    more = {"FID_PERIOD_DIV_CODE": "D", "FID_ORG_ADJ_PRC": prices}
    return answer(server, token, CHART, **about(symbol), **days, **more)


def dividends(server: KisServer, token: str, first: date, last: date, symbol: str = "") -> list[Row]:
    days = {"F_DT": f"{first:%Y%m%d}", "T_DT": f"{last:%Y%m%d}"}
    document = answer(server, token, DIVIDENDS, CTS="", GB1="0", SHT_CD=symbol, HIGH_GB="", **days)
    rows: list[Row] = document["output1"]
    return rows


def test_a_token_lives_for_a_day_and_one_is_issued_a_minute(world: World) -> None:
    with KisServer(world, KEY, SECRET) as server:
        response = token_of(server)
        assert response.status_code == 200
        issued = response.json()
        ends = datetime.strptime(issued["access_token_token_expired"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=KST)
        assert timedelta(hours=23, minutes=59) < ends - datetime.now(KST) <= timedelta(hours=24)
        assert (issued["token_type"], issued["expires_in"]) == ("Bearer", 86400)
        again = token_of(server)
        assert (again.status_code, again.json()["error_code"]) == (403, "EGW00133")
        assert [call.params for call in server.calls] == [{"grant_type": "client_credentials"}] * 2


def test_who_is_let_in(world: World, server: KisServer, token: str, symbol: str) -> None:
    assert token_of(server, KEY, "wrong").json()["error_code"] == "EGW00103"
    assert token_of(server, "wrong", SECRET).status_code == 403
    with KisServer(world, KEY, SECRET, BrokerEnvironment.MOCK, now=lambda: EVENING, limits=UNLIMITED) as mock:
        others = token_of(mock).json()["access_token"]
        assert ask(mock, others, PRICE, **about(symbol)).status_code == 200
        for shown in ("", "made-up", others):
            refused = ask(server, shown, PRICE, **about(symbol))
            assert (refused.status_code, refused.json()["msg_cd"]) == (500, "EGW00121")
    assert ask(server, token, PRICE, key="wrong", **about(symbol)).status_code == 403
    assert ask(server, token, PRICE, tr_id=CHART, **about(symbol)).json()["rt_cd"] != "0"


def test_a_token_ends(world: World, symbol: str) -> None:
    with KisServer(world, KEY, SECRET, limits=UNLIMITED) as server:
        moments = [datetime.now(KST)]
        server.tokens.clock = lambda: moments[-1]
        token = token_of(server).json()["access_token"]
        moments.append(moments[0] + timedelta(hours=24, seconds=-1))
        assert ask(server, token, PRICE, **about(symbol)).status_code == 200
        moments.append(moments[0] + timedelta(hours=24))
        refused = ask(server, token, PRICE, **about(symbol))
        assert (refused.status_code, refused.json()["msg_cd"]) == (500, "EGW00123")


def test_too_many_calls_a_second(world: World, symbol: str) -> None:
    limits = BrokerLimits(calls_per_second=1, seconds_between_tokens=0)
    with KisServer(world, KEY, SECRET, now=lambda: EVENING, limits=limits) as server:
        token = token_of(server).json()["access_token"]
        first, *others = [ask(server, token, PRICE, **about(symbol)) for _ in range(8)]
        assert first.status_code == 200
        refused = [response.json()["msg_cd"] for response in others if response.status_code == 500]
        assert set(refused) == {"EGW00201"}


def test_a_quote_and_figures(server: KisServer, world: World, token: str, symbol: str) -> None:
    for moment in (datetime(2023, 4, 14, 11, 0, tzinfo=KST), EVENING):
        server.now = lambda moment=moment: moment  # type: ignore[misc]
        output = answer(server, token, PRICE, **about(symbol))["output"]
        [quote] = world.quotes(SESSION, moment, [symbol]).to_pylist()
        names = {
            "stck_prpr": "price",
            "prdy_vrss": "change",
            "stck_oprc": "open",
            "stck_hgpr": "high",
            "stck_lwpr": "low",
            "acml_vol": "volume",
            "acml_tr_pbmn": "value_krw",
        }
        assert {column: int(output[field]) for field, column in names.items()} == {
            column: quote[column] for column in names.values()
        }
        assert output["stck_shrn_iscd"] == symbol
    held = world.rows("foreign_holding", symbol, SESSION).to_pylist()[0]
    valued = world.rows("fundamental", symbol, SESSION).to_pylist()[0]
    assert int(output["frgn_hldn_qty"]) == held["foreign_shares"]
    assert Decimal(output["hts_frgn_ehrt"]) == held["limit_used_pct"]
    assert (Decimal(output["per"]), Decimal(output["eps"])) == (valued["per"], valued["eps_krw"])


def test_a_chart_as_traded_and_adjusted(server: KisServer, world: World, token: str) -> None:
    listed = set(world.table("daily_bar", SESSION)["symbol"].to_pylist())
    action = next(item for item in world.market.actions if item.ex_date < SESSION and item.symbol in listed)
    since = world.sessions[0]
    document = chart(server, token, action.symbol, since, SESSION)
    truth = {
        f"{row['session']:%Y%m%d}": row for row in world.history("daily_bar", action.symbol, since, SESSION).to_pylist()
    }
    bars = document["output2"]
    assert [bar["stck_bsop_date"] for bar in bars] == sorted(truth, reverse=True)
    for bar in bars:
        row = truth[bar["stck_bsop_date"]]
        prices = [row["open"], row["high"], row["low"], row["close"], row["volume"], row["value_krw"], row["change"]]
        fields = ("stck_oprc", "stck_hgpr", "stck_lwpr", "stck_clpr", "acml_vol", "acml_tr_pbmn", "prdy_vrss")
        assert [int(bar[field]) for field in fields] == prices
        assert bar["prdy_vrss_sign"] == {0: "3", 1: "2", 2: "5", 3: "3", 4: "1", 5: "4"}[row["fluctuation_code"]]
    assert document["output1"]["lstn_stcn"] == str(truth[f"{SESSION:%Y%m%d}"]["listed_shares"])
    adjusted = world.adjusted_bars(action.symbol, since, SESSION).to_pylist()
    closes = [
        int(bar["stck_clpr"]) for bar in reversed(chart(server, token, action.symbol, since, SESSION, "0")["output2"])
    ]
    assert closes == [row["close"] for row in adjusted]
    assert closes != [int(bar["stck_clpr"]) for bar in reversed(bars)]


def test_flows_by_class_in_shares_and_million_won(server: KisServer, world: World, token: str, symbol: str) -> None:
    rows = answer(server, token, INVESTORS, **about(symbol))["output"]
    assert [row["stck_bsop_date"] for row in rows] == [
        f"{session:%Y%m%d}" for session in reversed(world.sessions) if session <= SESSION
    ][:30]
    flows = {flow["investor"]: flow for flow in world.rows("investor_flow", symbol, SESSION).to_pylist()}
    nothing = dict.fromkeys(("net_shares", "buy_shares", "sell_shares", "net_krw"), 0)
    for prefix, investor in {
        "prsn": Investor.INDIVIDUAL,
        "frgn": Investor.FOREIGN,
        "orgn": Investor.INSTITUTION,
    }.items():
        flow = flows.get(investor.value, nothing)
        assert [int(rows[0][f"{prefix}_{field}"]) for field in ("ntby_qty", "shnu_vol", "seln_vol")] == [
            flow["net_shares"],
            flow["buy_shares"],
            flow["sell_shares"],
        ]
        assert int(rows[0][f"{prefix}_ntby_tr_pbmn"]) == round(flow["net_krw"] / 10**6)


def test_flows_are_empty_until_they_are_settled(server: KisServer, token: str, symbol: str) -> None:
    server.now = lambda: EVENING - timedelta(minutes=1)
    newest, before = answer(server, token, INVESTORS, **about(symbol))["output"][:2]
    assert (newest["stck_bsop_date"], newest["frgn_ntby_qty"], newest["prsn_shnu_vol"]) == ("20230414", "", "")
    assert before["frgn_ntby_qty"] != ""


def test_dividends_by_record_date(server: KisServer, world: World, token: str) -> None:
    paid = [row for day in world.sessions if day <= SESSION for row in world.table("dividend", day).to_pylist()]
    shown = dividends(server, token, date(2023, 1, 1), next_session(SESSION))
    assert {(row["sht_cd"], row["record_date"], int(row["per_sto_divi_amt"])) for row in shown} == {
        (row["symbol"], f"{row['record_on']:%Y%m%d}", int(row["amount_krw"])) for row in paid
    }
    assert {row["divi_pay_dt"] for row in shown} == {f"{row['paid_on']:%Y/%m/%d}" for row in paid}
    one = paid[0]
    record = one["record_on"]
    assert [row["sht_cd"] for row in dividends(server, token, record, record, one["symbol"])] == [one["symbol"]]
    assert dividends(server, token, previous_session(date(2023, 1, 3)), date(2023, 1, 3), one["symbol"]) == []


def test_an_unknown_symbol_has_nothing(server: KisServer, token: str) -> None:
    assert answer(server, token, PRICE, **about("ZZZZZZ"))["output"] == {}
    assert chart(server, token, "ZZZZZZ", SESSION, SESSION) | {"msg1": ""} == {
        "output1": {},
        "output2": [],
        "rt_cd": "0",
        "msg_cd": "MCA00000",
        "msg1": "",
    }
    assert answer(server, token, INVESTORS, **about("ZZZZZZ"))["output"] == []
    assert ask(server, token, PRICE).json()["msg_cd"] == "OPSQ2001"


def test_faults_spoil_every_transaction(server: KisServer, world: World, token: str, symbol: str) -> None:
    paid = [row for day in world.sessions if day <= SESSION for row in world.table("dividend", day).to_pylist()]
    record = paid[0]["record_on"]
    days = {"F_DT": f"{record:%Y%m%d}", "T_DT": f"{record:%Y%m%d}"}
    bars = {"FID_INPUT_DATE_1": "20230403", "FID_INPUT_DATE_2": "20230414", "FID_PERIOD_DIV_CODE": "D"}
    transactions = {
        PRICE: about(symbol),
        CHART: {**about(symbol), **bars, "FID_ORG_ADJ_PRC": "1"},
        INVESTORS: about(symbol),
        DIVIDENDS: {"SHT_CD": "", **days},
    }
    spoiling = [
        FaultKind.EMPTY_LIST,
        FaultKind.YESTERDAYS_DATA,
        FaultKind.STALE_COPY,
        FaultKind.RENAMED_COLUMN,
        FaultKind.MISSING_COLUMN,
        FaultKind.WRONG_ENCODING,
        FaultKind.LAYOUT_CHANGED,
        FaultKind.MAINTENANCE_HTML,
    ]
    for transaction, params in transactions.items():
        whole = ask(server, token, transaction, **params).content
        for kind in spoiling:
            fault = {"endpoint": transaction, "kind": kind, "times": 1}
            assert requests.post(f"{server.base_url}/control/fault", json=fault, timeout=5).status_code == 200
            spoilt = ask(server, token, transaction, **params)
            assert spoilt.status_code == 200
            assert spoilt.content != whole, (transaction, kind)
        assert ask(server, token, transaction, **params).content == whole


def test_logout_is_401_and_spares_the_way_in(server: KisServer, token: str, symbol: str) -> None:
    fault = {"endpoint": "*", "kind": FaultKind.LOGOUT, "times": 1}
    requests.post(f"{server.base_url}/control/fault", json=fault, timeout=5)
    assert token_of(server).status_code == 200
    assert ask(server, token, PRICE, **about(symbol)).status_code == 401
    assert ask(server, token, PRICE, **about(symbol)).status_code == 200
