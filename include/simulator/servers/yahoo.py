"""Yahoo Finance over HTTP on loopback: what the library yfinance asks, for Korean shares and ``GLOBAL_SYMBOLS``.

    GET  /v8/finance/chart/{symbol}?period1=&period2=&interval=1d&events=div,splits    chart
         (or range=1d: the latest bar)
    GET  /v1/test/getcrumb                                                             crumb
    GET  /                                                                             cookie (404 and a cookie)
    GET  /consent, /copyConsent, POST /v2/collectConsent                               consent

Shares are 005930.KS (KOSPI) and .KQ (KOSDAQ). Their bars are adjusted for what happened since and their dividends
divided likewise; ``adjclose`` is the close. Each quarter has one session too many, on a weekday the exchange was closed
(the price before, no volume), and one too few. A global symbol's day in progress shows its opening price only. Times
are seconds since 1970 at the market's opening, numbers binary floats. Errors are JSON too, 404 where there is nothing.
"""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from functools import cached_property, partial
from math import prod
from threading import Lock
from typing import Any, ClassVar
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from include.market.calendar import KST
from include.market.global_symbols import GLOBAL_SYMBOLS
from include.simulator.exchange.truth import ActionKind, CorporateAction
from include.simulator.servers import parameters
from include.simulator.servers.parameters import WrongParameterError
from include.simulator.servers.published import closed
from include.simulator.servers.symbol_rows import adjusted_chart, raw_bar, rows_of
from include.simulator.servers.web import Answer, Page, Request, Row, Rows, SimulatedServer, View, json_answer
from include.simulator.world import World

_CHART_PATH = "/v8/finance/chart/"
_PATHS = {
    "/": "cookie",
    "/v1/test/getcrumb": "crumb",
    "/consent": "consent",
    "/copyConsent": "consent",
    "/v2/collectConsent": "consent",
}
_CRUMB = "5imulat3d.crumb"
_COOKIE = "A3=d=simulated; Max-Age=31557600; Domain=.yahoo.com; Path=/; Secure; HttpOnly"
_CONSENT = (
    '<html><body><form method="post"><input type="hidden" name="csrfToken" value="simulated">'
    '<input type="hidden" name="sessionId" value="simulated"></form></body></html>'
)
_SUFFIXES = {"KOSPI": "KS", "KOSDAQ": "KQ", "KOSDAQ GLOBAL": "KQ"}
_EXCHANGES = {"KS": "KSC", "KQ": "KOE"}
_PRICES = ("open", "high", "low", "close")
_DAY = timedelta(days=1)
# So many days back there is a bar even over the longest holidays.
_LATEST = "14"
_RANGES = {
    "1d": _LATEST,
    "5d": _LATEST,
    "1mo": "31",
    "3mo": "92",
    "6mo": "184",
    "1y": "366",
    "2y": "731",
    "5y": "1827",
    "10y": "3653",
    "max": "36525",
}
_SPLITS = (ActionKind.SPLIT, ActionKind.REVERSE_SPLIT, ActionKind.BONUS_ISSUE)


@dataclass(frozen=True)
class _Hours:
    """Regular hours in the time of ``zone``."""

    zone: ZoneInfo
    opens: time
    closes: time

    def span(self, day: date) -> tuple[datetime, datetime]:
        """When the market opens and closes on ``day``."""
        return datetime.combine(day, self.opens, self.zone), datetime.combine(day, self.closes, self.zone)


_HOURS_OF_ZONE = {
    "America/New_York": (time(9, 30), time(16)),
    "America/Chicago": (time(8, 30), time(15, 15)),
    "Asia/Tokyo": (time(9), time(15, 30)),
    "Asia/Hong_Kong": (time(9, 30), time(16)),
    "Asia/Shanghai": (time(9, 30), time(15)),
    "Asia/Seoul": (time(9), time(15, 30)),
    "Europe/Berlin": (time(9), time(17, 30)),
    "Europe/London": (time(8), time(16, 30)),
}
_ROUND_THE_CLOCK = (time(0), time(23, 59))
_SEOUL = _Hours(KST, *_HOURS_OF_ZONE["Asia/Seoul"])
_GLOBAL_HOURS = {
    item.symbol: _Hours(
        ZoneInfo(item.timezone),
        *(_ROUND_THE_CLOCK if item.symbol.endswith(("=X", "=F")) else _HOURS_OF_ZONE[item.timezone]),
    )
    for item in GLOBAL_SYMBOLS
}


@dataclass(frozen=True)
class _Instrument:
    """What the head of a chart says of its symbol."""

    symbol: str
    kind: str
    currency: str
    exchange: str
    hours: _Hours


class YahooServer(SimulatedServer):
    """Serves ``world`` as Yahoo shows it."""

    name: ClassVar[str] = "yfinance"
    entry_endpoints: ClassVar[frozenset[str]] = frozenset({"cookie", "crumb", "consent"})
    secret_params: ClassVar[frozenset[str]] = frozenset({"crumb"})

    def __init__(self, world: World, port: int = 0, now: Callable[[], datetime] = lambda: datetime.now(KST)) -> None:
        super().__init__(port, now)
        self._world = world
        self._dividends = _DividendHistory(world)

    def endpoint_of(self, request: Request) -> str | None:
        """``chart`` of any symbol, or one of the ways in."""
        return "chart" if request.path.startswith(_CHART_PATH) else _PATHS.get(request.path)

    def failure(self, status: int, message: str) -> Answer:
        """An error as the chart endpoint writes it."""
        return json_answer({"chart": {"result": None, "error": {"code": str(status), "description": message}}}, status)

    def answer(self, endpoint: str, request: Request, view: View) -> Page | Answer:
        """The page of ``endpoint``."""
        match endpoint:
            case "cookie":
                return Answer(404, b"", "text/html", {"Set-Cookie": _COOKIE})
            case "crumb":
                return Answer(200, _CRUMB.encode(), "text/plain;charset=utf-8")
            case "consent":
                return Answer(200, _CONSENT.encode(), "text/html;charset=UTF-8")
        symbol = unquote(request.path).removeprefix(_CHART_PATH)
        try:
            return self._chart(symbol, request.params, view)
        except WrongParameterError as error:
            return self.failure(400, f"Invalid input - missing or wrong parameter {error}")

    def _chart(self, symbol: str, params: Mapping[str, str], view: View) -> Page | Answer:
        if symbol in _GLOBAL_HOURS:
            instrument = _Instrument(symbol, _kind_of(symbol), "USD", "WCB", _GLOBAL_HOURS[symbol])
            first, last = self._days(params, instrument.hours.zone)
            return self._page(instrument, self._global_bars(instrument, first, last, view), [])
        code, _, suffix = symbol.partition(".")
        sessions = closed(self._world.sessions, self.now())
        latest = raw_bar(self._world, code, sessions[-1]) if sessions else None
        if latest is None or _SUFFIXES.get(latest["market"]) != suffix:
            return _not_found()
        first, last = self._days(params, KST)
        instrument = _Instrument(symbol, "EQUITY", "KRW", _EXCHANGES[suffix], _SEOUL)
        bars = self._share_bars(code, [session for session in sessions if session >= first], last, view)
        return self._page(instrument, bars, self._events(code, sessions, first, last, view))

    def _days(self, params: Mapping[str, str], zone: ZoneInfo) -> tuple[date, date]:
        """The days asked for, both included: ``period2`` is the first moment after them."""
        if "range" in params:
            today = self.now().astimezone(zone).date()
            return today - timedelta(days=int(parameters.choice(params, "range", _RANGES))), today
        first, end = (datetime.fromtimestamp(parameters.number(params, name), zone) for name in ("period1", "period2"))
        return first.date(), (end - timedelta(seconds=1)).date()

    def _global_bars(self, instrument: _Instrument, first: date, last: date, view: View) -> list[Row]:
        """One bar a day that has begun; the day in progress at its opening price."""
        now, bars = self.now(), {}
        day = max(first, self._world.sessions[0])
        while day <= min(last, self._world.sessions[-1]):
            opens, closes = instrument.hours.span(day)
            for bar in rows_of(self._world, "global_bar", instrument.symbol, view.figures_of(day)):
                if opens <= now:
                    label = view.label_of(day)
                    figures = {name: bar[name] if closes <= now else bar["open"] for name in _PRICES}
                    volume = bar["volume"] if closes <= now else 0
                    bars[label] = _bar(instrument.hours, label, figures, volume)
            day += _DAY
        return list(bars.values())

    def _share_bars(self, code: str, sessions: Sequence[date], last: date, view: View) -> list[Row]:
        bars = {day: _untraded_flat(bar) for day, bar in adjusted_chart(self._world, code, sessions, view)}
        for quarter in {(session.year, (session.month - 1) // 3) for session in bars}:
            within = [day for day in self._world.sessions if (day.year, (day.month - 1) // 3) == quarter]
            bars.pop(within[zlib.crc32(f"{code}{quarter}".encode()) % len(within)], None)
            phantom = _closed_weekday(within)
            before = [day for day in bars if phantom is not None and day < phantom]
            if phantom is not None and before:
                bars[phantom] = dict.fromkeys(_PRICES, bars[max(before)]["close"]) | {"volume": 0}
        return [_bar(_SEOUL, day, bars[day], bars[day]["volume"]) for day in sorted(bars) if day <= last]

    def _events(self, code: str, sessions: Sequence[date], first: date, last: date, view: View) -> list[Row]:
        """Dividends, as adjusted as the prices, and changes of the number of shares."""
        if not sessions:
            return []
        actions = [action for action in self._actions.get(code, ()) if action.ex_date <= sessions[-1]]
        asked = [session for session in sessions if first <= session <= last]
        paid = self._dividends.of(code, sessions)
        events: list[Row] = []
        for session in asked:
            amount = paid.get(view.figures_of(session))
            if amount is not None:
                later = [action.base_ratio for action in actions if action.ex_date > session]
                adjusted = round(float(prod(later, start=Fraction(amount))), 6)
                events.append({"date": _seconds(_SEOUL, view.label_of(session)), "amount": adjusted})
        # Without a reset of the base Yahoo sees no split.
        splits = [action for action in actions if action.kind in _SPLITS and action.base_ratio != 1]
        splits = [action for action in splits if first <= action.ex_date <= last]
        return events + [_split(action) for action in splits]

    @cached_property
    def _actions(self) -> Mapping[str, list[CorporateAction]]:
        by_symbol: defaultdict[str, list[CorporateAction]] = defaultdict(list)
        for action in self._world.market.actions:
            by_symbol[action.symbol].append(action)
        return by_symbol

    def _page(self, instrument: _Instrument, bars: Sequence[Row], events: Sequence[Row]) -> Page:
        dividends = instrument.kind == "EQUITY"
        return Page(
            [*bars, *events],
            partial(_chart_json, self._head(instrument)),
            _changed,
            renamed=("amount", "value") if dividends else ("close", "last"),
            dropped="date" if dividends else "volume",
            measures=("open", "high", "low", "close", "volume", "amount"),
            symbol=instrument.symbol,
        )

    def _head(self, instrument: _Instrument) -> Row:
        hours, now = instrument.hours, self.now()
        day = now.astimezone(hours.zone).date()
        while day.weekday() >= 5 or hours.span(day)[0] > now:
            day -= _DAY
        opens, closes = hours.span(day)
        offset = int((opens.replace(tzinfo=UTC) - opens).total_seconds())
        regular = {
            "timezone": opens.tzname(),
            "start": int(opens.timestamp()),
            "end": int(closes.timestamp()),
            "gmtoffset": offset,
        }
        before = regular | {"start": regular["start"], "end": regular["start"]}
        after = regular | {"start": regular["end"], "end": regular["end"]}
        return {
            "currency": instrument.currency,
            "symbol": instrument.symbol,
            "exchangeName": instrument.exchange,
            "instrumentType": instrument.kind,
            "firstTradeDate": _seconds(hours, self._world.sessions[0]),
            "regularMarketTime": int(min(now, closes).timestamp()),
            "hasPrePostMarketData": False,
            "gmtoffset": offset,
            "timezone": opens.tzname(),
            "exchangeTimezoneName": hours.zone.key,
            "priceHint": 2,
            "currentTradingPeriod": {"pre": before, "regular": regular, "post": after},
            "dataGranularity": "1d",
            "range": "",
            "validRanges": list(_RANGES),
        }


class _DividendHistory:
    """Every share's dividends so far, read session by session once. Safe for several threads."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._read = 0
        self._amounts: defaultdict[str, dict[date, Any]] = defaultdict(dict)
        self._lock = Lock()

    def of(self, symbol: str, sessions: Sequence[date]) -> Mapping[date, Any]:
        """Won for one share by ex-session, at least for ``sessions``: the world's first so many."""
        with self._lock:
            for session in sessions[self._read :]:
                for row in self._world.table("dividend", session).to_pylist():
                    self._amounts[row["symbol"]][session] = row["amount_krw"]
            self._read = max(self._read, len(sessions))
            return dict(self._amounts.get(symbol, {}))


def _kind_of(symbol: str) -> str:
    return {"=X": "CURRENCY", "=F": "FUTURE"}.get(symbol[-2:], "INDEX")


def _closed_weekday(sessions: Sequence[date]) -> date | None:
    """The first weekday between ``sessions`` that is none of them."""
    held = set(sessions)
    days = (sessions[0] + timedelta(days=number) for number in range((sessions[-1] - sessions[0]).days))
    return next((day for day in days if day.weekday() < 5 and day not in held), None)


def _seconds(hours: _Hours, day: date) -> int:
    return int(hours.span(day)[0].timestamp())


def _bar(hours: _Hours, day: date, prices: Mapping[str, Any], volume: int) -> Row:
    return {"timestamp": _seconds(hours, day), **{name: float(prices[name]) for name in _PRICES}, "volume": volume}


def _untraded_flat(bar: Row) -> Row:
    """A session without a trade stands at its close, where the exchange shows zeros."""
    return bar if bar["open"] else bar | dict.fromkeys(_PRICES, bar["close"])


def _split(action: CorporateAction) -> Row:
    ratio = action.share_ratio
    return {
        "split": _seconds(_SEOUL, action.ex_date),
        "numerator": float(ratio.numerator),
        "denominator": float(ratio.denominator),
        "splitRatio": f"{ratio.numerator}:{ratio.denominator}",
    }


def _chart_json(head: Row, rows: Rows) -> str:
    """Series beside each other, an adjusted close (here the close) and events by their time."""
    bars = [row for row in rows if "timestamp" in row]
    series = {name: [bar[name] for bar in bars] for name in (bars[0] if bars else {}) if name != "timestamp"}
    indicators: Row = {"quote": [series], "adjclose": [{"adjclose": series["close"]} if "close" in series else {}]}
    result: Row = {"meta": head, "indicators": indicators}
    if bars:
        result["timestamp"] = [bar["timestamp"] for bar in bars]
    splits = {str(row["split"]): {"date": row["split"]} | _without(row, "split") for row in rows if "split" in row}
    dividends = [row for row in rows if "timestamp" not in row and "split" not in row]
    paid = {str(row.get("date", place)): row for place, row in enumerate(dividends)}
    if events := {name: found for name, found in (("dividends", paid), ("splits", splits)) if found}:
        result["events"] = events
    return json.dumps({"chart": {"result": [result], "error": None}})


def _without(row: Row, name: str) -> Row:
    return {key: value for key, value in row.items() if key != name}


def _changed(rows: Rows) -> str:
    """The rows one after the other."""
    return json.dumps({"prices": [list(row.values()) for row in rows]})


def _not_found() -> Answer:
    error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
    return json_answer({"chart": {"result": None, "error": error}}, 404)
