"""Cash dividends of Korean stocks, divided by later splits. KONEX is not on Yahoo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

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
from include.datasets import dividend
from include.market.calendar import KST
from include.outcomes import Malformed, SourceNotConfiguredError

_DAYS_BEFORE = timedelta(days=400)
_SUFFIXES = {"KOSPI": ".KS", "KOSDAQ": ".KQ", "KOSDAQ GLOBAL": ".KQ"}
_WON = "KRW"
_FOUR_PLACES = Decimal("0.0001")


class DividendCrawler(ChartCrawler):
    """Dividends with an ex-date in the 400 days up to the chunk's last."""

    def fetch(self, chunk: Chunk, transport: Transport, environment: Mapping[str, str]) -> list[RawBody]:
        """One body per issue."""
        if not chunk.universe:
            raise SourceNotConfiguredError(
                f"no symbol is known for {chunk.first} and Yahoo answers dividend symbol by symbol: load daily_bar "
                "first"
            )
        session = open_session(transport, environment)
        return [
            fetch_chart(
                session,
                issue.symbol + _SUFFIXES[issue.market],
                KST,
                _first_day(chunk),
                chunk.last,
                issue=issue.symbol,
            )
            for issue in chunk.universe
            if issue.market in _SUFFIXES
        ]

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """The dividends, which may be none.

        Raises:
            CoverageDrop: Yahoo has no bar of more than 5% of the symbols, so that it says nothing of dividends either.
            Malformed: not a chart, or one in another currency than won.
            NotPublished: it has no bar of any.
        """
        charts = {body.request["issue"]: read_chart(body) for body in bodies}
        traded = {issue: chart for issue, chart in charts.items() if chart and chart.result.get("timestamp")}
        require_coverage([issue for issue in charts if issue not in traded], len(charts), "bar")
        rows = [row for issue, chart in traded.items() for row in _dividends(chart, issue, chunk)]
        return pa.Table.from_pylist(rows, schema=dividend.DATASET.parsed_schema)


def _first_day(chunk: Chunk) -> date:
    return min(chunk.first, chunk.last - _DAYS_BEFORE)


def _dividends(chart: Chart, issue: str, chunk: Chunk) -> list[dict[str, Any]]:
    if chart.meta.get("currency") != _WON:
        raise Malformed(f"Yahoo {chart.symbol}: expected {_WON}, got {chart.meta.get('currency')!r}")
    try:
        events = chart.result.get("events", {}).get("dividends", {}).values()
        paid = [(chart.local_day(event["date"]), event["amount"]) for event in events]
    except (AttributeError, KeyError, TypeError) as problem:
        raise Malformed(
            f"Yahoo {chart.symbol}: expected events.dividends with date and amount ({problem!r})"
        ) from problem
    if len(dict(paid)) < len(paid):
        raise Malformed(f"Yahoo {chart.symbol}: a dividend appears twice")
    return [
        {
            "symbol": issue,
            "session": day,
            "amount_krw": exact(amount, _FOUR_PLACES, f"{chart.symbol} {day}"),
            "split_adjusted": True,
            "record_on": None,
            "paid_on": None,
        }
        for day, amount in sorted(paid)
        if _first_day(chunk) <= day <= chunk.last
    ]
