"""Quotes of up to a hundred symbols a call, from what Naver's pages poll (``api/realtime``).

``nv`` is the last price, ``ov``, ``hv`` and ``lv`` open, high and low, ``aq`` the volume, ``cv`` the change with its
sign told by ``rf``: 1 upper limit, 2 up, 3 flat, 4 lower limit, 5 down. The turnover is rounded: it is left null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from include.crawlers.naver.service import (
    QUOTES,
    LatestOnlyCrawler,
    ask,
    asked_for,
    json_of,
    require_coverage,
    require_universe,
)
from include.crawlers.source import Chunk, RawBody
from include.crawlers.transport import Transport
from include.datasets import intraday_snapshot
from include.market.calendar import KST
from include.outcomes import Malformed, NotPublished

_SYMBOLS_A_CALL = 100
_NUMBERS: Mapping[str, str] = {"price": "nv", "open": "ov", "high": "hv", "low": "lv", "volume": "aq"}
_SIGNS = {"1": 1, "2": 1, "3": 0, "4": -1, "5": -1}


class IntradaySnapshotCrawler(LatestOnlyCrawler):
    """Quotes as of now, entered for the chunk's moment."""

    def fetch(self, chunk: Chunk, transport: Transport, environment: Mapping[str, str]) -> list[RawBody]:
        """One body per hundred symbols."""
        symbols = [issue.symbol for issue in require_universe(chunk, "intraday_snapshot")]
        groups = [symbols[first : first + _SYMBOLS_A_CALL] for first in range(0, len(symbols), _SYMBOLS_A_CALL)]
        return [
            ask(
                transport,
                environment,
                QUOTES,
                "/api/realtime",
                {"query": f"SERVICE_ITEM:{','.join(group)}"},
                endpoint="realtime",
                suffix=".json",
            )
            for group in groups
        ]

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """The quotes of the chunk's symbols.

        Raises:
            CoverageDrop: more than 5% of the symbols have no quote.
            Malformed: not an answer of api/realtime, or one with symbols nobody asked for.
            NotPublished: no symbol has a quote.
        """
        quotes = [quote for body in bodies for quote in _quotes(body, chunk)]
        if not quotes:
            raise NotPublished(f"Naver quotes none of the {len(chunk.universe)} symbols on {chunk.first}")
        asked, quoted = {issue.symbol for issue in chunk.universe}, [quote["symbol"] for quote in quotes]
        if len(set(quoted)) < len(quoted) or not asked.issuperset(quoted):
            raise Malformed("Naver realtime: a symbol is quoted twice, or one that was not asked for")
        require_coverage(len(asked), sorted(asked.difference(quoted)), "symbols")
        return pa.Table.from_pylist(quotes, schema=intraday_snapshot.DATASET.parsed_schema)


def _quotes(body: RawBody, chunk: Chunk) -> list[dict[str, Any]]:
    where = asked_for(body)
    answer = json_of(body, "cp949")
    try:
        entries = [entry for area in answer["result"]["areas"] for entry in area["datas"]]
        shown = datetime.fromtimestamp(answer["result"]["time"] / 1000, UTC).astimezone(KST).date()
        rows = [_quote(entry, chunk, where) for entry in entries]
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        raise Malformed(
            f"{where}: expected result.time and result.areas[].datas[] with their fields, {error!r} in "
            f"{str(answer)[:120]}"
        ) from error
    if shown != chunk.first:
        raise NotPublished(f"{where}: shows {shown}, not {chunk.first}")
    return rows


def _quote(entry: Mapping[str, Any], chunk: Chunk, where: str) -> dict[str, Any]:
    numbers = {name: entry[field] for name, field in {**_NUMBERS, "change": "cv"}.items()}
    wrong = [f"{name} {value!r}" for name, value in numbers.items() if type(value) is not int or abs(value) >= 2**63]
    sign = _SIGNS.get(entry["rf"])
    if wrong or sign is None or not isinstance(entry["cd"], str):
        raise Malformed(f"{where}: expected whole numbers and rf in 1-5, got {', '.join(wrong)} {str(entry)[:120]}")
    quote: dict[str, Any] = {
        **numbers,
        "symbol": entry["cd"],
        "session": chunk.first,
        "at": chunk.at,
        "venue": "KRX",
        "change": sign * abs(numbers["change"]),
        "value_krw": None,
    }
    return quote
