"""KRX Open API: the exchange's official daily tables, one session and one market per call.

``https://data-dbg.krx.co.kr/svc/apis/{sto|idx|etp}/{endpoint}?basDd=YYYYMMDD``, header ``AUTH_KEY``, rows in
``OutBlock_1``; 10,000 calls a day per key. A session appears the next morning. A closed day answers 200 with
every price ``-`` and the share count still filled.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from include.crawlers.source import Chunk, RawBody
from include.crawlers.transport import SourceLimits, Transport
from include.datasets import daily_bar
from include.market.fluctuation import NONE, fluctuation_codes
from include.market.symbols import Market
from include.outcomes import Malformed, NotASession, NotPublished, SourceNotConfiguredError

SOURCE = "krx_openapi"
REAL_SERVICE = "https://data-dbg.krx.co.kr"
LIMITS = SourceLimits(calls_per_second=5)

_DAILY_ENDPOINTS = ("stk_bydd_trd", "ksq_bydd_trd", "knx_bydd_trd")
_CLOSED = "-"
_FIELDS: Mapping[str, str] = {
    "open": "TDD_OPNPRC",
    "high": "TDD_HGPRC",
    "low": "TDD_LWPRC",
    "close": "TDD_CLSPRC",
    "volume": "ACC_TRDVOL",
    "value_krw": "ACC_TRDVAL",
    "market_cap_krw": "MKTCAP",
    "listed_shares": "LIST_SHRS",
    "change": "CMPPREVDD_PRC",
}
_TEXT_FIELDS: Mapping[str, str] = {
    "symbol": "ISU_CD",
    "name": "ISU_NM",
    "section": "SECT_TP_NM",
    "market": "MKT_NM",
}
_REQUIRED = {"BAS_DD", "FLUC_RT", *_FIELDS.values(), *_TEXT_FIELDS.values()}


class DailyBarCrawler:
    """Daily bars of KOSPI, KOSDAQ and KONEX."""

    def held(self, environment: Mapping[str, str]) -> list[Chunk]:
        """Unknown: a range has to be given."""
        raise SourceNotConfiguredError("KRX Open API answers one session a call: say which with --from and --to")

    def split(self, sessions: Sequence[date]) -> list[Chunk]:
        """One chunk per session: the service knows no ranges."""
        return [Chunk(session, session) for session in sessions]

    def fetch(self, chunk: Chunk, transport: Transport, environment: Mapping[str, str]) -> list[RawBody]:
        """One body per market."""
        key = environment.get("KRXW_KRX_OPENAPI_KEY")
        if not key:
            raise SourceNotConfiguredError(
                "KRX Open API needs a key: set KRXW_KRX_OPENAPI_KEY (apply for one, and for each service, at the "
                "exchange's Open API site)"
            )
        service = environment.get("KRXW_KRX_OPENAPI_URL", REAL_SERVICE).rstrip("/")
        return [self._fetch_market(transport, service, endpoint, chunk.first, key) for endpoint in _DAILY_ENDPOINTS]

    def _fetch_market(self, transport: Transport, service: str, endpoint: str, day: date, key: str) -> RawBody:
        url = f"{service}/svc/apis/sto/{endpoint}"
        params = {"basDd": f"{day:%Y%m%d}"}
        content = transport.get(SOURCE, url, LIMITS, params=params, headers={"AUTH_KEY": key})
        return RawBody(content, {"endpoint": endpoint, **params}, datetime.now(UTC), ".json")

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """All markets' rows of the chunk's one session."""
        rows = [row for body in bodies for row in _rows(body)]
        if not rows:
            raise NotPublished(f"KRX Open API holds nothing for {chunk.first} yet")
        empty = [body.request["endpoint"] for body in bodies if not _rows(body)]
        if empty:
            raise Malformed(
                f"KRX Open API: {', '.join(empty)} is empty for {chunk.first} while other markets have rows"
            )
        if all(row["TDD_CLSPRC"] == _CLOSED for row in rows):
            raise NotASession(f"{chunk.first}: KRX Open API shows every price as '-', the exchange was closed")
        _require_day(rows, chunk.first)
        return _bars(rows, chunk.first)


def _rows(body: RawBody) -> list[dict[str, str]]:
    where = f"KRX Open API {body.request['endpoint']} {body.request['basDd']}"
    try:
        answer: Any = json.loads(body.content.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise Malformed(f"{where}: expected JSON in UTF-8, got {body.content[:60]!r}...") from error
    if not isinstance(answer, dict) or not isinstance(answer.get("OutBlock_1"), list):
        raise Malformed(f"{where}: expected an object with the list OutBlock_1, got {str(answer)[:80]}")
    rows: list[dict[str, str]] = answer["OutBlock_1"]
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise Malformed(f"{where}, row {number}: expected an object, got {str(row)[:80]}")
        missing = _REQUIRED - row.keys()
        if missing:
            raise Malformed(f"{where}, row {number}: no field {', '.join(sorted(missing))}; it has {', '.join(row)}")
    return rows


def _require_day(rows: Sequence[Mapping[str, str]], day: date) -> None:
    strange = {row["BAS_DD"] for row in rows} - {f"{day:%Y%m%d}"}
    if strange:
        raise Malformed(f"KRX Open API: asked for {day}, got rows of {', '.join(sorted(strange))}")


def _bars(rows: Sequence[Mapping[str, str]], day: date) -> pa.Table:
    columns: dict[str, list[Any]] = {
        column: [_number(row, field, place) for place, row in enumerate(rows, start=1)]
        for column, field in _FIELDS.items()
    }
    columns |= {column: [row[field] for row in rows] for column, field in _TEXT_FIELDS.items()}
    columns["session"] = [day] * len(rows)
    columns["venue"] = ["KRX"] * len(rows)
    columns["base_price"] = [close - change for close, change in zip(columns["close"], columns["change"], strict=True)]
    columns["fluctuation_code"] = _codes(columns, day)
    columns["halted"] = [
        code == NONE and opening == highest == lowest == 0
        for code, opening, highest, lowest in zip(
            *(columns[name] for name in ("fluctuation_code", "open", "high", "low")), strict=True
        )
    ]
    schema = daily_bar.DATASET.parsed_schema
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


def _codes(columns: Mapping[str, list[Any]], day: date) -> list[int]:
    """The fluctuation codes, which this service does not publish."""
    close, change, opening = (np.array(columns[name], np.int64) for name in ("close", "change", "open"))
    segments = np.array(columns["market"])
    codes = np.zeros(len(close), np.int16)
    for market in Market:
        rows = segments == market.value
        codes[rows] = fluctuation_codes(close[rows], change[rows], opening[rows] == 0, market, day)
    return [int(code) for code in codes]


def _number(row: Mapping[str, str], field: str, place: int) -> int:
    try:
        return int(row[field])
    except (TypeError, ValueError):
        raise Malformed(
            f"KRX Open API, row {place} ({row['ISU_CD']}): {field} is {row[field]!r}, expected a whole number"
        ) from None


CRAWLERS = {"daily_bar": DailyBarCrawler()}
