"""What all simulated servers share, on a made-up source: a list of two columns, and a page per symbol."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
import requests

from include.market.calendar import previous_session
from include.simulator.servers.faults import FaultKind
from include.simulator.servers.web import Answer, Page, Request, SimulatedServer, View, json_answer

SESSION = date(2023, 3, 10)


class TwoColumns(SimulatedServer):
    name = "two_columns"
    entry_endpoints = frozenset({"login"})
    secret_params = frozenset({"password"})
    impossible = frozenset({FaultKind.LAYOUT_CHANGED})

    def endpoint_of(self, request: Request) -> str | None:
        return {"/list": "list", "/one": "one", "/login": "login"}.get(request.path)

    def refusal(self, endpoint: str, request: Request) -> Answer | None:
        return self.failure(403, "no") if request.headers.get("Key") == "wrong" else None

    def logged_out(self) -> Answer:
        return Answer(400, b"LOGOUT")

    def answer(self, endpoint: str, request: Request, view: View) -> Page | Answer:
        if endpoint == "login":
            return json_answer({"cookies": request.cookies, "params": dict(request.params)})
        day = view.figures_of(SESSION)
        count = 4 if endpoint == "list" else 1
        rows = [{"종목": f"{place}", "value": str(1_000 * day.day + place)} for place in range(count)]
        return Page(
            rows=[row | {"day": view.label_of(SESSION).isoformat()} for row in rows],
            render=lambda rows: json.dumps({"rows": list(rows)}, ensure_ascii=False),
            changed_layout=lambda rows: json.dumps({"tables": [list(rows)]}, ensure_ascii=False),
            renamed=("value", "price"),
            dropped="day",
            measures=("value",),
            symbol=request.params.get("symbol"),
        )


@pytest.fixture(scope="module")
def shared() -> Iterator[TwoColumns]:
    with TwoColumns() as running:
        yield running


@pytest.fixture
def server(shared: TwoColumns) -> Iterator[TwoColumns]:
    yield shared
    shared.faults.clear()


def ask(server: SimulatedServer, path: str = "/list", timeout: float = 5, **more: Any) -> requests.Response:
    return requests.get(f"{server.base_url}{path}", timeout=timeout, **more)


def rows_of(response: requests.Response) -> list[dict[str, str]]:
    assert response.status_code == 200
    rows: list[dict[str, str]] = response.json()["rows"]
    return rows


def set_fault(server: SimulatedServer, kind: str, **more: Any) -> None:
    document = {"endpoint": "*", "kind": kind, **more}
    response = requests.post(f"{server.base_url}/control/fault", json=document, timeout=5)
    assert response.status_code == 200, response.text


def spoilt(server: SimulatedServer, kind: FaultKind, path: str = "/list") -> list[dict[str, str]]:
    set_fault(server, kind, times=1)
    return rows_of(ask(server, path))


def test_fields_come_from_query_form_and_json(server: TwoColumns) -> None:
    url = f"{server.base_url}/login"
    asked = {"user": "가", "empty": ""}
    answers = [
        requests.get(url, asked, timeout=5),
        requests.post(url, asked, timeout=5),
        requests.post(url, json=asked, timeout=5),
    ]
    assert [answer.json()["params"] for answer in answers] == [asked] * 3
    cookies = requests.get(url, cookies={"JSESSIONID": "abc"}, timeout=5).json()["cookies"]
    assert cookies == {"JSESSIONID": "abc"}


def test_calls_are_counted_and_timed_without_secrets(server: TwoColumns) -> None:
    before = len(server.calls)
    requests.post(f"{server.base_url}/login", {"user": "a", "password": "b"}, timeout=5)
    ask(server, headers={"Key": "wrong"})
    summary = requests.get(f"{server.base_url}/control/calls", timeout=5).json()
    login, refused = summary["calls"][before:]
    assert (login["endpoint"], login["params"], login["status"]) == ("login", {"user": "a"}, 200)
    assert (refused["endpoint"], refused["status"]) == ("list", 403)
    assert all(call["seconds"] > 0 and call["start"] for call in (login, refused))
    assert summary["total"] == len(server.calls) == sum(summary["by_endpoint"].values())


def test_unknown_paths(server: TwoColumns) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert requests.request(method, f"{server.base_url}/elsewhere", timeout=5).status_code == 404
        assert requests.request(method, f"{server.base_url}/control/nothing", timeout=5).status_code == 404


def test_a_fault_ends_after_its_times_and_at_its_endpoint(server: TwoColumns) -> None:
    set_fault(server, FaultKind.HTTP_500, endpoint="list", times=2)
    assert ask(server, "/one").status_code == 200
    assert [ask(server).status_code for _ in range(3)] == [500, 500, 200]


def test_a_fault_everywhere_spares_the_login(server: TwoColumns) -> None:
    set_fault(server, FaultKind.HTTP_500)
    assert [ask(server, path).status_code for path in ("/list", "/one", "/login")] == [500, 500, 200]
    requests.delete(f"{server.base_url}/control/fault", timeout=5)
    assert ask(server).status_code == 200


def test_a_refused_call_uses_up_no_fault(server: TwoColumns) -> None:
    set_fault(server, FaultKind.HTTP_500, times=1)
    assert ask(server, headers={"Key": "wrong"}).status_code == 403
    assert ask(server).status_code == 500


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"kind": "http_500"},
        {"endpoint": "*", "kind": "nonsense"},
        {"endpoint": "*", "kind": "http_500", "times": 0},
        {"endpoint": "*", "kind": "layout_changed"},
    ],
)
def test_a_wrong_or_meaningless_fault_is_refused(server: TwoColumns, document: Any) -> None:
    response = requests.post(f"{server.base_url}/control/fault", json=document, timeout=5)
    assert response.status_code == 400
    assert ask(server).status_code == 200


@pytest.mark.parametrize("retry_after", [None, 7])
def test_http_429(server: TwoColumns, retry_after: int | None) -> None:
    set_fault(server, FaultKind.HTTP_429, retry_after=retry_after)
    response = ask(server)
    assert response.status_code == 429
    assert response.headers.get("Retry-After") == (None if retry_after is None else str(retry_after))


def test_timeout_hangs_up_without_an_answer(server: TwoColumns) -> None:
    set_fault(server, FaultKind.TIMEOUT, seconds=0.1, times=1)
    with pytest.raises(requests.ConnectionError):
        ask(server)
    assert server.calls[-1].status is None
    set_fault(server, FaultKind.TIMEOUT, seconds=30)
    with pytest.raises(requests.ReadTimeout):
        ask(server, timeout=0.1)


def test_slow_drip_arrives_whole_and_late(server: TwoColumns) -> None:
    expected = ask(server).content
    set_fault(server, FaultKind.SLOW_DRIP, seconds=0.3)
    start = time.perf_counter()
    assert ask(server).content == expected
    assert time.perf_counter() - start > 0.25


def test_truncated_body(server: TwoColumns) -> None:
    set_fault(server, FaultKind.TRUNCATED_BODY)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        ask(server)


def test_maintenance_page(server: TwoColumns) -> None:
    set_fault(server, FaultKind.MAINTENANCE_HTML)
    response = ask(server)
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/html")
    with pytest.raises(requests.JSONDecodeError):
        response.json()


def test_logout(server: TwoColumns) -> None:
    set_fault(server, FaultKind.LOGOUT)
    response = ask(server)
    assert (response.status_code, response.text) == (400, "LOGOUT")


def test_spoilt_rows(server: TwoColumns) -> None:
    whole = rows_of(ask(server))
    assert spoilt(server, FaultKind.EMPTY_LIST) == []
    assert spoilt(server, FaultKind.PARTIAL_MARKET) == whole[:2]
    assert spoilt(server, FaultKind.DUPLICATE_ROWS) == whole + whole[:1]
    assert [row["price"] for row in spoilt(server, FaultKind.RENAMED_COLUMN)] == [row["value"] for row in whole]
    assert all(set(row) == {"종목", "value"} for row in spoilt(server, FaultKind.MISSING_COLUMN))
    assert [row["value"] for row in spoilt(server, FaultKind.COMMA_STRINGS)] == [
        f"{int(row['value']):,}" for row in whole
    ]


def test_half_of_the_symbols_answer_nothing_and_always_the_same(server: TwoColumns) -> None:
    set_fault(server, FaultKind.PARTIAL_MARKET)
    symbols = [f"{number:06}" for number in range(0, 400, 10)]
    first, second = (
        [symbol for symbol in symbols if rows_of(ask(server, "/one", params={"symbol": symbol}))] for _ in range(2)
    )
    assert first == second
    assert 10 < len(first) < 30


def test_yesterdays_data_and_its_stale_copy(server: TwoColumns) -> None:
    whole, yesterday = rows_of(ask(server)), previous_session(SESSION)
    old = spoilt(server, FaultKind.YESTERDAYS_DATA)
    assert {row["day"] for row in old} == {yesterday.isoformat()}
    assert [row["value"] for row in old] != [row["value"] for row in whole]
    assert spoilt(server, FaultKind.STALE_COPY) == [row | {"day": SESSION.isoformat()} for row in old]


def test_wrong_encoding(server: TwoColumns) -> None:
    expected = ask(server).text
    set_fault(server, FaultKind.WRONG_ENCODING)
    body = ask(server).content
    with pytest.raises(UnicodeDecodeError):
        body.decode("utf-8")
    assert body.decode("cp949") == expected


class NoKorean(TwoColumns):
    """A page that every encoding but UTF-16 writes the same."""

    impossible = frozenset()

    def answer(self, endpoint: str, request: Request, view: View) -> Page | Answer:
        page = super().answer(endpoint, request, view)
        assert isinstance(page, Page)
        return Page(
            [{"value": row["value"]} for row in page.rows],
            page.render,
            page.changed_layout,
            page.renamed,
            "value",
        )


def test_wrong_encoding_shows_on_any_page_and_layouts_change() -> None:
    with NoKorean() as server:
        expected = ask(server).text
        set_fault(server, FaultKind.WRONG_ENCODING, times=1)
        assert ask(server).content.decode("utf-16") == expected
        set_fault(server, FaultKind.LAYOUT_CHANGED, times=1)
        assert list(ask(server).json()) == ["tables"]


def test_latency_delays_every_answer() -> None:
    with TwoColumns() as server:
        server.latency = 0.1
        assert ask(server).elapsed.total_seconds() >= 0.1
        assert server.calls[-1].seconds >= 0.1


def test_stopping_does_not_wait_for_held_calls() -> None:
    with TwoColumns() as server:
        set_fault(server, FaultKind.TIMEOUT, seconds=300)
        with pytest.raises(requests.ReadTimeout):
            ask(server, timeout=0.1)
        address = server.base_url
    with pytest.raises(requests.ConnectionError):
        requests.get(address, timeout=1)
