"""The simulated Kiwoom over real HTTP: who is let in, what the answers say, what goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import requests

from include.market.calendar import KST
from include.market.investors import CLASSES, INSTITUTIONS, Investor
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.servers.broker_tokens import UNLIMITED, BrokerEnvironment
from include.simulator.servers.faults import FaultKind
from include.simulator.servers.kiwoom import KiwoomServer
from include.simulator.world import World

KEY, SECRET = "app-key", "secret-key"
SESSION = date(2023, 4, 14)
EVENING = datetime(2023, 4, 14, 18, 0, tzinfo=KST)
PATHS = {"ka10001": "/api/dostk/stkinfo", "ka10059": "/api/dostk/stkinfo", "ka10081": "/api/dostk/chart"}
FIELDS = {
    "ind_invsr": Investor.INDIVIDUAL,
    "frgnr_invsr": Investor.FOREIGN,
    "orgn": Investor.INSTITUTION,
    "fnnc_invt": Investor.SECURITIES,
    "insrnc": Investor.INSURANCE,
    "invtrt": Investor.INVESTMENT_TRUST,
    "etc_fnnc": Investor.OTHER_FINANCE,
    "bank": Investor.BANK,
    "penfnd_etc": Investor.PENSION,
    "samo_fund": Investor.PRIVATE_FUND,
    "etc_corp": Investor.OTHER_CORPORATION,
    "natfor": Investor.OTHER_FOREIGN,
}
Row = dict[str, Any]


@pytest.fixture(scope="module")
def world() -> World:
    return World(SimulatedMarket(2, 120, date(2023, 1, 2), date(2023, 4, 28)))


@pytest.fixture(scope="module")
def running(world: World) -> Iterator[KiwoomServer]:
    with KiwoomServer(world, KEY, SECRET, now=lambda: EVENING, limits=UNLIMITED) as server:
        yield server


@pytest.fixture
def server(running: KiwoomServer) -> Iterator[KiwoomServer]:
    yield running
    running.faults.clear()
    running.now = lambda: EVENING


@pytest.fixture
def token(server: KiwoomServer) -> str:
    return str(token_of(server).json()["token"])


@pytest.fixture(scope="module")
def symbol(world: World) -> str:
    """A share that individuals traded in the session."""
    flows = world.table("investor_flow", SESSION).to_pylist()
    return str(next(row["symbol"] for row in flows if row["investor"] == "individual" and row["net_shares"]))


def token_of(server: KiwoomServer, key: str = KEY, secret: str = SECRET) -> requests.Response:
    document = {"grant_type": "client_credentials", "appkey": key, "secretkey": secret}
    return requests.post(f"{server.base_url}/oauth2/token", json=document, timeout=5)


def ask(server: KiwoomServer, token: str, transaction: str, next_key: str = "", **fields: str) -> requests.Response:
    headers = {"authorization": f"Bearer {token}", "api-id": transaction, "cont-yn": "N", "next-key": next_key}
    return requests.post(server.base_url + PATHS[transaction], json=fields, headers=headers, timeout=5)


def answer(server: KiwoomServer, token: str, transaction: str, **fields: str) -> Row:
    response = ask(server, token, transaction, **fields)
    assert response.status_code == 200
    document: Row = response.json()
    assert document["return_code"] == 0
    return document


def flow_fields(symbol: str, **more: str) -> dict[str, str]:
    return {"stk_cd": symbol, "dt": "20230414", "amt_qty_tp": "2", "trde_tp": "0", "unit_tp": "1"} | more


def chart_fields(symbol: str, **more: str) -> dict[str, str]:
    return {"stk_cd": symbol, "base_dt": "20230414", "upd_stkpc_tp": "0"} | more


def test_a_new_token_ends_the_one_before(server: KiwoomServer, symbol: str) -> None:
    first = token_of(server).json()
    ends = datetime.strptime(first["expires_dt"], "%Y%m%d%H%M%S").replace(tzinfo=KST)
    assert timedelta(hours=23, minutes=59) < ends - datetime.now(KST) <= timedelta(hours=24)
    assert answer(server, first["token"], "ka10001", stk_cd=symbol)
    second = token_of(server).json()
    refused = ask(server, first["token"], "ka10001", stk_cd=symbol).json()
    assert refused["return_code"] == 3
    assert "[8005" in refused["return_msg"]
    assert answer(server, second["token"], "ka10001", stk_cd=symbol)
    assert all(set(call.params) <= {"grant_type", "stk_cd"} for call in server.calls)


def test_who_is_let_in(world: World, server: KiwoomServer, token: str, symbol: str) -> None:
    assert "[8001" in token_of(server, KEY, "wrong").json()["return_msg"]
    assert "[8005" in ask(server, "made-up", "ka10001", stk_cd=symbol).json()["return_msg"]
    with KiwoomServer(world, KEY, SECRET, BrokerEnvironment.MOCK, now=lambda: EVENING) as mock:
        others = token_of(mock).json()["token"]
        assert answer(mock, others, "ka10001", stk_cd=symbol)
        assert "[8031" in ask(server, others, "ka10001", stk_cd=symbol).json()["return_msg"]


def test_one_call_a_second_of_each_transaction(world: World, symbol: str) -> None:
    with KiwoomServer(world, KEY, SECRET, now=lambda: EVENING) as server:
        token = token_of(server).json()["token"]
        statuses = [ask(server, token, "ka10001", stk_cd=symbol).status_code for _ in range(6)]
        assert statuses[0] == 200
        assert 429 in statuses
        assert ask(server, token, "ka10081", **chart_fields(symbol)).status_code == 200


def test_a_quote_carries_the_sign_of_its_distance_from_the_base(
    server: KiwoomServer, world: World, token: str, symbol: str
) -> None:
    for moment in (datetime(2023, 4, 14, 11, 0, tzinfo=KST), EVENING):
        server.now = lambda moment=moment: moment  # type: ignore[misc]
        shown = answer(server, token, "ka10001", stk_cd=symbol)
        [quote] = world.quotes(SESSION, moment, [symbol]).to_pylist()
        base = quote["price"] - quote["change"]
        names = {"cur_prc": "price", "open_pric": "open", "high_pric": "high", "low_pric": "low"}
        for field, column in names.items():
            assert abs(int(shown[field])) == quote[column]
            assert shown[field].startswith("+" if quote[column] > base else "-" if quote[column] < base else "")
        assert (int(shown["pred_pre"]), int(shown["base_pric"])) == (quote["change"], base)
        assert (shown["stk_cd"], int(shown["trde_qty"])) == (symbol, quote["volume"])
    bar = world.rows("daily_bar", symbol, SESSION).to_pylist()[0]
    assert int(shown["flo_stk"]) == bar["listed_shares"] // 1000


def test_a_chart_newest_first(server: KiwoomServer, world: World, token: str) -> None:
    listed = set(world.table("daily_bar", SESSION)["symbol"].to_pylist())
    action = next(item for item in world.market.actions if item.ex_date < SESSION and item.symbol in listed)
    truth = world.history("daily_bar", action.symbol, world.sessions[0], SESSION).to_pylist()[::-1]
    bars = answer(server, token, "ka10081", **chart_fields(action.symbol))["stk_dt_pole_chart_qry"]
    assert [bar["dt"] for bar in bars] == [f"{row['session']:%Y%m%d}" for row in truth][:100]
    for bar, row in zip(bars, truth, strict=True):
        shown = [int(bar[field]) for field in ("open_pric", "high_pric", "low_pric", "cur_prc", "trde_qty", "pred_pre")]
        assert shown == [row[name] for name in ("open", "high", "low", "close", "volume", "change")]
        assert int(bar["trde_prica"]) == row["value_krw"] // 10**6
    fields = chart_fields(action.symbol, upd_stkpc_tp="1")
    closes = [int(bar["cur_prc"]) for bar in answer(server, token, "ka10081", **fields)["stk_dt_pole_chart_qry"]]
    adjusted = world.adjusted_bars(action.symbol, world.sessions[0], SESSION).to_pylist()
    assert closes[::-1] == [row["close"] for row in adjusted]
    assert closes[::-1] != [row["close"] for row in truth[::-1]]


def test_pages_lead_on(world: World, symbol: str) -> None:
    with KiwoomServer(world, KEY, SECRET, now=lambda: EVENING, limits=UNLIMITED) as server:
        server.rows_a_page = 30
        token = token_of(server).json()["token"]
        for transaction, fields, name in (
            ("ka10081", chart_fields(symbol), "stk_dt_pole_chart_qry"),
            ("ka10059", flow_fields(symbol), "stk_invsr_orgn"),
        ):
            days, key, more = [], "", "Y"
            while more == "Y":
                response = ask(server, token, transaction, key, **fields)
                days += [row["dt"] for row in response.json()[name]]
                more, key = response.headers["cont-yn"], response.headers["next-key"]
            expected = [f"{session:%Y%m%d}" for session in reversed(world.sessions) if session <= SESSION]
            assert days == expected


def test_flows_of_every_class(server: KiwoomServer, world: World, token: str, symbol: str) -> None:
    flows = {row["investor"]: row for row in world.rows("investor_flow", symbol, SESSION).to_pylist()}

    def shown(**more: str) -> Row:
        return dict(answer(server, token, "ka10059", **flow_fields(symbol, **more))["stk_invsr_orgn"][0])

    for side, column in {"0": "net_shares", "1": "buy_shares", "2": "sell_shares"}.items():
        row = shown(trde_tp=side)
        assert row["dt"] == "20230414"
        assert {field: int(row[field]) for field in FIELDS} == {
            field: flows[investor.value][column] if investor.value in flows else 0 for field, investor in FIELDS.items()
        }
    net = {investor: int(shown()[field]) for field, investor in FIELDS.items()}
    assert sum(net[investor] for investor in CLASSES) == 0
    assert sum(net[investor] for investor in INSTITUTIONS) == net[Investor.INSTITUTION]
    in_millions = shown(amt_qty_tp="1")
    assert int(in_millions["ind_invsr"]) == round(flows["individual"]["net_krw"] / 10**6)
    in_thousands = shown(unit_tp="1000")
    assert int(in_thousands["ind_invsr"]) == round(flows["individual"]["net_shares"] / 1000)


def test_flows_do_not_add_up_until_they_are_settled(server: KiwoomServer, token: str, symbol: str) -> None:
    server.now = lambda: EVENING - timedelta(minutes=1)
    newest = answer(server, token, "ka10059", **flow_fields(symbol))["stk_invsr_orgn"][0]
    assert (newest["dt"], newest["ind_invsr"]) == ("20230414", "0")
    assert sum(int(newest[field]) for field, investor in FIELDS.items() if investor in CLASSES) != 0


def test_an_unknown_symbol_has_nothing(server: KiwoomServer, token: str) -> None:
    assert answer(server, token, "ka10001", stk_cd="ZZZZZZ")["cur_prc"] == ""
    assert answer(server, token, "ka10081", **chart_fields("ZZZZZZ"))["stk_dt_pole_chart_qry"] == []
    assert answer(server, token, "ka10059", **flow_fields("ZZZZZZ"))["stk_invsr_orgn"] == []


def test_wrong_requests(server: KiwoomServer, token: str, symbol: str) -> None:
    assert ask(server, token, "ka10001").json()["return_code"] == 2
    assert ask(server, token, "ka10059", **flow_fields(symbol, trde_tp="9")).json()["return_code"] == 2
    assert ask(server, token, "ka10081", "soon", **chart_fields(symbol)).json()["return_code"] == 2
    headers = {"authorization": f"Bearer {token}", "api-id": "ka10081"}
    assert requests.post(f"{server.base_url}/api/dostk/stkinfo", json={}, headers=headers, timeout=5).status_code == 404


def test_faults_spoil_every_transaction(server: KiwoomServer, token: str, symbol: str) -> None:
    transactions = {"ka10001": {"stk_cd": symbol}, "ka10059": flow_fields(symbol), "ka10081": chart_fields(symbol)}
    spoiling = [
        FaultKind.EMPTY_LIST,
        FaultKind.YESTERDAYS_DATA,
        FaultKind.STALE_COPY,
        FaultKind.RENAMED_COLUMN,
        FaultKind.MISSING_COLUMN,
        FaultKind.WRONG_ENCODING,
        FaultKind.COMMA_STRINGS,
        FaultKind.LAYOUT_CHANGED,
        FaultKind.MAINTENANCE_HTML,
    ]
    for transaction, fields in transactions.items():
        whole = ask(server, token, transaction, **fields).content
        for kind in spoiling:
            fault = {"endpoint": transaction, "kind": kind, "times": 1}
            assert requests.post(f"{server.base_url}/control/fault", json=fault, timeout=5).status_code == 200
            spoilt = ask(server, token, transaction, **fields)
            assert spoilt.status_code == 200
            assert spoilt.content != whole, (transaction, kind)
        assert ask(server, token, transaction, **fields).content == whole


def test_logout_is_401_and_spares_the_way_in(server: KiwoomServer, token: str, symbol: str) -> None:
    fault = {"endpoint": "*", "kind": FaultKind.LOGOUT, "times": 1}
    requests.post(f"{server.base_url}/control/fault", json=fault, timeout=5)
    renewed = token_of(server).json()["token"]
    assert ask(server, renewed, "ka10001", stk_cd=symbol).status_code == 401
    assert ask(server, renewed, "ka10001", stk_cd=symbol).status_code == 200
