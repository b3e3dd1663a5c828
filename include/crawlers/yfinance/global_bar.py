"""Daily bars of overseas indices, exchange rates and commodities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from include.crawlers.source import Chunk, RawBody
from include.crawlers.transport import Transport
from include.crawlers.yfinance.charts import (
    Chart,
    ChartCrawler,
    exact,
    fetch_chart,
    open_session,
    read_chart,
    require_coverage,
)
from include.datasets import global_bar
from include.market.global_symbols import GLOBAL_SYMBOLS
from include.outcomes import Malformed

_DAYS_BEFORE = timedelta(days=9)
_PRICES = ("open", "high", "low", "close")
_SIX_PLACES = Decimal("0.000001")


class GlobalBarCrawler(ChartCrawler):
    """Daily bars of ``GLOBAL_SYMBOLS``, at least ten days of them: what was not over the last time is there."""

    def fetch(self, chunk: Chunk, transport: Transport, environment: Mapping[str, str]) -> list[RawBody]:
        """One body per symbol."""
        session = open_session(transport, environment)
        return [
            fetch_chart(session, symbol.symbol, ZoneInfo(symbol.timezone), _first_day(chunk), chunk.last)
            for symbol in GLOBAL_SYMBOLS
        ]

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """The bars of trading days that were over when Yahoo answered.

        Raises:
            CoverageDrop: a symbol has no bar while others do.
            Malformed: not a chart.
            NotPublished: no symbol has a bar.
        """
        charts = {body.request["symbol"]: read_chart(body) for body in bodies}
        bars = {
            symbol: _bars(chart, _first_day(chunk), chunk.last) if chart else [] for symbol, chart in charts.items()
        }
        require_coverage([symbol for symbol, rows in bars.items() if not rows], len(bars), f"bar by {chunk.last}")
        rows = [row for of_symbol in bars.values() for row in of_symbol]
        return pa.Table.from_pylist(rows, schema=global_bar.DATASET.parsed_schema)


def _first_day(chunk: Chunk) -> date:
    return min(chunk.first, chunk.last - _DAYS_BEFORE)


def _bars(chart: Chart, first: date, last: date) -> list[dict[str, Any]]:
    try:
        stamps = chart.result.get("timestamp") or []
        [quote] = chart.result["indicators"]["quote"]
        series = {name: quote[name] for name in (*_PRICES, "volume")} if stamps else {}
        uneven = [name for name, values in series.items() if type(values) is not list or len(values) != len(stamps)]
        unfinished = _unfinished_day(chart)
    except (KeyError, TypeError, ValueError) as problem:
        raise Malformed(
            f"Yahoo {chart.symbol}: expected timestamp, indicators.quote[0] with open, high, low, close and volume, "
            f"and meta.regularMarketTime and currentTradingPeriod.regular ({problem!r})"
        ) from problem
    if uneven:
        raise Malformed(f"Yahoo {chart.symbol}: expected {len(stamps)} values of {', '.join(uneven)}, got others")
    # The latest price may follow the bar of its day as one more bar: the last one of a day counts.
    places = {chart.local_day(stamp): place for place, stamp in enumerate(stamps)}
    rows = [
        _bar(chart.symbol, day, {name: values[place] for name, values in series.items()})
        for day, place in places.items()
        if first <= day <= last and day != unfinished
    ]
    # On a day without trading Yahoo may show a bar of nulls.
    return [row for row in rows if any(row[name] is not None for name in _PRICES)]


def _unfinished_day(chart: Chart) -> date | None:
    """The exchange's day whose regular hours were not over at the last trade Yahoo knew of."""
    regular = chart.meta["currentTradingPeriod"]["regular"]
    if chart.meta["regularMarketTime"] >= regular["end"]:
        return None
    return chart.local_day(regular["start"])


def _bar(symbol: str, day: date, values: Mapping[str, Any]) -> dict[str, Any]:
    volume = values["volume"]
    if volume is not None and (type(volume) is not int or abs(volume) >= 2**63):
        raise Malformed(f"Yahoo {symbol} {day}: expected a whole volume, got {volume!r}")
    prices = {name: exact(values[name], _SIX_PLACES, f"{symbol} {day}") for name in _PRICES}
    return {"symbol": symbol, "session": day, **prices, "volume": volume}
