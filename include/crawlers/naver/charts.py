"""Naver's charts: bars of a stock or an index over a range, stock prices and volumes adjusted.

fchart (``fchart.stock.naver.com/sise.nhn``) answers XML in EUC-KR, siseJson (``api.finance.naver.com``) a
JavaScript literal that is nearly JSON. Adjusted prices are rounded repeatedly: they agree with exact ones to 0.5%.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
from bs4 import BeautifulSoup

from include.crawlers.naver.service import asked_for, day_of, decoded
from include.crawlers.source import RawBody
from include.outcomes import Malformed

_PRICE = pa.decimal128(18, 2)
CHART_SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("session", pa.date32()),
        ("open", _PRICE),
        ("high", _PRICE),
        ("low", _PRICE),
        ("close", _PRICE),
        ("volume", pa.int64()),
    ]
)
_PRICES = ("open", "high", "low", "close")
_SISE_HEADER = ["날짜", "시가", "고가", "저가", "종가", "거래량", "외국인소진율"]
_TRAILING_COMMA = re.compile(r",\s*\]")
_PLAIN_PRICE = re.compile(r"\d{1,15}(\.\d{1,2})?")
_PLAIN_WHOLE = re.compile(r"\d{1,15}")


def parse_fchart(content: bytes) -> pa.Table:
    """The bars of one fchart answer, oldest first, as ``CHART_SCHEMA``: won and shares, adjusted.

    Raises:
        Malformed: it is not such an answer.
    """
    where = "Naver fchart"
    try:
        text = content.decode("cp949")
    except UnicodeDecodeError as error:
        raise Malformed(f"{where}: expected XML in EUC-KR: {error}") from error
    chart = BeautifulSoup(text, "xml").find("chartdata")
    if chart is None or not text.rstrip().endswith("</protocol>"):
        raise Malformed(f"{where}: expected XML with the element chartdata, got {text[:60]!r}...")
    symbol = str(chart.get("symbol", ""))
    rows = [str(item.get("data", "")).split("|") for item in chart.find_all("item")]
    return _table(symbol, rows, f"{where} {symbol}")


def parse_sise_json(body: RawBody) -> pa.Table:
    """The bars of one siseJson answer, oldest first, as ``CHART_SCHEMA``; an index counts thousands of shares.

    Raises:
        Malformed: it is not such an answer.
    """
    where = asked_for(body)
    text = decoded(body, "utf-8")
    try:
        rows: Any = json.loads(_TRAILING_COMMA.sub("]", text.replace("'", '"')), parse_float=Decimal)
    except json.JSONDecodeError as error:
        raise Malformed(f"{where}: expected a list of lists, got {text[:60]!r}...") from error
    if not isinstance(rows, list) or not rows or rows[0] != _SISE_HEADER:
        raise Malformed(f"{where}: expected a list that starts with {_SISE_HEADER}, got {str(rows)[:120]}")
    for place, row in enumerate(rows[1:], start=1):
        # An index has no foreign share: its row may end before it.
        if not isinstance(row, list) or len(row) not in {6, 7} or any(isinstance(value, str) for value in row[1:]):
            raise Malformed(f"{where}, row {place}: expected a day and six numbers at most, got {str(row)[:120]}")
    return _table(body.request["symbol"], [[str(value) for value in row[:6]] for row in rows[1:]], where)


def _table(symbol: str, rows: Sequence[Sequence[str]], where: str) -> pa.Table:
    for place, row in enumerate(rows, start=1):
        if (
            len(row) != 6
            or not all(_PLAIN_PRICE.fullmatch(price) for price in row[1:5])
            or not _PLAIN_WHOLE.fullmatch(row[5])
        ):
            raise Malformed(f"{where}, row {place}: expected a day, open, high, low, close and volume, got {list(row)}")
    columns: dict[str, list[Any]] = {"symbol": [symbol] * len(rows)}
    columns["session"] = [day_of(row[0], "%Y%m%d", where) for row in rows]
    if len(set(columns["session"])) < len(rows):
        raise Malformed(f"{where}: a day appears twice")
    columns |= {name: [Decimal(row[place]) for row in rows] for place, name in enumerate(_PRICES, start=1)}
    columns["volume"] = [int(row[5]) for row in rows]
    return pa.table(columns, schema=CHART_SCHEMA)
