"""Valuation ratios and foreign holdings: a day's market (MDCSTAT03501, 03701) and an issue's days (03502, 03702)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from include.crawlers.krx_portal.answers import read_answer, require_final, require_open
from include.crawlers.krx_portal.crawler import PortalCrawler, compact, screen
from include.crawlers.krx_portal.session import Question
from include.crawlers.published_rows import GROUPED, read_columns, table_of
from include.crawlers.source import Chunk, RawBody
from include.datasets import foreign_holding, fundamental
from include.datasets.registry import Dataset

_SYMBOL: Mapping[str, str] = {"symbol": "ISU_SRT_CD"}
_SESSION: Mapping[str, str] = {"session": "TRD_DD"}
_RATIOS: Mapping[str, str] = {
    "close": "TDD_CLSPRC",
    "eps_krw": "EPS",
    "per": "PER",
    "bps_krw": "BPS",
    "pbr": "PBR",
    "dps_krw": "DPS",
    "dividend_yield_pct": "DVD_YLD",
}
_HOLDINGS: Mapping[str, str] = {
    "foreign_shares": "FORN_HD_QTY",
    "foreign_pct": "FORN_SHR_RT",
    "listed_shares": "LIST_SHRS",
    "limit_shares": "FORN_ORD_LMT_QTY",
    "limit_used_pct": "FORN_LMT_EXHST_RT",
}


class FundamentalCrawler(PortalCrawler):
    """Valuation ratios of all markets."""

    def questions(self, chunk: Chunk) -> list[Question]:
        """All markets at once."""
        return [screen("MDCSTAT03501", mktId="ALL", trdDd=compact(chunk.first))]

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """All rows of the chunk's one session."""
        return _market_day(bodies, chunk, fundamental.DATASET, _RATIOS)


class ForeignHoldingCrawler(PortalCrawler):
    """Foreign holdings of all markets."""

    def questions(self, chunk: Chunk) -> list[Question]:
        """All markets at once; ``isuLmtRto`` 0 is every issue, 1 only those whose foreign holding is limited."""
        return [screen("MDCSTAT03701", searchType="1", mktId="ALL", trdDd=compact(chunk.first), isuLmtRto="0")]

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """All rows of the chunk's one session."""
        return _market_day(bodies, chunk, foreign_holding.DATASET, _HOLDINGS)


def ratio_history(body: RawBody) -> pa.Table:
    """The ratios in an answer of MDCSTAT03502, newest first: the columns of ``fundamental`` without the symbol.

    For comparison with the screen by session: no dataset is collected from it.

    Raises:
        Malformed: it is no such answer.
    """
    answer = read_answer(body)
    return pa.table(read_columns(answer.rows, {**_SESSION, **_RATIOS}, fundamental.DATASET, GROUPED, answer.where))


def holding_history(body: RawBody) -> pa.Table:
    """The holdings in an answer of MDCSTAT03702: the columns of ``foreign_holding`` without the symbol.

    For comparison with the screen by session: no dataset is collected from it.

    Raises:
        Malformed: it is no such answer.
    """
    answer = read_answer(body)
    fields = {**_SESSION, **_HOLDINGS}
    return pa.table(read_columns(answer.rows, fields, foreign_holding.DATASET, GROUPED, answer.where))


def _market_day(bodies: Sequence[RawBody], chunk: Chunk, dataset: Dataset, fields: Mapping[str, str]) -> pa.Table:
    answers = [read_answer(body) for body in bodies]
    require_final(answers, chunk.first, dataset.publication_hour)
    [answer] = answers
    require_open(answer.rows, "TDD_CLSPRC", chunk.first, answer.where)
    columns = read_columns(answer.rows, {**_SYMBOL, **fields}, dataset, GROUPED, answer.where)
    return table_of(dataset, columns, {"session": chunk.first})
