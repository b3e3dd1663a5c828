"""Files of ETF holdings that others made from FunETF and from fund companies' pages, in one folder.

CSV with a byte-order mark, ``YYYYMMDD-*.csv``, in two layouts: ``weight_pct``, or ``current_weight_pct`` beside the
previous one; it names components without their codes. JSON, ``YYYY-MM-DD*.json``: ``{asOf, etfs: {code: {asOf,
holdings: [{n, t, w}]}}}``, which also holds funds of other exchanges; those are left out.

Every row says its own day, at most a week before the file's, and the newest file that has a fund's day counts. Lists
may be cut off, so no portfolio is called complete. Weights are rounded to four decimals. A component without a code of
the Korean exchange is entered as ``other``, or as ``cash`` where its name says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pyarrow as pa

from include.crawlers.local_files import csv_rows, folder_of, read_body
from include.crawlers.published_rows import require_fields
from include.crawlers.source import Chunk, RawBody
from include.crawlers.transport import Transport
from include.datasets import etf_holding
from include.market.symbols import is_valid_symbol
from include.outcomes import Malformed, NotPublished, SourceNotConfiguredError

SOURCE = "funetf"
_FILE_NAME = re.compile(r"(\d{8}-.*\.csv|\d{4}-\d{2}-\d{2}.*\.json)")
_LATEST = timedelta(days=7)
_CASH = "현금"
_FOUR_PLACES = Decimal("0.0001")
_LARGEST_WEIGHT = 10**10


@dataclass(frozen=True)
class _Holding:
    fund: str
    day: date
    component: str
    name: str
    weight_pct: Decimal


class EtfHoldingCrawler:
    """Holdings of the funds in the files."""

    def held(self, environment: Mapping[str, str]) -> list[Chunk]:
        """The range of days the files can speak of."""
        days = [day for day, _ in _files(environment)]
        return [Chunk(min(days) - _LATEST, max(days))]

    def split(self, sessions: Sequence[date]) -> list[Chunk]:
        """One chunk per session."""
        return [Chunk(session, session) for session in sessions]

    def fetch(self, chunk: Chunk, transport: Transport, environment: Mapping[str, str]) -> list[RawBody]:
        """The bytes of the session's files and of a week's after it, in order."""
        paths = [path for day, path in _files(environment) if chunk.first <= day <= chunk.last + _LATEST]
        if not paths:
            raise NotPublished(f"no file of holdings from {chunk.first} to {chunk.last + _LATEST}")
        return [read_body(path) for path in paths]

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """The funds' rows of the chunk's one session."""
        portfolios: dict[str, list[_Holding]] = {}
        for body in bodies:
            portfolios |= _portfolios(_holdings(body), chunk.first)
        if not portfolios:
            names = ", ".join(body.request["file"] for body in bodies)
            raise NotPublished(f"no fund's holdings of {chunk.first} in {names}")
        rows = [
            _row(holding, place) for holdings in portfolios.values() for place, holding in enumerate(holdings, start=1)
        ]
        return pa.Table.from_pylist(rows, schema=etf_holding.DATASET.parsed_schema)


def _files(environment: Mapping[str, str]) -> list[tuple[date, Path]]:
    """The files with the day of their names, in order of both."""
    folder = folder_of(environment, "KRXW_FUNETF_PATH", "files of ETF holdings")
    named = [(path, _FILE_NAME.fullmatch(path.name)) for path in folder.iterdir()]
    try:
        files = [(date.fromisoformat(_day_part(path.name)), path) for path, match in named if match]
    except ValueError as error:
        raise SourceNotConfiguredError(f"{folder}: a file's name does not start with a day: {error}") from None
    if not files:
        raise SourceNotConfiguredError(f"{folder} holds no YYYYMMDD-*.csv or YYYY-MM-DD*.json")
    return sorted(files)


def _day_part(name: str) -> str:
    return name[:8] if name.endswith(".csv") else name[:10]


def _portfolios(holdings: Iterable[_Holding], session: date) -> dict[str, list[_Holding]]:
    """The holdings of ``session`` by fund of the Korean exchange."""
    portfolios: dict[str, list[_Holding]] = {}
    for holding in holdings:
        if holding.day == session and is_valid_symbol(holding.fund):
            portfolios.setdefault(holding.fund, []).append(holding)
    return portfolios


def _holdings(body: RawBody) -> Iterator[_Holding]:
    return _of_json(body) if body.request["file"].endswith(".json") else _of_csv(body)


def _of_csv(body: RawBody) -> Iterator[_Holding]:
    name = body.request["file"]
    rows = csv_rows(body, "utf-8-sig")
    weight = "weight_pct" if "weight_pct" in rows[0] else "current_weight_pct"
    require_fields(rows, ("short_code", "holding_name", "asof_date", weight), name)
    for place, row in enumerate(rows, start=1):
        where = f"{name}, row {place}"
        day = _day(row["asof_date"], where)
        yield _Holding(row["short_code"], day, "", row["holding_name"], _weight(row[weight], where))


def _of_json(body: RawBody) -> Iterator[_Holding]:
    name = body.request["file"]
    try:
        document: Any = json.loads(body.content.decode("utf-8"), parse_float=Decimal)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise Malformed(f"{name}: expected JSON in UTF-8, got {body.content[:60]!r}...") from error
    try:
        for fund, portfolio in document["etfs"].items():
            day = _day(portfolio["asOf"], f"{name}, {fund}")
            for held in portfolio["holdings"]:
                weight = _weight(held["w"], f"{name}, {fund}")
                yield _Holding(str(fund), day, str(held["t"]), str(held["n"]), weight)
    except (AttributeError, KeyError, TypeError) as error:
        raise Malformed(f"{name}: expected etfs.{{code}}.asOf and .holdings[] with n, t and w: {error!r}") from error


def _day(text: Any, where: str) -> date:
    try:
        return date.fromisoformat(text)
    except (TypeError, ValueError):
        raise Malformed(f"{where}: expected a day as YYYY-MM-DD, got {text!r}") from None


def _weight(value: Any, where: str) -> Decimal:
    try:
        weight = Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        weight = Decimal("NaN")
    if not weight.is_finite() or abs(weight) > _LARGEST_WEIGHT:
        raise Malformed(f"{where}: expected a weight in percent, got {value!r}")
    return weight.quantize(_FOUR_PLACES, ROUND_HALF_EVEN)


def _row(holding: _Holding, place: int) -> dict[str, Any]:
    kind = "stock" if is_valid_symbol(holding.component) else "cash" if _CASH in holding.name else "other"
    return {
        "fund": holding.fund,
        "session": holding.day,
        "position": place,
        "component": holding.component,
        "name": holding.name,
        "kind": kind,
        "shares": None,
        "value_krw": None,
        "weight_pct": holding.weight_pct,
        "complete": False,
    }


CRAWLERS = {"etf_holding": EtfHoldingCrawler()}
