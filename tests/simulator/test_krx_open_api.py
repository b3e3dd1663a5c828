"""The simulated KRX Open API over real HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from include.market.calendar import KST, previous_session
from include.simulator.faults import FaultKind
from include.simulator.krx_open_api import KrxOpenApiServer
from include.simulator.krx_rows import ENDPOINT_MARKETS
from include.simulator.market import SimulatedMarket

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
def small() -> SimulatedMarket:
    return SimulatedMarket(2, 120, date(2023, 1, 2), date(2023, 4, 28))


@pytest.fixture
def server(small: SimulatedMarket) -> Iterator[KrxOpenApiServer]:
    with KrxOpenApiServer(small, KEY, now=lambda: NOW, daily_quota=50) as running:
        yield running


def ask(
    server: KrxOpenApiServer,
    day: date = SESSION,
    endpoint: str = "stk_bydd_trd",
    key: str | None = KEY,
    timeout: float = 5,
) -> requests.Response:
    headers = {} if key is None else {"AUTH_KEY": key}
    url = f"{server.base_url}/svc/apis/sto/{endpoint}"
    return requests.get(url, {"basDd": f"{day:%Y%m%d}"}, headers=headers, timeout=timeout)


def rows_of(response: requests.Response) -> list[dict[str, str]]:
    assert response.status_code == 200
    assert list(response.json()) == ["OutBlock_1"]
    rows: list[dict[str, str]] = response.json()["OutBlock_1"]
    return rows


def set_fault(server: KrxOpenApiServer, kind: str, **more: Any) -> None:
    document = {"endpoint": "stk_bydd_trd", "kind": kind, **more}
    response = requests.post(f"{server.base_url}/control/fault", json=document, timeout=5)
    assert response.status_code == 200


def test_answers_equal_the_truth(server: KrxOpenApiServer, small: SimulatedMarket) -> None:
    for session in small.sessions[:5]:
        published = {}
        for endpoint, markets in ENDPOINT_MARKETS.items():
            rows = rows_of(ask(server, session, endpoint))
            assert {row["MKT_NM"] for row in rows} <= {market.value for market in markets}
            assert all(set(row) == set(FIELDS) for row in rows)
            assert all(isinstance(value, str) for row in rows for value in row.values())
            published |= {row["ISU_CD"]: row for row in rows}
        truth = small.session_table(session).to_pylist()
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
def test_a_closed_day_shows_only_share_counts(server: KrxOpenApiServer, day: date) -> None:
    before = {row["ISU_CD"]: row["LIST_SHRS"] for row in rows_of(ask(server, previous_session(day)))}
    rows = rows_of(ask(server, day))
    assert {row["ISU_CD"]: row["LIST_SHRS"] for row in rows} == before
    assert {row["BAS_DD"] for row in rows} == {f"{day:%Y%m%d}"}
    figures = [name for name in FIELDS[5:] if name != "LIST_SHRS"]
    assert {row[name] for row in rows for name in figures} == {"-"}


def test_a_session_is_published_the_next_morning(small: SimulatedMarket) -> None:
    clock = [datetime(2023, 3, 11, 7, 59, tzinfo=KST)]
    with KrxOpenApiServer(small, KEY, now=lambda: clock[0]) as server:
        assert rows_of(ask(server, SESSION)) == []
        clock[0] += timedelta(minutes=1)
        assert len(rows_of(ask(server, SESSION))) > 10


def test_days_outside_the_market_are_empty(server: KrxOpenApiServer) -> None:
    for day in (date(2022, 12, 29), date(2023, 4, 20)):
        assert rows_of(ask(server, day)) == []


@pytest.mark.parametrize("text", ["", "2023-03-10", "20230231"])
def test_a_malformed_day_is_refused(server: KrxOpenApiServer, text: str) -> None:
    url = f"{server.base_url}/svc/apis/sto/stk_bydd_trd"
    response = requests.get(url, {"basDd": text}, headers={"AUTH_KEY": KEY}, timeout=5)
    assert response.status_code == 400


def test_unknown_paths(server: KrxOpenApiServer) -> None:
    assert ask(server, endpoint="etf_bydd_trd").status_code == 404
    for method in ("GET", "POST", "DELETE"):
        assert requests.request(method, f"{server.base_url}/elsewhere", timeout=5).status_code == 404


def test_quota_counts_by_day_of_seoul(small: SimulatedMarket) -> None:
    clock = [NOW]
    with KrxOpenApiServer(small, KEY, now=lambda: clock[0], daily_quota=2) as server:
        assert [ask(server).status_code for _ in range(3)] == [200, 200, 429]
        assert ask(server, key="wrong").status_code == 401
        clock[0] += timedelta(days=1)
        assert ask(server).status_code == 200


def test_calls_are_counted_and_timed(server: KrxOpenApiServer) -> None:
    ask(server)
    ask(server, endpoint="knx_bydd_trd")
    ask(server, key="wrong")
    summary = requests.get(f"{server.base_url}/control/calls", timeout=5).json()
    assert summary["total"] == 3
    assert summary["by_endpoint"] == {"stk_bydd_trd": 2, "knx_bydd_trd": 1}
    assert [call["status"] for call in summary["calls"]] == [200, 200, 401]
    assert all(call["seconds"] > 0 and call["bas_dd"] == "20230310" for call in summary["calls"])


def test_a_fault_ends_after_its_times_and_at_its_endpoint(server: KrxOpenApiServer) -> None:
    set_fault(server, FaultKind.HTTP_500, times=2)
    assert ask(server, endpoint="ksq_bydd_trd").status_code == 200
    assert [ask(server).status_code for _ in range(3)] == [500, 500, 200]
    set_fault(server, FaultKind.HTTP_500, endpoint="*")
    assert {ask(server, endpoint=endpoint).status_code for endpoint in ENDPOINT_MARKETS} == {500}
    requests.delete(f"{server.base_url}/control/fault", timeout=5)
    assert ask(server).status_code == 200


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"kind": "http_500"},
        {"endpoint": "*", "kind": "nonsense"},
        {"endpoint": "*", "kind": "http_500", "times": 0},
    ],
)
def test_a_wrong_fault_is_refused(server: KrxOpenApiServer, document: Any) -> None:
    response = requests.post(f"{server.base_url}/control/fault", json=document, timeout=5)
    assert response.status_code == 400
    assert ask(server).status_code == 200


@pytest.mark.parametrize("retry_after", [None, 7])
def test_http_429(server: KrxOpenApiServer, retry_after: int | None) -> None:
    set_fault(server, FaultKind.HTTP_429, retry_after=retry_after)
    response = ask(server)
    assert response.status_code == 429
    assert response.headers.get("Retry-After") == (None if retry_after is None else str(retry_after))


def test_timeout_hangs_up_without_an_answer(server: KrxOpenApiServer) -> None:
    set_fault(server, FaultKind.TIMEOUT, seconds=0.2)
    with pytest.raises(requests.ConnectionError):
        ask(server)
    set_fault(server, FaultKind.TIMEOUT, seconds=30)
    with pytest.raises(requests.ReadTimeout):
        ask(server, timeout=0.2)


def test_slow_drip_arrives_whole_and_late(server: KrxOpenApiServer) -> None:
    expected = ask(server).content
    set_fault(server, FaultKind.SLOW_DRIP, seconds=0.5)
    start = time.perf_counter()
    assert ask(server).content == expected
    assert time.perf_counter() - start > 0.45


def test_truncated_body(server: KrxOpenApiServer) -> None:
    set_fault(server, FaultKind.TRUNCATED_BODY)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        ask(server)


def test_maintenance_page(server: KrxOpenApiServer) -> None:
    set_fault(server, FaultKind.MAINTENANCE_HTML)
    response = ask(server)
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/html")
    with pytest.raises(requests.JSONDecodeError):
        response.json()


def test_empty_list(server: KrxOpenApiServer) -> None:
    set_fault(server, FaultKind.EMPTY_LIST)
    assert rows_of(ask(server)) == []


def test_yesterdays_data_and_its_stale_copy(server: KrxOpenApiServer) -> None:
    yesterday = rows_of(ask(server, previous_session(SESSION)))
    set_fault(server, FaultKind.YESTERDAYS_DATA, times=1)
    assert rows_of(ask(server)) == yesterday
    set_fault(server, FaultKind.STALE_COPY, times=1)
    assert rows_of(ask(server)) == [row | {"BAS_DD": f"{SESSION:%Y%m%d}"} for row in yesterday]


def test_spoilt_rows(server: KrxOpenApiServer) -> None:
    whole = rows_of(ask(server))

    def spoilt(kind: FaultKind) -> list[dict[str, str]]:
        set_fault(server, kind, times=1)
        return rows_of(ask(server))

    assert spoilt(FaultKind.PARTIAL_MARKET) == whole[: len(whole) // 2]
    assert spoilt(FaultKind.DUPLICATE_ROWS) == whole + whole[:1]
    renamed = spoilt(FaultKind.RENAMED_COLUMN)
    assert [row["CLSPRC"] for row in renamed] == [row["TDD_CLSPRC"] for row in whole]
    assert all("TDD_CLSPRC" not in row for row in renamed)
    assert all(set(FIELDS) - set(row) == {"LIST_SHRS"} for row in spoilt(FaultKind.MISSING_COLUMN))
    commas = spoilt(FaultKind.COMMA_STRINGS)
    assert any("," in row["TDD_CLSPRC"] for row in commas)
    assert [{name: value.replace(",", "") for name, value in row.items()} for row in commas] == whole


def test_wrong_encoding(server: KrxOpenApiServer) -> None:
    whole = rows_of(ask(server))
    set_fault(server, FaultKind.WRONG_ENCODING)
    body = ask(server).content
    with pytest.raises(UnicodeDecodeError):
        body.decode("utf-8")
    assert whole[0]["ISU_NM"] in body.decode("cp949")


def test_every_fault_is_tested() -> None:
    source = Path(__file__).read_text()
    assert all(f"FaultKind.{kind.name}" in source for kind in FaultKind)


def test_stopping_does_not_wait_for_held_calls(small: SimulatedMarket) -> None:
    with KrxOpenApiServer(small, KEY, now=lambda: NOW) as server:
        set_fault(server, FaultKind.TIMEOUT, seconds=300)
        with pytest.raises(requests.ReadTimeout):
            ask(server, timeout=0.2)
        address = server.base_url
    with pytest.raises(requests.ConnectionError):
        requests.get(address, timeout=1)
