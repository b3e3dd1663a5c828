"""Foreign holdings from Naver's page of foreign and institutional trading (``item/frgn.naver``): twenty sessions.

The site that holds the page announced its closure for 2026-09-10, and readers found no table in it after that. It is
still asked, since what took its place (:mod:`include.crawlers.naver.investor_flow`) gives no shares held: one call,
where it is gone, and the next source answers.
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
    up_to_unreadable,
    whole_number,
)
from include.crawlers.source import Chunk, RawBody
from include.crawlers.transport import Transport
from include.datasets import foreign_holding
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
    """One session of one stock: the shares foreigners held, and how much of the listed ones that is."""

    symbol: str
    session: date
    held: int
    held_pct: Decimal


class ForeignHoldingCrawler(LatestOnlyCrawler):
    """Shares held by foreigners."""

    def fetch(self, chunk: Chunk, transport: Transport, environment: Mapping[str, str]) -> list[RawBody]:
        """One page per symbol; no other after a first one without the table, which is how the page ends."""
        pages = (
            ask(
                transport,
                environment,
                SITE,
                "/item/frgn.naver",
                {"code": issue.symbol, "page": "1"},
                endpoint="frgn",
                suffix=".html",
            )
            for issue in require_universe(chunk, "foreign_holding")
        )
        return up_to_unreadable(pages, _rows)

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """One row per symbol.

        Raises:
            CoverageDrop: more than 5% of the pages lack the chunk's session.
            Malformed: a page is not of this form.
            Missing: the pages start after the session.
            NotPublished: no page shows it yet.
        """
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
    """Each page's row of ``session``."""
    pages = {body.request["code"]: _rows(body) for body in bodies}
    found = [row for rows in pages.values() for row in rows if row.session == session]
    if not found:
        shown = [row.session for rows in pages.values() for row in rows]
        if shown and min(shown) > session:
            raise Missing(f"Naver shows sessions from {min(shown)} on, not {session}: ask another source")
        raise NotPublished(f"Naver shows no foreign holdings of {session} yet")
    require_coverage(len(pages), sorted(pages.keys() - {row.symbol for row in found}), "symbols")
    return found


def _rows(body: RawBody) -> list[_Row]:
    where = asked_for(body)
    table = _holding_table(body)
    lines = [texts(line.find_all("td")) for line in table.find_all("tr")]
    rows = [_row(cells, body.request["code"], where) for cells in lines if len(cells) > 1 and any(cells)]
    if len({row.session for row in rows}) < len(rows):
        raise Malformed(f"{where}: a session appears twice")
    return rows


def _holding_table(body: RawBody) -> Tag:
    """The table by session: the page has others of its class."""
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
        held=whole_number(cells[7], where),
        held_pct=decimal_number(cells[8].removesuffix("%"), 2, where),
    )
