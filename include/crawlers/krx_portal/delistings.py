"""Delistings: MDCSTAT23801, a range of days. pykrx has no class of its own for this screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from include.crawlers.krx_portal.answers import read_answer, require_final
from include.crawlers.krx_portal.crawler import PortalCrawler, compact
from include.crawlers.krx_portal.session import Question
from include.crawlers.published_rows import GROUPED, read_columns, table_of
from include.crawlers.source import Chunk, RawBody
from include.datasets.delisting import DATASET

_BLD = "dbms/MDC/STAT/issue/MDCSTAT23801"
_LONGEST = timedelta(days=730)
_FIELDS: Mapping[str, str] = {
    "symbol": "ISU_CD",
    "session": "DELIST_DD",
    "name": "ISU_NM",
    "market": "MKT_NM",
    "security_group": "SECUGRP_NM",
    "listed_on": "LIST_DD",
    "reason": "DELIST_RSN_DSC",
    "successor_symbol": "TO_ISU_SRT_CD",
}


class DelistingCrawler(PortalCrawler):
    """Delistings of a range; for one session those of the two years up to it, since some are entered late."""

    def split(self, sessions: Sequence[date]) -> list[Chunk]:
        """One chunk: the screen answers ranges."""
        return [Chunk(sessions[0], sessions[-1])]

    def questions(self, chunk: Chunk) -> list[Question]:
        """Windows of two years, the longest the portal answers."""
        return [
            Question(
                _BLD,
                {"mktId": "ALL", "isuCd": "ALL", "isuCd2": "ALL", "strtDd": compact(first), "endDd": compact(last)},
            )
            for first, last in _windows(*_asked(chunk))
        ]

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """The delistings of the range asked for."""
        answers = [read_answer(body) for body in bodies]
        require_final(answers, chunk.last, DATASET.publication_hour)
        tables = [
            table_of(DATASET, read_columns(answer.rows, _FIELDS, DATASET, GROUPED, answer.where), {})
            for answer in answers
        ]
        rows = pa.concat_tables(tables)
        first, last = (pa.scalar(day) for day in _asked(chunk))
        return rows.filter(pc.and_(pc.greater_equal(rows["session"], first), pc.less_equal(rows["session"], last)))


def _asked(chunk: Chunk) -> tuple[date, date]:
    return (chunk.last - _LONGEST, chunk.last) if chunk.first == chunk.last else (chunk.first, chunk.last)


def _windows(first: date, last: date) -> Iterator[tuple[date, date]]:
    while first <= last:
        yield first, min(first + _LONGEST, last)
        first += _LONGEST + timedelta(days=1)
