"""The simulated Yahoo over real HTTP, and through the unmodified library yfinance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests
from requests.adapters import HTTPAdapter

from include.market.calendar import KST
from include.market.global_symbols import GLOBAL_SYMBOLS
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.exchange.truth import ActionKind, CorporateAction
from include.simulator.servers.faults import FaultKind
from include.simulator.servers.yahoo import YahooServer
from include.simulator.world import World

FIRST, LAST = date(2023, 1, 2), date(2023, 4, 14)
EVENING = datetime(2023, 4, 14, 18, 0, tzinfo=KST)
Row = dict[str, Any]


class ToLoopback(HTTPAdapter):
    """Sends what a client library asks of Yahoo to a server here instead."""

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self._base = urlsplit(base_url)

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        asked = request.url or ""
        parts = urlsplit(asked)
        request.url = urlunsplit((self._base.scheme, self._base.netloc, parts.path or "/", parts.query, ""))
        response = super().send(request, *args, **more)
        response.url = request.url = asked
        return response


@pytest.fixture(scope="module")
def world() -> World:
    return World(SimulatedMarket(2, 120, FIRST, date(2023, 4, 28)))


@pytest.fixture(scope="module")
def running(world: World) -> Iterator[YahooServer]:
    with YahooServer(world, now=lambda: EVENING) as server:
        yield server


@pytest.fixture
def server(running: YahooServer) -> Iterator[YahooServer]:
    yield running
    running.faults.clear()
    running.now = lambda: EVENING


def moment(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=KST).timestamp())


def ask(server: YahooServer, symbol: str, **params: str) -> requests.Response:
    days = {"period1": str(moment(FIRST)), "period2": str(moment(LAST + timedelta(days=1)))}
    url = f"{server.base_url}/v8/finance/chart/{symbol}"
    return requests.get(url, params or {**days, "interval": "1d", "events": "div,splits"}, timeout=5)


def result_of(response: requests.Response) -> Row:
    assert response.status_code == 200
    chart = response.json()["chart"]
    assert chart["error"] is None
    [result] = chart["result"]
    return dict(result)


def bars_of(result: Mapping[str, Any], zone: str = "Asia/Seoul") -> dict[date, Row]:
    assert result["meta"]["exchangeTimezoneName"] == zone
    offset = timedelta(seconds=result["meta"]["gmtoffset"])
    days = [(datetime.fromtimestamp(stamp, UTC) + offset).date() for stamp in result.get("timestamp", [])]
    [quote] = result["indicators"]["quote"]
    return {day: {name: quote[name][place] for name in quote} for place, day in enumerate(days)}


def yahoo_symbol(bar: Mapping[str, Any]) -> str:
    return f"{bar['symbol']}.{'KS' if bar['market'] == 'KOSPI' else 'KQ'}"


def split_of(world: World) -> tuple[CorporateAction, str]:
    """A split before the evening, and Yahoo's symbol of the share."""
    bars = {bar["symbol"]: bar for bar in world.table("daily_bar", LAST).to_pylist() if bar["market"] != "KONEX"}
    kinds = {ActionKind.SPLIT, ActionKind.REVERSE_SPLIT, ActionKind.BONUS_ISSUE}
    found = (action for action in world.market.actions if action.kind in kinds and FIRST < action.ex_date <= LAST)
    action = next(action for action in found if action.symbol in bars)
    return action, yahoo_symbol(bars[action.symbol])


def test_bars_are_adjusted_with_one_session_too_many_and_one_too_few_a_quarter(
    server: YahooServer, world: World
) -> None:
    for bar in world.table("daily_bar", LAST).to_pylist()[:20]:
        if bar["market"] == "KONEX":
            continue
        shown = bars_of(result_of(ask(server, yahoo_symbol(bar))))
        adjusted = {row["session"]: row for row in world.adjusted_bars(bar["symbol"], FIRST, LAST).to_pylist()}
        listed = len(adjusted) == len([session for session in world.sessions if session <= LAST])
        phantoms, missing = shown.keys() - adjusted.keys(), adjusted.keys() - shown.keys()
        assert len(missing) <= 2
        assert all(day.weekday() < 5 and day not in world.sessions for day in phantoms)
        if listed:
            assert {(day.year, (day.month - 1) // 3) for day in phantoms} == {(2023, 0)}
            assert {(day.year, (day.month - 1) // 3) for day in missing} >= {(2023, 0)}
        assert all(shown[day]["volume"] == 0 for day in phantoms)
        for day in shown.keys() & adjusted.keys():
            row = adjusted[day]
            assert (shown[day]["close"], shown[day]["volume"]) == (row["close"], row["volume"])
            expected = row["close"] if row["open"] == 0 else row["open"]
            assert shown[day]["open"] == expected


def test_splits_are_events(server: YahooServer, world: World) -> None:
    action, symbol = split_of(world)
    splits = result_of(ask(server, symbol))["events"]["splits"].values()
    assert [
        (split["numerator"], split["denominator"])
        for split in splits
        if split["date"] == moment(action.ex_date) + 9 * 3600
    ] == [(action.share_ratio.numerator, action.share_ratio.denominator)]


def test_dividends_are_divided_by_later_splits(server: YahooServer, world: World) -> None:
    paid = [row for day in world.sessions if day <= LAST for row in world.table("dividend", day).to_pylist()]
    actions = world.market.actions
    markets = {bar["symbol"]: bar for bar in world.table("daily_bar", LAST).to_pylist()}
    checked = 0
    for row in paid:
        bar = markets.get(row["symbol"])
        if bar is None or bar["market"] == "KONEX":
            continue
        events = result_of(ask(server, yahoo_symbol(bar)))["events"]["dividends"]
        amount = float(row["amount_krw"])
        for action in actions:
            if action.symbol == row["symbol"] and row["session"] < action.ex_date <= LAST:
                amount *= float(action.base_ratio)
        assert events[str(moment(row["session"]) + 9 * 3600)]["amount"] == pytest.approx(amount, abs=1e-6)
        checked += 1
    assert checked > 3


def test_global_symbols_equal_the_world_in_their_own_days(server: YahooServer, world: World) -> None:
    for item in GLOBAL_SYMBOLS:
        shown = bars_of(result_of(ask(server, item.symbol)), item.timezone)
        days = [FIRST + timedelta(days=number) for number in range((LAST - FIRST).days)]
        truth = {
            row["session"]: row
            for day in days
            for row in world.table("global_bar", day).to_pylist()
            if row["symbol"] == item.symbol
        }
        assert {day for day in shown if day < LAST} == set(truth)
        for day, row in truth.items():
            assert shown[day] == {name: float(row[name]) for name in ("open", "high", "low", "close")} | {
                "volume": row["volume"]
            }


def test_a_day_in_progress_shows_its_opening_price(server: YahooServer) -> None:
    server.now = lambda: datetime(2023, 4, 13, 23, 0, tzinfo=KST)  # ten in the morning in New York
    result = result_of(ask(server, "^GSPC"))
    bar = bars_of(result, "America/New_York")[date(2023, 4, 13)]
    assert len({bar[name] for name in ("open", "high", "low", "close")}) == 1
    assert result["meta"]["regularMarketTime"] < result["meta"]["currentTradingPeriod"]["regular"]["end"]


def test_nothing_found(server: YahooServer, world: World) -> None:
    bar = next(bar for bar in world.table("daily_bar", LAST).to_pylist() if bar["market"] == "KOSPI")
    for symbol in ("NOPE", f"{bar['symbol']}.KQ", "ZZZZZZ.KS"):
        response = ask(server, symbol)
        assert response.status_code == 404
        assert response.json()["chart"]["error"]["code"] == "Not Found"
    assert ask(server, "^GSPC", period1="soon").status_code == 400


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.EMPTY_LIST,
        FaultKind.YESTERDAYS_DATA,
        FaultKind.STALE_COPY,
        FaultKind.RENAMED_COLUMN,
        FaultKind.MISSING_COLUMN,
        FaultKind.WRONG_ENCODING,
        FaultKind.DUPLICATE_ROWS,
        FaultKind.LAYOUT_CHANGED,
    ],
)
def test_faults_spoil_charts(server: YahooServer, kind: FaultKind) -> None:
    whole = ask(server, "^GSPC").content
    fault = {"endpoint": "*", "kind": kind, "times": 1}
    assert requests.post(f"{server.base_url}/control/fault", json=fault, timeout=5).status_code == 200
    assert ask(server, "^GSPC").content != whole
    assert ask(server, "^GSPC").content == whole


def test_yfinance_reads_it(server: YahooServer, world: World, tmp_path: Path) -> None:
    import yfinance

    # Its cookies would otherwise outlive the test in the user's cache.
    yfinance.set_tz_cache_location(str(tmp_path))
    yfinance.cache.set_cache_location(str(tmp_path))
    with requests.Session() as session:
        session.mount("https://", ToLoopback(server.base_url))
        action, symbol = split_of(world)
        ticker = yfinance.Ticker(symbol, session=session)
        frame = ticker.history(start=FIRST, end=LAST + timedelta(days=1), auto_adjust=False, actions=True)
        adjusted = {row["session"]: row for row in world.adjusted_bars(action.symbol, FIRST, LAST).to_pylist()}
        closes = {stamp.date(): close for stamp, close in frame["Close"].items()}
        both = closes.keys() & adjusted.keys()
        assert len(both) >= len(adjusted) - 2
        assert all(closes[day] == adjusted[day]["close"] for day in both)
        splits = {stamp.date(): ratio for stamp, ratio in ticker.splits.items()}
        assert splits[action.ex_date] == pytest.approx(float(action.share_ratio))
        index = yfinance.Ticker("^GSPC", session=session).history(start=FIRST, end=LAST, auto_adjust=False)
        day = date(2023, 3, 8)
        truth = next(row for row in world.table("global_bar", day).to_pylist() if row["symbol"] == "^GSPC")
        shown = {stamp.date(): close for stamp, close in index["Close"].items()}
        assert shown[day] == float(truth["close"])
    asked = {call.endpoint for call in server.calls}
    assert "chart" in asked  # the cookie and its crumb may still be those of an earlier test
    assert not any("crumb" in call.params for call in server.calls)
