"""Yahoo's crawlers, through the real yfinance, against its simulated service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.crawlers.source import Chunk, Issue, RawBody
from include.crawlers.transport import CallRecord, Transport
from include.crawlers.yfinance import CRAWLERS
from include.datasets.registry import dataset_named
from include.market.calendar import KST
from include.market.global_symbols import GLOBAL_SYMBOLS
from include.outcomes import CollectionOutcome, CoverageDrop, Malformed, SourceNotConfiguredError
from include.quality.row_rules import mark_violations
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.servers.faults import Fault, FaultKind
from include.simulator.servers.yahoo import YahooServer
from include.simulator.world import World
from tests.crawlers.json_damage import damaged

SESSION = date(2024, 3, 20)  # a Wednesday; nobody in the world has a holiday in the ten days before
STILL_OPEN_AT_EVENING = {"^GSPC", "^IXIC", "^DJI", "^SOX", "^VIX", "^GDAXI", "^FTSE", "KRW=X", "JPY=X", "EURKRW=X"} | {
    "CNYKRW=X",
    "CL=F",
    "GC=F",
}


class Unlimited:
    def acquire(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def world() -> World:
    return World(SimulatedMarket(seed=3, symbols=30, first=date(2023, 10, 2), last=date(2024, 3, 29)))


@pytest.fixture(scope="module")
def running(world: World) -> Iterator[YahooServer]:
    evening = datetime.combine(SESSION, time(18, 30), KST)
    with YahooServer(world, now=lambda: evening) as server:
        yield server


@pytest.fixture
def server(running: YahooServer) -> Iterator[YahooServer]:
    yield running
    running.faults.clear()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def environment(server: YahooServer, home: Path) -> dict[str, str]:
    return {"KRXW_YAHOO_URL": server.base_url, "KRXW_HOME": str(home)}


@pytest.fixture
def calls() -> list[CallRecord]:
    return []


@pytest.fixture
def transport(calls: list[CallRecord]) -> Iterator[Transport]:
    transport = Transport(Unlimited(), calls.append, sleep=lambda seconds: None)
    yield transport
    transport.close()


@pytest.fixture(scope="module")
def chunk(world: World) -> Chunk:
    bars = world.table("daily_bar", SESSION).select(["symbol", "market", "name", "section"]).to_pylist()
    return Chunk(SESSION, SESSION, tuple(Issue(**bar) for bar in bars))


def _collect(dataset: str, chunk: Chunk, environment: dict[str, str], transport: Transport) -> pa.Table:
    crawler = CRAWLERS[dataset]
    rows = crawler.parse(crawler.fetch(chunk, transport, environment), chunk)
    assert rows.schema == dataset_named(dataset).parsed_schema
    assert set(mark_violations(rows, dataset_named(dataset))["violated_rule"].to_pylist()) == {None}
    return rows


def test_global_bars_are_those_of_days_that_are_over(
    world: World, chunk: Chunk, environment: dict[str, str], transport: Transport, calls: list[CallRecord]
) -> None:
    rows = _collect("global_bar", chunk, environment, transport)
    days = [SESSION - timedelta(days=back) for back in range(10)]
    truth = [row for day in days for row in world.table("global_bar", day).to_pylist()]
    over = [row for row in truth if row["session"] < SESSION or row["symbol"] not in STILL_OPEN_AT_EVENING]
    assert sorted(rows.to_pylist(), key=_key) == sorted(over, key=_key)
    assert {call.endpoint for call in calls if "chart" in call.endpoint} == {"/v8/finance/chart/"}


def _key(row: dict[str, Any]) -> tuple[str, date]:
    return row["symbol"], row["session"]


def test_dividends_are_divided_by_later_splits(
    world: World, chunk: Chunk, environment: dict[str, str], transport: Transport
) -> None:
    rows = _collect("dividend", chunk, environment, transport)
    sessions = [session for session in world.sessions if session <= SESSION]
    truth = [row for session in sessions for row in world.table("dividend", session).to_pylist()]
    on_yahoo = {issue.symbol for issue in chunk.universe if issue.market != "KONEX"}
    expected = {_key(row): row for row in truth if row["symbol"] in on_yahoo}
    assert rows.num_rows > 0
    assert {_key(row) for row in rows.to_pylist()} == expected.keys()
    split = {action.symbol for action in world.market.actions}
    for row in rows.to_pylist():
        assert row["split_adjusted"]
        if row["symbol"] not in split:
            assert row["amount_krw"] == expected[_key(row)]["amount_krw"]


def test_without_symbols_no_dividend_is_asked_for(environment: dict[str, str], transport: Transport) -> None:
    with pytest.raises(SourceNotConfiguredError, match="load daily_bar"):
        _collect("dividend", Chunk(SESSION, SESSION), environment, transport)


def test_symbols_yahoo_does_not_know_are_named(chunk: Chunk, environment: dict[str, str], transport: Transport) -> None:
    strangers = tuple(Issue(symbol, "KOSPI", "", "") for symbol in ("999990", "999980", "999970"))
    more = replace(chunk, universe=chunk.universe + strangers)
    with pytest.raises(CoverageDrop, match="999990, 999980, 999970"):
        _collect("dividend", more, environment, transport)


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (FaultKind.HTTP_500, "source_down"),
        (FaultKind.HTTP_429, "rate_limited"),
        (FaultKind.TRUNCATED_BODY, "source_down"),
        (FaultKind.MAINTENANCE_HTML, "malformed"),
        (FaultKind.EMPTY_LIST, "not_published"),
        (FaultKind.PARTIAL_MARKET, "coverage_drop"),
        (FaultKind.RENAMED_COLUMN, "malformed"),
        (FaultKind.MISSING_COLUMN, "malformed"),
        (FaultKind.WRONG_ENCODING, "malformed"),
        (FaultKind.LAYOUT_CHANGED, "malformed"),
    ],
)
@pytest.mark.parametrize("dataset", ["dividend", "global_bar"])
def test_a_fault_ends_in_its_outcome(
    chunk: Chunk,
    server: YahooServer,
    environment: dict[str, str],
    transport: Transport,
    dataset: str,
    kind: FaultKind,
    outcome: str,
) -> None:
    server.faults.add(Fault("chart", kind))
    with pytest.raises(CollectionOutcome) as raised:
        _collect(dataset, chunk, environment, transport)
    assert raised.value.outcome == outcome


def _answer(symbol: str, **changes: Any) -> RawBody:
    """A chart of one bar at 09:00 in Seoul."""
    stamp = int(datetime.combine(SESSION, time(9), KST).timestamp())
    regular = {"start": stamp, "end": stamp + 23400}
    meta = {
        "symbol": symbol,
        "currency": "KRW",
        "exchangeTimezoneName": "Asia/Seoul",
        "regularMarketTime": stamp + 23400,
        "currentTradingPeriod": {"regular": regular},
    }
    quote = {"open": [1.5], "high": [2], "low": [1], "close": [1.1234567], "volume": [0]}
    result = {"meta": meta, "timestamp": [stamp], "indicators": {"quote": [quote]}} | changes
    content = json.dumps({"chart": {"result": [result], "error": None}}).encode()
    return RawBody(content, {"symbol": symbol, "issue": "005930"}, datetime.now(KST), ".json")


CHART = _answer("005930.KS", events={"dividends": {"1": {"amount": 361.0, "date": 1710892800}}})


def _bars(*bodies: RawBody) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = CRAWLERS["global_bar"].parse(bodies, Chunk(SESSION, SESSION)).to_pylist()
    return rows


def test_prices_are_exact_to_six_decimals() -> None:
    [row] = _bars(_answer("^KS11"))
    assert (row["open"], row["high"], row["close"]) == (Decimal("1.5"), 2, Decimal("1.123457"))


def test_the_latest_price_takes_the_place_of_its_days_bar() -> None:
    stamp = int(datetime.combine(SESSION, time(9), KST).timestamp())
    quote = {name: [1.0, 2.0] for name in ("open", "high", "low", "close")} | {"volume": [1, 2]}
    [row] = _bars(_answer("^KS11", timestamp=[stamp, stamp + 23400], indicators={"quote": [quote]}))
    assert (row["close"], row["volume"]) == (2, 2)


def test_a_bar_of_nulls_is_no_bar() -> None:
    stamps = [int(datetime.combine(SESSION - timedelta(days=back), time(9), KST).timestamp()) for back in (1, 0)]
    quote = {name: [1.0, None] for name in ("open", "high", "low", "close")} | {"volume": [1, None]}
    [row] = _bars(_answer("^KS11", timestamp=stamps, indicators={"quote": [quote]}))
    assert row["session"] == SESSION - timedelta(days=1)


@pytest.mark.parametrize(
    ("field", "value"), [("volume", "1,234"), ("close", "4,321.5"), ("volume", 1.5), ("low", True)]
)
def test_what_is_no_number_is_malformed(field: str, value: Any) -> None:
    quote: dict[str, Any] = {name: [1.0] for name in ("open", "high", "low", "close")} | {"volume": [0], field: [value]}
    with pytest.raises(Malformed, match="expected a"):
        _bars(_answer("^KS11", indicators={"quote": [quote]}))


def test_an_error_object_is_malformed_unless_nothing_was_found() -> None:
    body = _answer("^KS11")
    error = {"chart": {"result": None, "error": {"code": "Unauthorized", "description": "Invalid Crumb"}}}
    with pytest.raises(Malformed, match="Invalid Crumb"):
        _bars(replace(body, content=json.dumps(error).encode()))


def test_an_answer_about_another_symbol_is_malformed() -> None:
    with pytest.raises(Malformed, match="about '\\^GSPC'"):
        _bars(replace(_answer("^GSPC"), request={"symbol": "^KS11"}))


def test_dividends_in_another_currency_are_malformed() -> None:
    body = _answer("005930.KS")
    body = replace(body, content=body.content.replace(b'"KRW"', b'"USD"'))
    with pytest.raises(Malformed, match="expected KRW, got 'USD'"):
        CRAWLERS["dividend"].parse([body], Chunk(SESSION, SESSION))


@pytest.mark.parametrize("dataset", ["dividend", "global_bar"])
@settings(max_examples=100, deadline=None)
@given(place=st.floats(0, 1), length=st.integers(0, 30), noise=st.binary(max_size=30))
def test_whatever_the_bytes_a_parser_raises_nothing_but_outcomes(
    dataset: str, place: float, length: int, noise: bytes
) -> None:
    start = int(place * len(CHART.content))
    spoilt = replace(CHART, content=CHART.content[:start] + noise + CHART.content[start + length :])
    try:
        rows = CRAWLERS[dataset].parse([spoilt], Chunk(SESSION, SESSION))
    except CollectionOutcome:
        return
    assert rows.schema == dataset_named(dataset).parsed_schema


@pytest.mark.parametrize("dataset", ["dividend", "global_bar"])
@settings(max_examples=200, deadline=None)
@given(document=damaged(json.loads(CHART.content)))
def test_whatever_the_values_a_parser_raises_nothing_but_outcomes(dataset: str, document: Any) -> None:
    with suppress(CollectionOutcome):
        CRAWLERS[dataset].parse([replace(CHART, content=json.dumps(document).encode())], Chunk(SESSION, SESSION))


def test_every_followed_symbol_is_asked_once() -> None:
    symbols = [symbol.symbol for symbol in GLOBAL_SYMBOLS]
    assert len(set(symbols)) == len(symbols) == 18


def test_a_chunk_is_up_to_a_year() -> None:
    sessions = [date(2022, 12, 28), date(2023, 1, 2), date(2023, 12, 28), date(2023, 12, 29), SESSION]
    assert CRAWLERS["global_bar"].split(sessions) == [Chunk(*sessions[0:3:2]), Chunk(*sessions[3:])]


def test_importing_the_source_does_not_import_the_library() -> None:
    import subprocess
    import sys

    program = "import sys, include.crawlers.yfinance; sys.exit('yfinance' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", program], cwd=root, timeout=60, check=False).returncode == 0
