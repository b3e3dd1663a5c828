"""Daily bars of ETFs and ETNs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from include.crawlers.krx_openapi.service import (
    ETF_BARS,
    ETN_BARS,
    SessionCrawler,
    place_of,
    require_open,
    require_rows,
    require_session,
    rows_by_endpoint,
)
from include.crawlers.published_rows import PLAIN, Row, read_columns, require_fields, table_of
from include.crawlers.source import Chunk, RawBody
from include.datasets import etp_daily_bar

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
    "underlying_index": "IDX_IND_NM",
    "underlying_close": "OBJ_STKPRC_IDX",
    "name": "ISU_NM",
}
_KINDS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    ETF_BARS.name: ("ETF", {"nav": "NAV", "net_assets_krw": "INVSTASST_NETASST_TOTAMT"}),
    ETN_BARS.name: ("ETN", {"nav": "PER1SECU_INDIC_VAL", "net_assets_krw": "INDIC_VAL_AMT"}),
}


class EtpDailyBarCrawler(SessionCrawler):
    """Daily bars of exchange-traded products."""

    endpoints: ClassVar = (ETF_BARS, ETN_BARS)

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """All products' rows of the chunk's one session."""
        published = rows_by_endpoint(bodies)
        require_rows(published, chunk.first)
        for endpoint, rows in published.items():
            _, further = _KINDS[endpoint]
            require_fields(rows, (*_FIELDS.values(), *further.values()), place_of(endpoint, chunk.first))
        everything = [row for rows in published.values() for row in rows]
        require_open(everything, chunk.first)
        require_session(everything, chunk.first)
        return pa.concat_tables(_bars(rows, endpoint, chunk.first) for endpoint, rows in published.items())


def _bars(rows: Sequence[Row], endpoint: str, session: date) -> pa.Table:
    kind, further = _KINDS[endpoint]
    columns = read_columns(rows, {**_FIELDS, **further}, etp_daily_bar.DATASET, PLAIN, place_of(endpoint, session))
    columns["net_assets_krw"] = etp_daily_bar.net_assets(columns["net_assets_krw"])
    columns["base_price"] = pc.subtract(columns["close"], columns["change"])
    columns["halted"] = etp_daily_bar.halted(columns["high"], columns["volume"])
    return table_of(etp_daily_bar.DATASET, columns, {"kind": kind, "market": "KOSPI", "section": ""})
