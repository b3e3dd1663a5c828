"""CSV files a person saved from the whole-market page (전종목 시세) of the exchange's data portal, one per session.

Any ``*_YYYYMMDD.csv`` in one folder, such as ``krx_market_cap_20240628.csv``. The file says nowhere which day it is
of, so its name is believed. Text is cp949; a closed day shows every price as ``-``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.crawlers.local_files import csv_rows, files_by_day, folder_of, read_body
from include.crawlers.published_rows import PLAIN, read_columns, require_fields, table_of
from include.crawlers.source import Chunk, RawBody
from include.crawlers.transport import Transport
from include.datasets import daily_bar
from include.market.fluctuation import whole_market_codes
from include.outcomes import NotASession, NotPublished

SOURCE = "krx_export"
_FILE_NAME = re.compile(r".*_(\d{8})\.csv")
_CLOSED = "-"
_FIELDS: Mapping[str, str] = {
    "symbol": "종목코드",
    "name": "종목명",
    "market": "시장구분",
    "section": "소속부",
    "close": "종가",
    "change": "대비",
    "open": "시가",
    "high": "고가",
    "low": "저가",
    "volume": "거래량",
    "value_krw": "거래대금",
    "market_cap_krw": "시가총액",
    "listed_shares": "상장주식수",
}


class DailyBarCrawler:
    """Daily bars, a session in a file."""

    def held(self, environment: Mapping[str, str]) -> list[Chunk]:
        """The days of the files."""
        return [Chunk(day, day) for day in _files(environment)]

    def split(self, sessions: Sequence[date]) -> list[Chunk]:
        """One chunk per session."""
        return [Chunk(session, session) for session in sessions]

    def fetch(self, chunk: Chunk, transport: Transport, environment: Mapping[str, str]) -> list[RawBody]:
        """The bytes of the session's file."""
        path = _files(environment).get(chunk.first)
        if path is None:
            raise NotPublished(f"no file of {chunk.first} in the folder of KRXW_KRX_EXPORT_PATH")
        return [read_body(path)]

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """All markets' rows of the file."""
        [body] = bodies
        name = body.request["file"]
        rows = csv_rows(body, "cp949")
        require_fields(rows, _FIELDS.values(), name)
        if all(row["종가"] == _CLOSED for row in rows):
            raise NotASession(f"{name} shows every price as '-': the exchange was closed")
        columns = read_columns(rows, _FIELDS, daily_bar.DATASET, PLAIN, name)
        close, change, opening = (columns[field].to_numpy() for field in ("close", "change", "open"))
        segments = np.array(columns["market"].to_pylist(), np.str_)
        columns["base_price"] = pc.subtract(columns["close"], columns["change"])
        columns["fluctuation_code"] = pa.array(whole_market_codes(close, change, opening == 0, segments, chunk.first))
        columns["halted"] = daily_bar.halted(
            columns["open"], columns["high"], columns["low"], columns["fluctuation_code"]
        )
        return table_of(daily_bar.DATASET, columns, {"session": chunk.first, "venue": "KRX"})


def _files(environment: Mapping[str, str]) -> dict[date, Path]:
    return files_by_day(folder_of(environment, "KRXW_KRX_EXPORT_PATH", "exports of the portal"), _FILE_NAME)


CRAWLERS = {"daily_bar": DailyBarCrawler()}
