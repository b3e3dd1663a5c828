"""Snapshots of the exchange's lists of issues, as others saved them, in one folder.

``krx_delisting_YYYY-MM-DD.csv``: every delisting up to that day. ``krx_instrument_metadata*_YYYY-MM-DD.json.gz``: the
portal's masters of stocks, ETFs and ETNs as of that day. ``krx_listing_YYYY-MM-DD.csv``: the list of stocks with the
day's prices; when on that day it was taken is not said, so that only one taken after the close is the daily table.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from include.crawlers import krx_masters
from include.crawlers.local_files import csv_rows, files_by_day, folder_of, read_body
from include.crawlers.published_rows import (
    GROUPED,
    PLAIN,
    Notation,
    Row,
    read_columns,
    require_fields,
    table_of,
)
from include.crawlers.source import Chunk, RawBody
from include.crawlers.transport import Transport
from include.datasets import daily_bar, delisting
from include.market.calendar import FIRST_KNOWN_DAY
from include.market.instruments import InstrumentKind
from include.outcomes import Malformed, NotPublished

SOURCE = "krx_listings"
_ISO = Notation(number=PLAIN.number, day="%Y-%m-%d", absent=("",))
_UTF8 = "utf-8-sig"
_DELISTINGS = re.compile(r"krx_delisting_(\d{4}-\d{2}-\d{2})\.csv")
_MASTERS = re.compile(r"krx_instrument_metadata.*_(\d{4}-\d{2}-\d{2})\.json(?:\.gz)?")
_LISTINGS = re.compile(r"krx_listing_(\d{4}-\d{2}-\d{2})\.csv")

_DELISTING_FIELDS: Mapping[str, str] = {
    "symbol": "Symbol",
    "session": "DelistingDate",
    "name": "Name",
    "market": "Market",
    "security_group": "SecuGroup",
    "listed_on": "ListingDate",
    "reason": "Reason",
    "successor_symbol": "ToSymbol",
}
_PRODUCTS = {"etf": InstrumentKind.ETF, "etn": InstrumentKind.ETN}
_BAR_FIELDS: Mapping[str, str] = {
    "symbol": "Code",
    "name": "Name",
    "market": "Market",
    "section": "Dept",
    "close": "Close",
    "fluctuation_code": "ChangeCode",
    "change": "Changes",
    "open": "Open",
    "high": "High",
    "low": "Low",
    "volume": "Volume",
    "value_krw": "Amount",
    "market_cap_krw": "Marcap",
    "listed_shares": "Stocks",
}


class DelistingCrawler:
    """Delistings of any range, from the newest list."""

    def held(self, environment: Mapping[str, str]) -> list[Chunk]:
        """From the exchange's opening to the day of the newest list."""
        return [Chunk(FIRST_KNOWN_DAY, max(_files(environment, _DELISTINGS)))]

    def split(self, sessions: Sequence[date]) -> list[Chunk]:
        """One chunk of all sessions: every list holds everything before it."""
        return [Chunk(sessions[0], sessions[-1])]

    def fetch(self, chunk: Chunk, transport: Transport, environment: Mapping[str, str]) -> list[RawBody]:
        """The bytes of the newest list."""
        files = _files(environment, _DELISTINGS)
        newest = max(files)
        if newest < chunk.last:
            raise NotPublished(f"the newest list of delistings, {files[newest].name}, ends before {chunk.last}")
        return [read_body(files[newest])]

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """The delistings within the chunk, which may be none; one that has two reasons is listed twice."""
        [body] = bodies
        rows = csv_rows(body, _UTF8)
        require_fields(rows, _DELISTING_FIELDS.values(), body.request["file"])
        columns = read_columns(_once(rows), _DELISTING_FIELDS, delisting.DATASET, _ISO, body.request["file"])
        table = table_of(delisting.DATASET, columns, {})
        within = pc.and_(
            pc.greater_equal(table["session"], pa.scalar(chunk.first)),
            pc.less_equal(table["session"], pa.scalar(chunk.last)),
        )
        return table.filter(within)


class _SnapshotCrawler:
    """One session in a file named after its day."""

    def __init__(self, name: re.Pattern[str]) -> None:
        self._name = name

    def held(self, environment: Mapping[str, str]) -> list[Chunk]:
        """The days of the files."""
        return [Chunk(day, day) for day in _files(environment, self._name)]

    def split(self, sessions: Sequence[date]) -> list[Chunk]:
        """One chunk per session."""
        return [Chunk(session, session) for session in sessions]

    def fetch(self, chunk: Chunk, transport: Transport, environment: Mapping[str, str]) -> list[RawBody]:
        """The bytes of the session's file."""
        path = _files(environment, self._name).get(chunk.first)
        if path is None:
            raise NotPublished(f"no file like {self._name.pattern} of {chunk.first} in KRXW_KRX_LISTINGS_PATH")
        return [read_body(path)]


class InstrumentCrawler(_SnapshotCrawler):
    """The master of stocks, ETFs and ETNs."""

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """All issues listed on the chunk's one session."""
        [body] = bodies
        name = body.request["file"]
        masters = _json_object(body)
        observed = masters.get("source_observation_date")
        if observed != chunk.first.isoformat():
            raise Malformed(f"{name}: expected the masters of {chunk.first}, got those of {observed!r}")
        parts = ("equity", *_PRODUCTS)
        lists = {part: masters[part] for part in parts if isinstance(masters.get(part), list) and masters[part]}
        if len(lists) < len(parts):
            raise Malformed(f"{name}: expected lists with rows {', '.join(parts)}, got {', '.join(lists)}")
        return pa.concat_tables(
            krx_masters.products(rows, _PRODUCTS[part], chunk.first, GROUPED, f"{name}, {part}")
            if part in _PRODUCTS
            else krx_masters.stocks(rows, chunk.first, GROUPED, name)
            for part, rows in lists.items()
        )


class DailyBarCrawler(_SnapshotCrawler):
    """Daily bars, as far as the list was taken after the close."""

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """All rows of the list."""
        [body] = bodies
        columns = read_columns(csv_rows(body, _UTF8), _BAR_FIELDS, daily_bar.DATASET, PLAIN, body.request["file"])
        columns["base_price"] = pc.subtract(columns["close"], columns["change"])
        columns["halted"] = daily_bar.halted(
            columns["open"], columns["high"], columns["low"], columns["fluctuation_code"]
        )
        return table_of(daily_bar.DATASET, columns, {"session": chunk.first, "venue": "KRX"})


def _files(environment: Mapping[str, str], name: re.Pattern[str]) -> dict[date, Path]:
    return files_by_day(folder_of(environment, "KRXW_KRX_LISTINGS_PATH", "lists of issues"), name)


def _once(rows: Sequence[Row]) -> list[Row]:
    """Each delisting once, with all its reasons."""
    merged: dict[tuple[str, str], Row] = {}
    for row in rows:
        key = (row["Symbol"], row["DelistingDate"])
        earlier = merged.get(key)
        merged[key] = {**row, "Reason": f"{earlier['Reason']}; {row['Reason']}"} if earlier else row
    return list(merged.values())


def _json_object(body: RawBody) -> dict[str, Any]:
    name = body.request["file"]
    try:
        content = gzip.decompress(body.content) if name.endswith(".gz") else body.content
        document = json.loads(content.decode("utf-8"))
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise Malformed(f"{name} is truncated or not JSON: {error}") from error
    if not isinstance(document, dict):
        raise Malformed(f"{name}: expected an object, got {str(document)[:80]}")
    return document


CRAWLERS = {
    "daily_bar": DailyBarCrawler(_LISTINGS),
    "delisting": DelistingCrawler(),
    "instrument": InstrumentCrawler(_MASTERS),
}
