"""Daily bars of stocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.crawlers.krx_openapi.service import (
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
from include.datasets import daily_bar
from include.market.fluctuation import whole_market_codes

_FIELDS: Mapping[str, str] = {
    "symbol": "ISU_CD",
    "session": "BAS_DD",
    "open": "TDD_OPNPRC",
    "high": "TDD_HGPRC",
    "low": "TDD_LWPRC",
    "close": "TDD_CLSPRC",
    "volume": "ACC_TRDVOL",
    "value_krw": "ACC_TRDVAL",
    "market_cap_krw": "MKTCAP",
    "listed_shares": "LIST_SHRS",
    "change": "CMPPREVDD_PRC",
    "market": "MKT_NM",
    "name": "ISU_NM",
    "section": "SECT_TP_NM",
}


class DailyBarCrawler(SessionCrawler):
    """Daily bars of KOSPI, KOSDAQ and KONEX."""

    endpoints: ClassVar = (
        Endpoint("sto/stk_bydd_trd"),
        Endpoint("sto/ksq_bydd_trd"),
        Endpoint("sto/knx_bydd_trd", since=KONEX_OPENED),
    )

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """All markets' rows of the chunk's one session."""
        published = rows_by_endpoint(bodies)
        require_rows(published, chunk.first)
        for endpoint, rows in published.items():
            require_fields(rows, ("FLUC_RT", *_FIELDS.values()), place_of(endpoint, chunk.first))
        everything = [row for rows in published.values() for row in rows]
        require_open(everything, chunk.first)
        require_session(everything, chunk.first)
        return pa.concat_tables(_bars(rows, endpoint, chunk.first) for endpoint, rows in published.items())


def _bars(rows: Sequence[Row], endpoint: str, session: date) -> pa.Table:
    columns = read_columns(rows, _FIELDS, daily_bar.DATASET, PLAIN, place_of(endpoint, session))
    columns["base_price"] = pc.subtract(columns["close"], columns["change"])
    close, change, opening = (columns[name].to_numpy() for name in ("close", "change", "open"))
    segments = np.array(columns["market"].to_pylist())
    # This service does not publish the codes.
    columns["fluctuation_code"] = pa.array(whole_market_codes(close, change, opening == 0, segments, session))
    columns["halted"] = daily_bar.halted(columns["open"], columns["high"], columns["low"], columns["fluctuation_code"])
    return table_of(daily_bar.DATASET, columns, {"venue": "KRX"})
