"""Naver's crawlers against its simulated site: the truth where it answers, a typed outcome where it does not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.crawlers.naver import CRAWLERS, LIMITS
from include.crawlers.naver.charts import parse_fchart, parse_sise_json
from include.crawlers.source import Chunk, Crawler, Issue, RawBody
from include.crawlers.transport import Transport
from include.datasets.registry import dataset_named
from include.market.calendar import KST
from include.outcomes import CollectionOutcome, Malformed, NotPublished, SourceDown, SourceNotConfiguredError
from include.quality.row_rules import mark_violations
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.servers.faults import Fault, FaultKind
from include.simulator.servers.naver import NaverServer
from include.simulator.world import World
from tests.crawlers.json_damage import damaged
from tests.crawlers.scripted_server import Answer, ScriptedServer

DATASETS = ("etf_holding", "foreign_holding", "index_bar", "intraday_snapshot", "investor_flow")
MAIN_ENDPOINTS = {
    "etf_holding": "etfItemList",
    "foreign_holding": "frgn",
    "index_bar": "siseJson",
    "intraday_snapshot": "realtime",
    "investor_flow": "trend",
}


class Unlimited:
    def acquire(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def world() -> World:
    return World(SimulatedMarket(seed=3, symbols=30, first=date(2024, 1, 2), last=date(2024, 3, 29)))


@pytest.fixture(scope="module")
def session(world: World) -> date:
    return world.sessions[-5]


@pytest.fixture(scope="module")
def running(world: World, session: date) -> Iterator[NaverServer]:
    evening = datetime.combine(session, time(18, 30), KST)
    with NaverServer(world, now=lambda: evening) as server:
        yield server


@pytest.fixture
def server(running: NaverServer) -> Iterator[NaverServer]:
    yield running
    running.faults.clear()


@pytest.fixture
def transport() -> Iterator[Transport]:
    transport = Transport(Unlimited(), lambda call: None, sleep=lambda seconds: None)
    yield transport
    transport.close()


@pytest.fixture(scope="module")
def chunk(world: World, session: date) -> Chunk:
    bars = world.table("daily_bar", session).select(["symbol", "market", "name", "section"]).to_pylist()
    at = datetime.combine(session, time(15, 30), KST)
    return Chunk(session, session, tuple(Issue(**bar) for bar in bars), at)


def _fetch(dataset: str, chunk: Chunk, server: NaverServer, transport: Transport) -> list[RawBody]:
    return CRAWLERS[dataset].fetch(chunk, transport, {"KRXW_NAVER_URL": server.base_url})


def _collect(dataset: str, chunk: Chunk, server: NaverServer, transport: Transport) -> pa.Table:
    rows = CRAWLERS[dataset].parse(_fetch(dataset, chunk, server, transport), chunk)
    assert rows.schema == dataset_named(dataset).parsed_schema
    marked = mark_violations(rows, dataset_named(dataset))
    assert set(marked["violated_rule"].to_pylist()) == {None}
    return rows


def _by_key(rows: pa.Table, *names: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {tuple(row[name] for name in names): row for row in rows.to_pylist()}


def _same(rows: pa.Table, truth: pa.Table, key: Sequence[str], columns: Sequence[str]) -> None:
    """``columns`` of all rows are those of the truth; all other columns are null."""
    known = _by_key(truth, *key)
    for place, row in _by_key(rows, *key).items():
        assert {name: row[name] for name in columns} == {name: known[place][name] for name in columns}
        assert {row[name] for name in row.keys() - {*key, *columns}} <= {None}


@pytest.mark.parametrize("sessions_ago", [0, 50])
def test_investor_flow_is_what_three_groups_bought(
    world: World, session: date, chunk: Chunk, server: NaverServer, transport: Transport, sessions_ago: int
) -> None:
    day = world.sessions[world.sessions.index(session) - sessions_ago]
    listed = set(world.table("foreign_holding", day)["symbol"].to_pylist())
    universe = tuple(issue for issue in chunk.universe if issue.symbol in listed)
    rows = _collect("investor_flow", Chunk(day, day, universe), server, transport)
    assert rows.num_rows == 3 * len(universe)
    assert set(rows["investor"].to_pylist()) == {"institution", "foreign", "individual"}
    assert set(rows["session"].to_pylist()) == {day}
    truth = _by_key(world.table("investor_flow", day), "symbol", "investor")
    for key, row in _by_key(rows, "symbol", "investor").items():
        assert row["net_shares"] == (truth[key]["net_shares"] if key in truth else 0)
        assert row["net_krw"] is None


def test_foreign_holding_is_the_truth(
    world: World, session: date, chunk: Chunk, server: NaverServer, transport: Transport
) -> None:
    rows = _collect("foreign_holding", chunk, server, transport)
    assert rows.num_rows == len(chunk.universe)
    truth = world.table("foreign_holding", session)
    _same(rows, truth, ("symbol", "session"), ("foreign_shares", "foreign_pct"))


def test_index_bars_are_the_truth_of_a_range(
    world: World, session: date, chunk: Chunk, server: NaverServer, transport: Transport
) -> None:
    month = [day for day in world.sessions if day <= session][-20:]
    [whole] = CRAWLERS["index_bar"].split(month)
    rows = _collect("index_bar", whole, server, transport)
    assert rows.num_rows == 3 * 20
    truth = pa.concat_tables(world.table("index_bar", day) for day in month)
    _same(rows, truth, ("index_name", "family", "session"), ("open", "high", "low", "close"))


def test_snapshots_are_the_truth_at_the_close(
    world: World, session: date, chunk: Chunk, server: NaverServer, transport: Transport
) -> None:
    rows = _collect("intraday_snapshot", chunk, server, transport)
    assert rows.num_rows == len(chunk.universe)
    assert set(rows["at"].to_pylist()) == {chunk.at}
    truth = world.table("daily_bar", session)
    for name in ("open", "high", "low", "change", "volume"):
        assert _by_key(rows, "symbol", name).keys() == _by_key(truth, "symbol", name).keys()
    assert _by_key(rows, "symbol", "price").keys() == _by_key(truth, "symbol", "close").keys()


def test_more_symbols_than_a_call_takes(chunk: Chunk, server: NaverServer, transport: Transport) -> None:
    calls = len(server.calls)
    many = replace(chunk, universe=chunk.universe + tuple(Issue(f"9{n:05}", "KOSPI", "", "") for n in range(100)))
    with pytest.raises(CollectionOutcome, match="lack an answer: 900000, 900001"):
        CRAWLERS["intraday_snapshot"].parse(_fetch("intraday_snapshot", many, server, transport), many)
    assert len(server.calls) - calls == 2


@pytest.mark.parametrize("first_way", ["works", "has another layout", "is down"])
def test_etf_holdings_are_the_ten_largest_by_either_way(
    world: World, session: date, chunk: Chunk, server: NaverServer, transport: Transport, first_way: str
) -> None:
    faults = {"has another layout": FaultKind.LAYOUT_CHANGED, "is down": FaultKind.HTTP_500}
    if first_way in faults:
        server.faults.add(Fault("etfAnalysis", faults[first_way]))
    rows = _collect("etf_holding", chunk, server, transport)
    truth = world.table("etf_holding", session)
    assert set(rows["fund"].to_pylist()) == set(truth["fund"].to_pylist())
    assert not any(rows["complete"].to_pylist())
    assert pc.max(rows["position"]).as_py() <= 10
    known = _by_key(truth, "fund", "name")
    for key, row in _by_key(rows, "fund", "name").items():
        assert row["kind"] == known[key]["kind"], (key, row, known[key])
        assert row["shares"] == known[key]["shares"]
        if row["kind"] == "stock":
            assert row["component"] == known[key]["component"]
            assert abs(row["weight_pct"] - known[key]["weight_pct"]) <= 0.01


@pytest.mark.parametrize(("days", "outcome"), [(-1, "missing"), (1, "not_published")])
def test_holdings_of_another_session_cost_two_calls(
    world: World, session: date, server: NaverServer, transport: Transport, days: int, outcome: str
) -> None:
    other = world.sessions[world.sessions.index(session) + days]
    calls = len(server.calls)
    with pytest.raises(CollectionOutcome) as raised:
        _collect("etf_holding", Chunk(other, other), server, transport)
    assert raised.value.outcome == outcome
    assert len(server.calls) - calls == 2


@pytest.mark.parametrize(
    ("dataset", "days", "outcome"),
    [
        ("foreign_holding", -60, "missing"),
        ("foreign_holding", 1, "not_published"),
        ("investor_flow", 1, "not_published"),
        ("investor_flow", -1000, "not_published"),
    ],
)
def test_a_session_that_is_not_shown(
    chunk: Chunk, session: date, server: NaverServer, transport: Transport, dataset: str, days: int, outcome: str
) -> None:
    day = session + timedelta(days=days)
    with pytest.raises(CollectionOutcome) as raised:
        _collect(dataset, replace(chunk, first=day, last=day), server, transport)
    assert raised.value.outcome == outcome


GONE = [Answer(404, b"gone"), Answer(410, b"gone"), Answer(302, b""), Answer(200, b"<html><head></head></html>")]
GONE.append(Answer(200, '<html><meta charset="utf-8"><div id="root">증권</div></html>'.encode()))


@pytest.mark.parametrize("answer", GONE, ids=lambda answer: f"{answer.status}_{len(answer.body)}")
def test_a_page_that_is_gone_is_asked_for_once_and_leaves_it_to_the_next_source(
    chunk: Chunk, transport: Transport, answer: Answer
) -> None:
    def collect(crawler: Crawler, url: str) -> pa.Table:
        return crawler.parse(crawler.fetch(chunk, transport, {"KRXW_NAVER_URL": url}), chunk)

    with ScriptedServer(answer) as site, pytest.raises((Malformed, SourceDown)):
        collect(CRAWLERS["foreign_holding"], site.url)
    assert len({asked.path for asked in site.asked}) == 1


def test_flows_that_are_gone_are_not_asked_for_symbol_by_symbol(chunk: Chunk, transport: Transport) -> None:
    with ScriptedServer(Answer(404, b"gone")) as site, pytest.raises(Malformed):
        CRAWLERS["investor_flow"].fetch(chunk, transport, {"KRXW_NAVER_URL": site.url})
    assert len(site.asked) == 2  # one symbol in twenty may be unknown: of thirty not two


TREND_ROW = {
    "bizdate": "20240320",
    "organPureBuyQuant": "-759,474",
    "foreignerPureBuyQuant": "+1,878,015",
    "individualPureBuyQuant": "0",
}


def test_a_symbol_the_service_does_not_know_is_left_out(transport: Transport) -> None:
    day, symbols = date(2024, 3, 20), [f"{number:06}" for number in range(20)]
    chunk = Chunk(day, day, tuple(Issue(symbol, "KOSPI", "", "") for symbol in symbols))
    known = Answer(200, json.dumps([TREND_ROW]).encode())
    with ScriptedServer(Answer(409, b'{"code":"StockConflict"}'), known) as site:
        bodies = CRAWLERS["investor_flow"].fetch(chunk, transport, {"KRXW_NAVER_URL": site.url})
    assert len(site.asked) == len(symbols)
    rows = CRAWLERS["investor_flow"].parse(bodies, chunk)
    assert sorted(set(rows["symbol"].to_pylist())) == symbols[1:]
    assert rows.slice(0, 3)["net_shares"].to_pylist() == [-759_474, 1_878_015, 0]


def test_flows_that_are_not_out_yet_are_written_as_dashes() -> None:
    day = date(2024, 3, 20)
    chunk = Chunk(day, day, (Issue("005930", "KOSPI", "", ""),))
    body = json.dumps([TREND_ROW | {"organPureBuyQuant": "-"}]).encode()
    answer = RawBody(body, {"endpoint": "trend", "code": "005930"}, datetime.now(KST), ".json")
    with pytest.raises(NotPublished):
        CRAWLERS["investor_flow"].parse([answer], chunk)


@pytest.mark.parametrize("dataset", ["foreign_holding", "intraday_snapshot", "investor_flow"])
def test_without_symbols_nothing_is_asked(
    session: date, server: NaverServer, transport: Transport, dataset: str
) -> None:
    with pytest.raises(SourceNotConfiguredError, match="load daily_bar first"):
        _fetch(dataset, Chunk(session, session), server, transport)


OUTCOMES = {
    FaultKind.HTTP_500: {"source_down"},
    FaultKind.HTTP_429: {"rate_limited"},
    FaultKind.TRUNCATED_BODY: {"source_down"},
    FaultKind.MAINTENANCE_HTML: {"malformed"},
    FaultKind.EMPTY_LIST: {"not_published"},
    FaultKind.RENAMED_COLUMN: {"malformed"},
    FaultKind.MISSING_COLUMN: {"malformed"},
    FaultKind.WRONG_ENCODING: {"malformed"},
    FaultKind.DUPLICATE_ROWS: {"malformed"},
    FaultKind.LAYOUT_CHANGED: {"malformed"},
}


@pytest.mark.parametrize("kind", OUTCOMES)
@pytest.mark.parametrize("dataset", DATASETS)
def test_a_fault_ends_in_its_outcome(
    chunk: Chunk, server: NaverServer, transport: Transport, dataset: str, kind: FaultKind
) -> None:
    server.faults.add(Fault(MAIN_ENDPOINTS[dataset], kind))
    with pytest.raises(CollectionOutcome) as raised:
        _collect(dataset, chunk, server, transport)
    assert raised.value.outcome in OUTCOMES[kind]


@pytest.mark.parametrize(
    ("dataset", "kind", "outcome"),
    [
        ("foreign_holding", FaultKind.PARTIAL_MARKET, "coverage_drop"),
        ("intraday_snapshot", FaultKind.PARTIAL_MARKET, "coverage_drop"),
        ("investor_flow", FaultKind.PARTIAL_MARKET, "coverage_drop"),
        ("index_bar", FaultKind.PARTIAL_MARKET, "malformed"),
        ("foreign_holding", FaultKind.YESTERDAYS_DATA, "not_published"),
        ("investor_flow", FaultKind.YESTERDAYS_DATA, "not_published"),
        ("intraday_snapshot", FaultKind.YESTERDAYS_DATA, "not_published"),
        ("index_bar", FaultKind.YESTERDAYS_DATA, "malformed"),
        ("intraday_snapshot", FaultKind.COMMA_STRINGS, "malformed"),
        ("index_bar", FaultKind.COMMA_STRINGS, "malformed"),
    ],
)
def test_part_of_the_market_or_another_day(
    chunk: Chunk, server: NaverServer, transport: Transport, dataset: str, kind: FaultKind, outcome: str
) -> None:
    server.faults.add(Fault(MAIN_ENDPOINTS[dataset], kind))
    with pytest.raises(CollectionOutcome) as raised:
        _collect(dataset, chunk, server, transport)
    assert raised.value.outcome == outcome


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (FaultKind.PARTIAL_MARKET, "coverage_drop"),
        (FaultKind.YESTERDAYS_DATA, "not_published"),
        (FaultKind.EMPTY_LIST, "not_published"),
    ],
)
def test_positions_missing_or_of_another_day(
    chunk: Chunk, server: NaverServer, transport: Transport, kind: FaultKind, outcome: str
) -> None:
    server.faults.add(Fault("etfAnalysis", kind))
    with pytest.raises(CollectionOutcome) as raised:
        _collect("etf_holding", chunk, server, transport)
    assert raised.value.outcome == outcome


def test_both_ways_to_holdings_spoilt_is_malformed(chunk: Chunk, server: NaverServer, transport: Transport) -> None:
    server.faults.add(Fault("etfAnalysis", FaultKind.RENAMED_COLUMN))
    server.faults.add(Fault("main", FaultKind.RENAMED_COLUMN))
    with pytest.raises(Malformed, match="구성비중"):
        _collect("etf_holding", chunk, server, transport)


def test_charts_of_a_stock_agree_with_the_world(
    world: World, session: date, server: NaverServer, transport: Transport
) -> None:
    symbol = world.table("daily_bar", session)["symbol"][0].as_py()
    truth = world.adjusted_bars(symbol, world.sessions[0], session)
    fchart = transport.get(
        "naver",
        f"{server.base_url}/sise.nhn",
        LIMITS,
        params={"symbol": symbol, "timeframe": "day", "count": "500", "requestType": "0"},
    )
    days = {"startTime": f"{world.sessions[0]:%Y%m%d}", "endTime": f"{session:%Y%m%d}"}
    params = {"symbol": symbol, "requestType": "1", **days, "timeframe": "day"}
    sise = transport.get("naver", f"{server.base_url}/siseJson.naver", LIMITS, params=params)
    charts = [
        parse_fchart(fchart),
        parse_sise_json(RawBody(sise, params, datetime.now(KST), ".js")),
    ]
    for chart in charts:
        for name in ("session", "open", "high", "low", "close", "volume"):
            assert chart[name].to_pylist() == truth[name].to_pylist()


@pytest.fixture(scope="module")
def bodies(running: NaverServer, chunk: Chunk) -> dict[str, list[RawBody]]:
    """An answer of each kind, three symbols at most."""
    transport = Transport(Unlimited(), lambda call: None, sleep=lambda seconds: None)
    few = replace(chunk, universe=chunk.universe[:3])
    fetched = {dataset: _fetch(dataset, few, running, transport) for dataset in DATASETS}
    transport.close()
    return fetched


@pytest.mark.parametrize("dataset", DATASETS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1), length=st.integers(0, 40), noise=st.binary(max_size=40))
def test_whatever_the_bytes_a_parser_raises_nothing_but_outcomes(
    dataset: str, bodies: dict[str, list[RawBody]], chunk: Chunk, place: float, length: int, noise: bytes
) -> None:
    few = replace(chunk, universe=chunk.universe[:3])
    spoilt = []
    for body in bodies[dataset][:12]:
        start = int(place * len(body.content))
        spoilt.append(replace(body, content=body.content[:start] + noise + body.content[start + length :]))
    try:
        rows = CRAWLERS[dataset].parse(spoilt, few)
    except CollectionOutcome:
        return
    assert rows.schema == dataset_named(dataset).parsed_schema


QUOTE = {"cd": "005930", "nv": 70000, "ov": 1, "hv": 1, "lv": 1, "cv": -600, "rf": "5", "aq": 5}
QUOTES = {"result": {"areas": [{"datas": [QUOTE]}], "time": 1710917400000}}
FUNDS = {"result": {"etfItemList": [{"itemcode": "069500"}]}}
POSITION = {"seq": 1, "itemCode": "005930", "itemName": "A", "stockCount": "6,978", "etfWeight": "32.73%"}
ANALYSIS = {"returnPerformanceReferenceDate": "2024.03.20", "etfTop10MajorConstituentAssets": [POSITION]}


@settings(max_examples=200, deadline=None)
@given(quotes=damaged(QUOTES))
def test_whatever_the_values_of_quotes(quotes: Any) -> None:
    chunk = Chunk(date(2024, 3, 20), date(2024, 3, 20), (Issue("005930", "KOSPI", "", ""),), datetime.now(KST))
    _parse("intraday_snapshot", chunk, [(quotes, {"endpoint": "realtime"})])


@settings(max_examples=200, deadline=None)
@given(funds=st.one_of(st.just(FUNDS), damaged(FUNDS)), analysis=damaged(ANALYSIS))
def test_whatever_the_values_of_positions(funds: Any, analysis: Any) -> None:
    chunk = Chunk(date(2024, 3, 20), date(2024, 3, 20))
    answers = [(funds, {"endpoint": "etfItemList"}), (analysis, {"endpoint": "etfAnalysis", "fund": "069500"})]
    _parse("etf_holding", chunk, answers)


@settings(max_examples=200, deadline=None)
@given(trend=damaged([TREND_ROW]))
def test_whatever_the_values_of_flows(trend: Any) -> None:
    chunk = Chunk(date(2024, 3, 20), date(2024, 3, 20), (Issue("005930", "KOSPI", "", ""),))
    _parse("investor_flow", chunk, [(trend, {"endpoint": "trend", "code": "005930"})])


def _parse(dataset: str, chunk: Chunk, answers: Sequence[tuple[Any, dict[str, str]]]) -> None:
    now = datetime.now(KST)
    bodies = [RawBody(json.dumps(document).encode(), request, now, ".json") for document, request in answers]
    with suppress(CollectionOutcome):
        CRAWLERS[dataset].parse(bodies, chunk)
