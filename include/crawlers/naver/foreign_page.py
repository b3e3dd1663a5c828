"""Naver's page of foreign and institutional trading of a stock (``item/frgn.naver``): its last twenty sessions.

One table gives, in shares, what institutions and foreigners bought net and what foreigners hold. No other class of
investors is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import pyarrow as pa
from bs4 import Tag

from include.crawlers.naver.service import (
    SITE,
    LatestOnlyCrawler,
    ask,
    asked_for,
    day_of,
    decimal_number,
    page_of,
    require_coverage,
    require_universe,
    texts,
    whole_number,
)
from include.crawlers.source import Chunk, RawBody
from include.crawlers.transport import Transport
from include.datasets import foreign_holding, investor_flow
from include.market.investors import Investor
from include.outcomes import Malformed, Missing, NotPublished

_HEADER = [
    "날짜",
    "종가",
    "전일비",
    "등락률",
    "거래량",
    "기관",
    "외국인",
    "순매매량",
    "순매매량",
    "보유주수",
    "보유율",
]


@dataclass(frozen=True)
class _Row:
    """One session of one stock, in shares; ``held_pct`` of the listed ones."""

    symbol: str
    session: date
    institution_net: int
    foreign_net: int
    held: int
    held_pct: Decimal


class _ForeignPageCrawler(LatestOnlyCrawler):
    dataset: str

    def fetch(self, chunk: Chunk, transport: Transport, environment: Mapping[str, str]) -> list[RawBody]:
        """One page per symbol."""
        return [
            ask(
                transport,
                environment,
                SITE,
                "/item/frgn.naver",
                {"code": issue.symbol, "page": "1"},
                endpoint="frgn",
                suffix=".html",
            )
            for issue in require_universe(chunk, self.dataset)
        ]


class InvestorFlowCrawler(_ForeignPageCrawler):
    """Net shares bought by institutions and by foreigners."""

    dataset = "investor_flow"

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """Two rows per symbol; see ``_rows_of_session`` for what is raised."""
        rows = [
            {"symbol": row.symbol, "session": row.session, "investor": investor.value, "net_shares": net}
            for row in _rows_of_session(bodies, chunk.first)
            for investor, net in (
                (Investor.INSTITUTION, row.institution_net),
                (Investor.FOREIGN, row.foreign_net),
            )
        ]
        return pa.Table.from_pylist(rows, schema=investor_flow.DATASET.parsed_schema)


class ForeignHoldingCrawler(_ForeignPageCrawler):
    """Shares held by foreigners."""

    dataset = "foreign_holding"

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """One row per symbol; see ``_rows_of_session`` for what is raised."""
        rows = [
            {
                "symbol": row.symbol,
                "session": row.session,
                "foreign_shares": row.held,
                "foreign_pct": row.held_pct,
            }
            for row in _rows_of_session(bodies, chunk.first)
        ]
        return pa.Table.from_pylist(rows, schema=foreign_holding.DATASET.parsed_schema)


def _rows_of_session(bodies: Sequence[RawBody], session: date) -> list[_Row]:
    """Each page's row of ``session``.

    Raises:
        CoverageDrop: more than 5% of the pages lack it.
        Malformed: a page is not of this form.
        Missing: the pages start after the session.
        NotPublished: no page shows the session yet.
    """
    pages = {body.request["code"]: _rows(body) for body in bodies}
    found = [row for rows in pages.values() for row in rows if row.session == session]
    if not found:
        shown = [row.session for rows in pages.values() for row in rows]
        if shown and min(shown) > session:
            raise Missing(f"Naver shows sessions from {min(shown)} on, not {session}: ask another source")
        raise NotPublished(f"Naver shows no flows of {session} yet")
    require_coverage(len(pages), sorted(pages.keys() - {row.symbol for row in found}), "symbols")
    return found


def _rows(body: RawBody) -> list[_Row]:
    where = asked_for(body)
    table = _flow_table(body)
    lines = [texts(line.find_all("td")) for line in table.find_all("tr")]
    rows = [_row(cells, body.request["code"], where) for cells in lines if len(cells) > 1 and any(cells)]
    if len({row.session for row in rows}) < len(rows):
        raise Malformed(f"{where}: a session appears twice")
    return rows


def _flow_table(body: RawBody) -> Tag:
    """The table with the header of flows: the page has others of its class."""
    headers = []
    for table in page_of(body).select("table.type2"):
        headers.append(["".join(text.split()) for text in texts(table.find_all("th"))])
        if headers[-1] == _HEADER:
            return table
    raise Malformed(f"{asked_for(body)}: expected a table.type2 with the header {_HEADER}, got {headers}")


def _row(cells: Sequence[str], symbol: str, where: str) -> _Row:
    if len(cells) != 9:
        raise Malformed(f"{where}: expected nine cells, got {list(cells)}")
    return _Row(
        symbol=symbol,
        session=day_of(cells[0], "%Y.%m.%d", where),
        institution_net=whole_number(cells[5], where),
        foreign_net=whole_number(cells[6], where),
        held=whole_number(cells[7], where),
        held_pct=decimal_number(cells[8].removesuffix("%"), 2, where),
    )
