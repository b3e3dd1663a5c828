"""KOSPI, KOSDAQ and KOSPI 200 from Naver's siseJson.

Neither the change nor the turnover is published, and the volume is rounded to thousands of shares: they are null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from include.crawlers.naver.charts import parse_sise_json
from include.crawlers.naver.service import CHARTS, LatestOnlyCrawler, ask, asked_for
from include.crawlers.source import Chunk, RawBody
from include.crawlers.transport import Transport
from include.datasets import index_bar
from include.outcomes import Malformed, NotPublished

_ENDPOINT = "siseJson"


@dataclass(frozen=True)
class _Index:
    name: str
    family: str


_INDICES = {
    "KOSPI": _Index("코스피", "KOSPI"),
    "KOSDAQ": _Index("코스닥", "KOSDAQ"),
    "KPI200": _Index("코스피 200", "KOSPI"),
}


class IndexBarCrawler(LatestOnlyCrawler):
    """Index bars: a range of days in one answer per index."""

    def split(self, sessions: Sequence[date]) -> list[Chunk]:
        """One chunk of all sessions."""
        return [Chunk(sessions[0], sessions[-1])]

    def fetch(self, chunk: Chunk, transport: Transport, environment: Mapping[str, str]) -> list[RawBody]:
        """One body per index."""
        days = {"startTime": f"{chunk.first:%Y%m%d}", "endTime": f"{chunk.last:%Y%m%d}"}
        return [
            ask(
                transport,
                environment,
                CHARTS,
                "/siseJson.naver",
                {"symbol": symbol, "requestType": "1", **days, "timeframe": "day"},
                endpoint=_ENDPOINT,
                suffix=".js",
            )
            for symbol in _INDICES
        ]

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """The indices' bars within the chunk.

        Raises:
            Malformed: not an answer of siseJson, of other days, or of some of the indices only.
            NotPublished: no index has a bar yet.
        """
        charts = [(body, parse_sise_json(body)) for body in bodies]
        empty = [asked_for(body) for body, chart in charts if chart.num_rows == 0]
        if len(empty) == len(charts):
            raise NotPublished(f"Naver holds no index bar from {chunk.first} to {chunk.last} yet")
        if empty:
            raise Malformed(f"{', '.join(empty)} is empty while other indices have bars")
        for body, chart in charts:
            _require_days(chart, chunk, asked_for(body))
        return pa.concat_tables(_bars(chart, _INDICES[body.request["symbol"]]) for body, chart in charts)


def _require_days(chart: pa.Table, chunk: Chunk, where: str) -> None:
    strange = [day for day in chart["session"].to_pylist() if not chunk.first <= day <= chunk.last]
    if strange:
        raise Malformed(f"{where}: asked for {chunk.first} to {chunk.last}, got {', '.join(map(str, strange))}")


def _bars(chart: pa.Table, index: _Index) -> pa.Table:
    rows = chart.num_rows
    columns: dict[str, Any] = {name: chart[name] for name in ("session", "open", "high", "low", "close")}
    columns["index_name"] = pa.repeat(index.name, rows)
    columns["family"] = pa.repeat(index.family, rows)
    schema = index_bar.DATASET.parsed_schema
    for name in ("change", "volume", "value_krw", "market_cap_krw"):
        columns[name] = pa.nulls(rows, schema.field(name).type)
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)
