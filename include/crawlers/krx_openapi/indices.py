"""Daily bars of indices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import pyarrow as pa

from include.crawlers.krx_openapi.service import (
    Endpoint,
    SessionCrawler,
    place_of,
    require_rows,
    require_session,
    rows_by_endpoint,
)
from include.crawlers.published_rows import PLAIN, read_columns, require_fields, table_of
from include.crawlers.source import Chunk, RawBody
from include.datasets.index_bar import DATASET
from include.outcomes import NotPublished

_FIELDS: Mapping[str, str] = {
    "index_name": "IDX_NM",
    "session": "BAS_DD",
    "open": "OPNPRC_IDX",
    "high": "HGPRC_IDX",
    "low": "LWPRC_IDX",
    "close": "CLSPRC_IDX",
    "change": "CMPPREVDD_IDX",
    "volume": "ACC_TRDVOL",
    "value_krw": "ACC_TRDVAL",
    "market_cap_krw": "MKTCAP",
}
_FAMILIES = {"krx_dd_trd": "KRX", "kospi_dd_trd": "KOSPI", "kosdaq_dd_trd": "KOSDAQ"}


class IndexBarCrawler(SessionCrawler):
    """Daily bars of the KRX, KOSPI and KOSDAQ series."""

    endpoints: ClassVar = tuple(Endpoint(f"idx/{name}") for name in _FAMILIES)

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """All indices' rows of the chunk's one session; an index without a close is not computed and left out.

        A closed day has no rows, as has a session not published yet: both are NotPublished.
        """
        published = rows_by_endpoint(bodies)
        require_rows(published, chunk.first)
        tables = []
        for endpoint, rows in published.items():
            where = place_of(endpoint, chunk.first)
            require_fields(rows, _FIELDS.values(), where)
            require_session(rows, chunk.first)
            computed = [row for row in rows if row["CLSPRC_IDX"] not in PLAIN.absent]
            if not computed:
                raise NotPublished(f"{where}: no index has a close yet")
            columns = read_columns(computed, _FIELDS, DATASET, PLAIN, where)
            tables.append(table_of(DATASET, columns, {"family": _FAMILIES[endpoint]}))
        return pa.concat_tables(tables)
