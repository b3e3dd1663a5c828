"""The KRX portal through the real pykrx and the real transport, against the simulator's server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import requests

from include.crawlers.krx_portal import CRAWLERS
from include.crawlers.krx_portal.session import Question, logged_in
from include.crawlers.source import Chunk, RawBody
from include.crawlers.transport import CallRecord, Priority, SourceLimits, Transport
from include.datasets.registry import dataset_named
from include.market.calendar import KST
from include.market.investors import PORTAL_CODES
from include.outcomes import (
    AuthRequired,
    CollectionOutcome,
    CoverageDrop,
    Malformed,
    NotASession,
    NotPublished,
    SourceDown,
    SourceNotConfiguredError,
)
from include.quality.row_rules import mark_violations
from include.settings import PROJECT_ROOT
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.servers.krx_portal import KrxPortalServer
from include.simulator.world import World

LOGIN, PASSWORD = "login-that-must-not-leak", "password-that-must-not-leak"
SESSION = date(2023, 3, 15)
SUNDAY = SESSION + timedelta(days=4)
EVENING = datetime(2023, 3, 15, 19, 0, tzinfo=KST)
ENTRY = "/contents/"
EMPTY_LISTS_ARE_WRONG = ("index_bar", "etp_daily_bar", "instrument", "sector", "market_investor_flow")
BY_PRICE = ("daily_bar", "etp_daily_bar", "sector", "fundamental", "foreign_holding", "etf_holding")


class Unlimited:
    """A limiter that lets every call through."""

    def acquire(self, source: str, endpoint: str, limits: SourceLimits, priority: Priority) -> None:
        """At once."""


class Clock:
    """The portal's clock."""

    def __init__(self) -> None:
        self.now = EVENING

    def __call__(self) -> datetime:
        return self.now


class Asking:
    """Asks the portal the way the pipeline does, and keeps the calls' records."""

    def __init__(self, base_url: str, **environment: str) -> None:
        self.calls: list[CallRecord] = []
        self.environment = {
            "KRXW_KRX_PORTAL": "1",
            "KRXW_KRX_PORTAL_URL": base_url,
            "KRXW_KRX_PORTAL_ID": LOGIN,
            "KRXW_KRX_PORTAL_PASSWORD": PASSWORD,
            **environment,
        }

    def bodies(self, dataset: str, chunk: Chunk) -> list[RawBody]:
        transport = Transport(Unlimited(), self.calls.append, lambda _: None)
        try:
            return CRAWLERS[dataset].fetch(chunk, transport, self.environment)
        finally:
            transport.close()

    def rows(self, dataset: str, first: date = SESSION, last: date | None = None) -> pa.Table:
        chunk = Chunk(first, last or first)
        return CRAWLERS[dataset].parse(self.bodies(dataset, chunk), chunk)


@pytest.fixture(scope="module")
def world() -> World:
    """With a delisting, on 2023-02-28."""
    return World(SimulatedMarket(seed=27, symbols=80, first=date(2023, 1, 2), last=date(2023, 3, 31)))


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def running(world: World, clock: Clock) -> Iterator[KrxPortalServer]:
    with KrxPortalServer(world, LOGIN, PASSWORD, now=clock) as server:
        yield server


@pytest.fixture
def server(running: KrxPortalServer, clock: Clock) -> Iterator[KrxPortalServer]:
    yield running
    running.faults.clear()
    clock.now = EVENING


@pytest.fixture(scope="module")
def good(running: KrxPortalServer) -> Mapping[str, list[RawBody]]:
    """The bodies of every dataset's session, as they should be."""
    asking = Asking(running.base_url)
    return {dataset: asking.bodies(dataset, Chunk(SESSION, SESSION)) for dataset in CRAWLERS}


def _switch(server: KrxPortalServer, kind: str, endpoint: str = "*", **options: object) -> None:
    fault = {"endpoint": endpoint, "kind": kind, "times": None, **options}
    requests.post(f"{server.base_url}/control/fault", json=fault, timeout=5).raise_for_status()


def _parse(dataset: str, bodies: Sequence[RawBody]) -> pa.Table:
    return CRAWLERS[dataset].parse(bodies, Chunk(SESSION, SESSION))


def _truth(world: World, dataset: str) -> pa.Table:
    if dataset != "delisting":
        return world.table(dataset, SESSION)
    return pa.concat_tables(world.table(dataset, day) for day in world.sessions if day <= SESSION)


@pytest.mark.parametrize("dataset", CRAWLERS)
def test_a_session_arrives_as_the_world_is(good: Mapping[str, list[RawBody]], world: World, dataset: str) -> None:
    rows, truth = _parse(dataset, good[dataset]), _truth(world, dataset)
    assert rows.schema == dataset_named(dataset).parsed_schema
    assert truth.num_rows > 0
    assert mark_violations(rows, dataset_named(dataset))["violated_rule"].null_count == rows.num_rows
    order = [(name, "ascending") for name in dataset_named(dataset).key]
    rows, truth = rows.sort_by(order), truth.sort_by(order)
    for name in truth.column_names:
        assert rows[name].to_pylist() == truth[name].to_pylist(), name


def test_a_range_of_delistings_is_asked_for_in_windows_of_two_years(server: KrxPortalServer, world: World) -> None:
    asking = Asking(server.base_url)
    rows = asking.rows("delisting", date(2018, 1, 1), SESSION)
    assert rows.sort_by("symbol").equals(_truth(world, "delisting").sort_by("symbol"))
    windows = [call.params for call in server.calls[-len(asking.calls) :] if call.endpoint == "MDCSTAT23801"]
    assert [(window["strtDd"], window["endDd"]) for window in windows] == [
        ("20180101", "20200101"),
        ("20200102", "20220101"),
        ("20220102", "20230315"),
    ]


def test_nothing_that_is_kept_or_said_holds_the_login(
    good: Mapping[str, list[RawBody]], server: KrxPortalServer
) -> None:
    assert all(body.request["bld"].startswith("dbms/MDC/STAT/") for bodies in good.values() for body in bodies)
    asking = Asking(server.base_url)
    asking.rows("daily_bar")
    said = str([[body.request for body in bodies] for bodies in good.values()]) + str(asking.calls)
    assert LOGIN not in said
    assert PASSWORD not in said
    assert [call.endpoint for call in asking.calls if not call.endpoint.startswith(ENTRY)] == ["MDCSTAT01501"]


def test_the_portal_is_asked_only_where_that_is_wanted() -> None:
    opted_in = {"KRXW_KRX_PORTAL": "1", "KRXW_KRX_PORTAL_ID": LOGIN}
    for environment, told in (({}, "KRXW_KRX_PORTAL=1"), (opted_in, "KRXW_KRX_PORTAL_PASSWORD")):
        transport = Transport(Unlimited(), print)
        with pytest.raises(SourceNotConfiguredError, match=told):
            CRAWLERS["daily_bar"].fetch(Chunk(SESSION, SESSION), transport, environment)
        transport.close()


def test_importing_the_library_logs_nobody_in() -> None:
    """In a process of its own, with pykrx's own variables set and the network refused."""
    program = """
import socket
def refuse(*_, **__): raise AssertionError("a connection was tried")
socket.socket.connect = refuse
from include.crawlers.krx_portal import session
session._pykrx()
import os
assert os.environ["KRX_ID"] == "somebody"
"""
    finished = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "KRX_ID": "somebody", "KRX_PW": "secret", "PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert "somebody" not in finished.stdout + finished.stderr


def test_a_refused_login_wants_a_person(server: KrxPortalServer, capfd: pytest.CaptureFixture[str]) -> None:
    asking = Asking(server.base_url, KRXW_KRX_PORTAL_PASSWORD="wrong-password")  # noqa: S106
    with pytest.raises(AuthRequired, match="refuses the login") as caught:
        asking.rows("daily_bar")
    printed = capfd.readouterr()
    assert LOGIN not in f"{caught.value}{printed.out}{printed.err}"
    assert "wrong-password" not in f"{caught.value}{printed.out}{printed.err}"


@pytest.mark.parametrize("endpoint", ["login", "login_page"])
@pytest.mark.parametrize(("kind", "outcome"), [("http_500", SourceDown), ("maintenance_html", Malformed)])
def test_a_login_that_fails_otherwise_is_no_matter_for_a_person(
    server: KrxPortalServer, endpoint: str, kind: str, outcome: type[CollectionOutcome]
) -> None:
    _switch(server, kind, endpoint)
    if (endpoint, kind) == ("login_page", "maintenance_html"):  # only its cookie is wanted
        assert Asking(server.base_url).rows("daily_bar").num_rows
        return
    with pytest.raises(outcome):
        Asking(server.base_url).rows("daily_bar")


def test_an_evicted_login_is_renewed_once(server: KrxPortalServer) -> None:
    """Another login evicts ours between two questions; a second time ends it."""

    def questions(evictions: int) -> Iterator[Question]:
        for place in range(3):
            if place < evictions:
                server._logged_in = "somebody else's"
            yield Question("dbms/MDC/STAT/standard/MDCSTAT01501", {"mktId": "ALL", "trdDd": "20230315"})

    transport = Transport(Unlimited(), lambda _: None)
    portal = logged_in(transport, Asking(server.base_url).environment)
    assert len({body.content for body in portal.ask(questions(evictions=1))}) == 1
    with pytest.raises(AuthRequired):
        portal.ask(questions(evictions=2))
    transport.close()


def test_a_job_logs_in_once(server: KrxPortalServer) -> None:
    """However many chunks a backfill asks for: a job has one transport."""
    asking = Asking(server.base_url)
    transport = Transport(Unlimited(), asking.calls.append)
    for day in (SESSION, SESSION - timedelta(days=1)):
        CRAWLERS["daily_bar"].fetch(Chunk(day, day), transport, asking.environment)
    transport.close()
    endpoints = [call.endpoint for call in asking.calls]
    assert endpoints[-2:] == ["MDCSTAT01501"] * 2
    assert all(endpoint.startswith(ENTRY) for endpoint in endpoints[:-2])


@pytest.mark.parametrize("dataset", CRAWLERS)
def test_a_portal_that_logs_everyone_out_wants_a_person(server: KrxPortalServer, dataset: str) -> None:
    _switch(server, "logout")
    with pytest.raises(AuthRequired):
        Asking(server.base_url).rows(dataset)


@pytest.mark.parametrize("dataset", BY_PRICE)
def test_a_closed_day_is_not_a_session(server: KrxPortalServer, clock: Clock, dataset: str) -> None:
    clock.now = datetime(2023, 3, 21, 8, 0, tzinfo=KST)
    with pytest.raises(NotASession):
        Asking(server.base_url).rows(dataset, SUNDAY)


@pytest.mark.parametrize("dataset", CRAWLERS)
def test_before_the_evening_of_the_session_nothing_is_published(
    server: KrxPortalServer, clock: Clock, dataset: str
) -> None:
    clock.now = datetime(2023, 3, 15, 15, 45, tzinfo=KST)
    with pytest.raises(NotPublished):
        Asking(server.base_url).rows(dataset)


@pytest.mark.parametrize(
    ("now", "listed"),
    [
        (datetime(2023, 3, 17, 19, 0, tzinfo=KST), True),
        (datetime(2023, 3, 20, 8, 59, tzinfo=KST), True),
        (datetime(2023, 3, 20, 9, 0, tzinfo=KST), False),
    ],
)
def test_the_master_is_of_the_latest_session_only(
    server: KrxPortalServer, clock: Clock, now: datetime, listed: bool
) -> None:
    clock.now = now
    friday = date(2023, 3, 17)
    asking = Asking(server.base_url)
    if listed:
        assert set(asking.rows("instrument", friday)["session"].to_pylist()) == {friday}
    else:
        with pytest.raises(NotPublished, match="could be had until 2023-03-20 09:00"):
            asking.rows("instrument", friday)


@pytest.mark.parametrize("dataset", CRAWLERS)
@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("http_500", SourceDown),
        ("maintenance_html", Malformed),
        ("empty_list", NotPublished),
        ("renamed_column", Malformed),
        ("missing_column", Malformed),
        ("wrong_encoding", Malformed),
        ("layout_changed", Malformed),
    ],
)
def test_every_lasting_fault_is_a_typed_outcome(
    server: KrxPortalServer, dataset: str, kind: str, outcome: type[CollectionOutcome]
) -> None:
    _switch(server, kind)
    with pytest.raises(outcome):
        Asking(server.base_url).rows(dataset)


def _with_rows(body: RawBody, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> RawBody:
    answer = json.loads(body.content)
    [block] = [name for name, value in answer.items() if isinstance(value, list)]
    return replace(body, content=json.dumps(answer | {block: change(answer[block])}).encode())


@pytest.mark.parametrize("dataset", CRAWLERS)
@pytest.mark.parametrize("spoilt", [b"", b"[]", b"null", b"{}", b'{"output": {}}', b"[" * 100_000])
def test_whatever_is_no_answer_is_malformed(good: Mapping[str, list[RawBody]], dataset: str, spoilt: bytes) -> None:
    *others, last = good[dataset]
    with pytest.raises(Malformed):
        _parse(dataset, [*others, replace(last, content=spoilt)])


@pytest.mark.parametrize("dataset", CRAWLERS)
@pytest.mark.parametrize("row", ["text", None, {}, 5])
def test_a_row_of_another_kind_is_malformed(good: Mapping[str, list[RawBody]], dataset: str, row: Any) -> None:
    first, *others = good[dataset]
    with pytest.raises(Malformed):
        _parse(dataset, [_with_rows(first, lambda rows: [*rows, row]), *others])


@pytest.mark.parametrize("dataset", CRAWLERS)
def test_the_word_logout_in_a_landed_body_is_no_data(good: Mapping[str, list[RawBody]], dataset: str) -> None:
    *others, last = good[dataset]
    with pytest.raises(AuthRequired):
        _parse(dataset, [*others, replace(last, content=b"LOGOUT")])


@pytest.mark.parametrize("clock_text", [None, "2023-03-15 19:00", "2023.13.15 PM 07:00:00"])
def test_an_answer_without_its_time_is_malformed(good: Mapping[str, list[RawBody]], clock_text: str | None) -> None:
    [body] = good["daily_bar"]
    answer = json.loads(body.content) | {"CURRENT_DATETIME": clock_text}
    with pytest.raises(Malformed, match="CURRENT_DATETIME"):
        _parse("daily_bar", [replace(body, content=json.dumps(answer).encode())])


@pytest.mark.parametrize("dataset", EMPTY_LISTS_ARE_WRONG)
def test_one_empty_answer_among_others_is_malformed(good: Mapping[str, list[RawBody]], dataset: str) -> None:
    *others, last = good[dataset]
    with pytest.raises(Malformed, match="empty"):
        _parse(dataset, [*others, _with_rows(last, lambda _: [])])


def test_a_class_that_is_empty_must_have_traded_nothing(good: Mapping[str, list[RawBody]]) -> None:
    """Of a market of one issue that some classes did not trade, whichever other answer is lost is missed."""
    of_market = [body for body in good["investor_flow"] if body.request["mktId"] == "KSQ"]
    issues = _parse("investor_flow", of_market)["symbol"].value_counts().to_pylist()
    quietest = min(issues, key=lambda issue: int(issue["counts"]))["values"]
    bodies = [
        _with_rows(body, lambda rows: [row for row in rows if row["ISU_SRT_CD"] == quietest]) for body in of_market
    ]
    whole = _parse("investor_flow", bodies)
    traded = set(whole["investor"].to_pylist())
    assert traded < {investor.value for investor in PORTAL_CODES.values()}
    for place, body in enumerate(bodies):
        without = [*bodies[:place], _with_rows(body, lambda _: []), *bodies[place + 1 :]]
        if PORTAL_CODES[body.request["invstTpCd"]].value in traded:
            with pytest.raises(Malformed, match="empty, while the others"):
                _parse("investor_flow", without)
        else:
            assert _parse("investor_flow", without).equals(whole)


def test_rows_of_zeros_are_no_trades(good: Mapping[str, list[RawBody]]) -> None:
    zero = {
        "ISU_SRT_CD": "999990",
        "ISU_NM": "없음",
        **{f"{side}_TRD{kind}": "0" for side in ("ASK", "BID", "NETBID") for kind in ("VOL", "VAL")},
    }
    first, *others = good["investor_flow"]
    bodies = [_with_rows(first, lambda rows: [*rows, zero]), *others]
    assert _parse("investor_flow", bodies).equals(_parse("investor_flow", good["investor_flow"]))


def test_a_market_without_any_trade_is_not_published(good: Mapping[str, list[RawBody]]) -> None:
    def quiet(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{name: "0" if "TRDV" in name else value for name, value in row.items()} for row in rows]

    with pytest.raises(NotPublished, match="no trade at all"):
        _parse("market_investor_flow", [_with_rows(body, quiet) for body in good["market_investor_flow"]])


def test_a_missing_class_of_a_market_is_malformed(good: Mapping[str, list[RawBody]]) -> None:
    first, *others = good["market_investor_flow"]
    with pytest.raises(Malformed, match="expected the classes"):
        _parse("market_investor_flow", [_with_rows(first, lambda rows: rows[1:]), *others])


def test_a_few_funds_may_lack_a_portfolio_and_not_more(good: Mapping[str, list[RawBody]]) -> None:
    listing, *files = good["etf_holding"]
    with pytest.raises(CoverageDrop, match=f"1 of {len(files)} ETFs"):  # more than one in twenty of so few
        _parse("etf_holding", [listing, *files[1:]])
    many = _many_funds(listing, files[0], 21)
    fund = json.loads(many[0].content)["output"][0]["ISU_SRT_CD"]
    rows = _parse("etf_holding", [many[0], *many[2:]])
    assert fund not in set(rows["fund"].to_pylist())
    with pytest.raises(CoverageDrop, match="2 of 21"):
        _parse("etf_holding", [many[0], *many[3:]])
    with pytest.raises(NotPublished, match="no portfolio file"):
        _parse("etf_holding", [many[0]])


def _many_funds(listing: RawBody, first: RawBody, count: int) -> list[RawBody]:
    """The first fund and its portfolio, ``count`` times under other names."""
    names = [(f"KR7{number:06d}000", f"{number:06d}") for number in range(count)]

    def repeat(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [rows[0] | {"ISU_CD": isin, "ISU_SRT_CD": symbol} for isin, symbol in names]

    files = [replace(first, request={**first.request, "isuCd": isin}) for isin, _ in names]
    return [_with_rows(listing, repeat), *files]


def test_an_unusable_list_of_funds_is_landed_and_refused(server: KrxPortalServer) -> None:
    _switch(server, "maintenance_html", "MDCSTAT04301")
    asking = Asking(server.base_url)
    bodies = asking.bodies("etf_holding", Chunk(SESSION, SESSION))
    assert [body.content[:15] for body in bodies] == [b"<!DOCTYPE html>"]
    with pytest.raises(Malformed):
        _parse("etf_holding", bodies)


def test_an_index_without_a_level_is_left_out(good: Mapping[str, list[RawBody]]) -> None:
    names = _parse("index_bar", good["index_bar"])["index_name"]
    published = b"".join(body.content for body in good["index_bar"]).decode()
    assert "외국주포함" in published
    assert not pc.any(pc.match_substring(names, "외국주포함")).as_py()


def test_totals_not_yet_computed_are_unknown(good: Mapping[str, list[RawBody]]) -> None:
    def uncomputed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row | {"INVSTASST_NETASST_TOTAMT": "0"} for row in rows]

    funds, notes = good["etp_daily_bar"]
    rows = _parse("etp_daily_bar", [_with_rows(funds, uncomputed), notes])
    assert set(rows.filter(pc.equal(rows["kind"], "ETF"))["net_assets_krw"].to_pylist()) == {None}


def test_a_server_that_is_gone_is_down() -> None:
    asking = Asking("http://127.0.0.1:1")
    with pytest.raises(SourceDown):
        asking.rows("daily_bar")
