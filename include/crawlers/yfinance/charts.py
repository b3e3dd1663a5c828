"""Yahoo's chart endpoint: asking it through yfinance, and reading what it answers.

yfinance keeps Yahoo's cookies, crumb and consent. The chart's JSON is read here and not by the library, whose frames
hold binary floats, may come from its own cache, and are empty for every kind of failure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import requests

from include.crawlers.source import Chunk, RawBody
from include.crawlers.transport import SourceLimits, Transport
from include.outcomes import CoverageDrop, Malformed, NotPublished, SourceDown, SourceNotConfiguredError
from include.settings import load_settings

SOURCE = "yfinance"
LIMITS = SourceLimits(calls_per_second=2)

_SERVICE = "https://query2.finance.yahoo.com"
_PATH = "/v8/finance/chart/"
# Yahoo refuses the name that the requests library gives itself.
_HEADERS = {"User-Agent": "Mozilla/5.0 (compatible; krx-warehouse)"}
_NOT_FOUND = "Not Found"
_TOLERATED_MISSING = 0.05
_YEAR = timedelta(days=365)
_LARGEST_NUMBER = 10**12
_LARGEST_STAMP = 2**34


@dataclass(frozen=True)
class Chart:
    """The one result of an answer: ``meta`` is its object of that name, ``zone`` the exchange's."""

    symbol: str
    meta: Mapping[str, Any]
    result: Mapping[str, Any]
    zone: ZoneInfo

    def local_day(self, stamp: Any) -> date:
        """The exchange's day of a moment in seconds since 1970.

        Raises:
            Malformed: ``stamp`` is no such number.
        """
        if type(stamp) is not int or abs(stamp) > _LARGEST_STAMP:
            raise Malformed(f"Yahoo {self.symbol}: expected seconds since 1970, got {stamp!r}")
        return datetime.fromtimestamp(stamp, self.zone).date()


class ChartCrawler:
    """What the crawlers of charts have in common: one chart per symbol, up to a year a chunk."""

    def held(self, environment: Mapping[str, str]) -> list[Chunk]:
        """Unknown: a range has to be given."""
        raise SourceNotConfiguredError("Yahoo does not tell what it holds: say which sessions with --from and --to")

    def split(self, sessions: Sequence[date]) -> list[Chunk]:
        """Chunks of up to a year."""
        chunks: list[Chunk] = []
        for session in sessions:
            if chunks and session - chunks[-1].first <= _YEAR:
                chunks[-1] = Chunk(chunks[-1].first, session)
            else:
                chunks.append(Chunk(session, session))
        return chunks


def open_session(transport: Transport, environment: Mapping[str, str]) -> requests.Session:
    """The session to hand to yfinance: whatever it sends goes through ``transport``."""
    address = environment.get("KRXW_YAHOO_URL")
    _keep_cookies_in(load_settings(environment).home / "yfinance" / ("elsewhere" if address else "yahoo"))
    session = requests.Session()
    session.headers.update(_HEADERS)
    session.mount("https://", transport.adapter(SOURCE, LIMITS, base_url=address, endpoint=_endpoint))
    return session


def fetch_chart(
    session: requests.Session, symbol: str, zone: ZoneInfo, first: date, last: date, **about: str
) -> RawBody:
    """The daily chart of ``symbol`` with its events, both days included; ``about`` is added to the body's request.

    Raises:
        CollectionOutcome: see ``Transport.get``.
    """
    from yfinance.data import YfData  # two seconds of importing, spent by the task that needs it

    params = {
        "period1": _midnight(first, zone),
        "period2": _midnight(last + timedelta(days=1), zone),
        "interval": "1d",
        "events": "div,splits",
    }
    answer = YfData(session=session).get(f"{_SERVICE}{_PATH}{symbol}", params=params)
    if answer.status_code not in {requests.codes.ok, requests.codes.not_found}:  # 404 says why, in JSON
        raise SourceDown(f"Yahoo {symbol}: HTTP {answer.status_code}")
    request = {"symbol": symbol, "first": first.isoformat(), "last": last.isoformat(), **about}
    return RawBody(answer.content, request, datetime.now(UTC), ".json")


def read_chart(body: RawBody) -> Chart | None:
    """The answer's result; None where Yahoo does not know the symbol or holds nothing.

    Raises:
        Malformed: it is not an answer of the chart endpoint about the symbol asked for.
    """
    symbol = body.request["symbol"]
    try:
        answer = json.loads(body.content.decode("utf-8"), parse_float=Decimal, parse_constant=_refuse)
        error, results = answer["chart"]["error"], answer["chart"]["result"]
        if error is not None and error["code"] != _NOT_FOUND:
            raise Malformed(f"Yahoo {symbol}: {error}")
        if not results:
            return None
        [result] = results
        meta = result["meta"]
        if not isinstance(result, dict) or meta["symbol"] != symbol:
            raise Malformed(f"Yahoo {symbol}: the answer is about {meta['symbol']!r}")
        return Chart(symbol, meta, result, ZoneInfo(meta["exchangeTimezoneName"]))
    except (UnicodeDecodeError, ValueError, KeyError, TypeError, ZoneInfoNotFoundError) as problem:
        raise Malformed(
            f"Yahoo {symbol}: expected chart.error and chart.result[0].meta with symbol and exchangeTimezoneName, "
            f"got {body.content[:60]!r}... ({type(problem).__name__})"
        ) from problem


def exact(value: Any, places: Decimal, where: str) -> Decimal | None:
    """The number as written, rounded to ``places``: what is beyond them comes from Yahoo's binary floats.

    Raises:
        Malformed: it is no number.
    """
    if value is None:
        return None
    if type(value) not in {int, Decimal} or not -_LARGEST_NUMBER < Decimal(value) < _LARGEST_NUMBER:
        raise Malformed(f"Yahoo {where}: expected a number, got {value!r}")
    return Decimal(value).quantize(places, ROUND_HALF_EVEN)


def require_coverage(missing: Sequence[str], asked: int, what: str) -> None:
    """Tolerate that up to 5% of the symbols lack ``what``.

    Raises:
        CoverageDrop: more do; the message names them.
        NotPublished: all do.
    """
    if missing and len(missing) == asked:
        raise NotPublished(f"Yahoo has no {what} of any of {asked} symbols")
    if len(missing) > asked * _TOLERATED_MISSING:
        named = ", ".join(missing[:20]) + (", ..." if len(missing) > 20 else "")
        raise CoverageDrop(f"Yahoo has no {what} of {len(missing)} of {asked} symbols: {named}")


@cache
def _keep_cookies_in(folder: Path) -> None:
    """Yahoo's cookies outlast the process: apart from those of a person's own programs and of a simulated Yahoo."""
    from yfinance.cache import set_cache_location

    set_cache_location(str(folder))


def _endpoint(request: requests.PreparedRequest) -> str:
    path = urlsplit(request.url or "").path
    return _PATH if path.startswith(_PATH) else path


def _midnight(day: date, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, time(), zone).timestamp())


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")
