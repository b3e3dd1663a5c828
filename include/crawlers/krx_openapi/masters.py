"""The master of issues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import ClassVar

import pyarrow as pa

from include.crawlers.krx_openapi.service import (
    ETF_BARS,
    ETN_BARS,
    KONEX_OPENED,
    Endpoint,
    SessionCrawler,
    place_of,
    require_open,
    require_rows,
    require_session,
    rows_by_endpoint,
)
from include.crawlers.published_rows import PLAIN, Row, read_columns, require_fields, table_of
from include.crawlers.source import Chunk, RawBody
from include.datasets.instrument import DATASET
from include.market.instruments import InstrumentKind, instrument_kind

_NO_PAR = "무액면"
_STOCK_FIELDS: Mapping[str, str] = {
    "symbol": "ISU_SRT_CD",
    "isin": "ISU_CD",
    "name": "ISU_ABBRV",
    "full_name": "ISU_NM",
    "english_name": "ISU_ENG_NM",
    "market": "MKT_TP_NM",
    "section": "SECT_TP_NM",
    "listed_on": "LIST_DD",
    "par_value": "PARVAL",
    "listed_shares": "LIST_SHRS",
}
_KIND_FIELDS = ("SECUGRP_NM", "KIND_STKCERT_TP_NM", "ISU_NM")
_PRODUCT_FIELDS: Mapping[str, str] = {
    "symbol": "ISU_CD",
    "session": "BAS_DD",
    "name": "ISU_NM",
    "listed_shares": "LIST_SHRS",
}
_PRODUCT_KINDS = {ETF_BARS.name: InstrumentKind.ETF, ETN_BARS.name: InstrumentKind.ETN}


class InstrumentCrawler(SessionCrawler):
    """Stocks from their masters; ETFs and ETNs, which have none, from their daily tables."""

    endpoints: ClassVar = (
        Endpoint("sto/stk_isu_base_info"),
        Endpoint("sto/ksq_isu_base_info"),
        Endpoint("sto/knx_isu_base_info", since=KONEX_OPENED),
        ETF_BARS,
        ETN_BARS,
    )

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """All issues listed on the chunk's one session. The stocks' rows say no day."""
        published = rows_by_endpoint(bodies)
        products = [row for endpoint in _PRODUCT_KINDS for row in published.get(endpoint, [])]
        require_fields(products, ("TDD_CLSPRC", *_PRODUCT_FIELDS.values()), "KRX Open API, ETFs and ETNs")
        require_open(products, chunk.first)
        require_rows(published, chunk.first)
        require_session(products, chunk.first)
        return pa.concat_tables(
            _products(rows, endpoint, chunk.first)
            if endpoint in _PRODUCT_KINDS
            else _stocks(rows, endpoint, chunk.first)
            for endpoint, rows in published.items()
        )


def _stocks(rows: Sequence[Row], endpoint: str, session: date) -> pa.Table:
    where = place_of(endpoint, session)
    require_fields(rows, (*_STOCK_FIELDS.values(), *_KIND_FIELDS), where)
    rows = [{**row, "PARVAL": "-"} if row["PARVAL"] == _NO_PAR else row for row in rows]
    columns = read_columns(rows, _STOCK_FIELDS, DATASET, PLAIN, where)
    kinds = [instrument_kind(*(row[field] for field in _KIND_FIELDS)).value for row in rows]
    columns["kind"] = pa.array(kinds, pa.string())
    return table_of(DATASET, columns, {"session": session})


def _products(rows: Sequence[Row], endpoint: str, session: date) -> pa.Table:
    columns = read_columns(rows, _PRODUCT_FIELDS, DATASET, PLAIN, place_of(endpoint, session))
    unpublished = dict.fromkeys(("isin", "full_name", "english_name", "listed_on", "par_value"))
    kind = _PRODUCT_KINDS[endpoint].value
    return table_of(DATASET, columns, {**unpublished, "market": "KOSPI", "section": "", "kind": kind})
