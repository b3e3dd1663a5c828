"""The master of issues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import ClassVar

import pyarrow as pa

from include.crawlers import krx_masters
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
from include.market.instruments import InstrumentKind

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
            else krx_masters.stocks(rows, chunk.first, PLAIN, place_of(endpoint, chunk.first))
            for endpoint, rows in published.items()
        )


def _products(rows: Sequence[Row], endpoint: str, session: date) -> pa.Table:
    columns = read_columns(rows, _PRODUCT_FIELDS, DATASET, PLAIN, place_of(endpoint, session))
    unpublished = dict.fromkeys(("isin", "full_name", "english_name", "listed_on", "par_value"))
    kind = _PRODUCT_KINDS[endpoint].value
    return table_of(DATASET, columns, {**unpublished, "market": "KOSPI", "section": "", "kind": kind})
