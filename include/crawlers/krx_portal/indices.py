"""Index bars: MDCSTAT00101, all indices of a family on a day, and MDCSTAT00301, one index's days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import pyarrow as pa

from include.crawlers.krx_portal.answers import (
    Answer,
    read_answer,
    require_final,
    require_open,
    require_siblings,
)
from include.crawlers.krx_portal.crawler import PortalCrawler, compact, screen
from include.crawlers.krx_portal.session import Question
from include.crawlers.published_rows import GROUPED, read_columns, table_of
from include.crawlers.source import Chunk, RawBody
from include.datasets.index_bar import DATASET

_FIGURES: Mapping[str, str] = {
    "open": "OPNPRC_IDX",
    "high": "HGPRC_IDX",
    "low": "LWPRC_IDX",
    "close": "CLSPRC_IDX",
    "volume": "ACC_TRDVOL",
    "value_krw": "ACC_TRDVAL",
    "market_cap_krw": "MKTCAP",
}
_FAMILIES = {"01": "KRX", "02": "KOSPI", "03": "KOSDAQ"}


class IndexBarCrawler(PortalCrawler):
    """Daily bars of the KRX, KOSPI and KOSDAQ series."""

    def questions(self, chunk: Chunk) -> list[Question]:
        """One family each."""
        day = compact(chunk.first)
        return [screen("MDCSTAT00101", idxIndMidclssCd=code, trdDd=day) for code in _FAMILIES]

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """All indices' rows of the chunk's one session; an index without a close is not computed and left out."""
        answers = [read_answer(body) for body in bodies]
        require_final(answers, chunk.first, DATASET.publication_hour)
        require_siblings(answers)
        families = [_FAMILIES[body.request["idxIndMidclssCd"]] for body in bodies]
        return pa.concat_tables(
            _family_bars(answer, family, chunk.first) for answer, family in zip(answers, families, strict=True)
        )


def index_history(body: RawBody) -> pa.Table:
    """The bars in an answer of MDCSTAT00301, newest first: the columns of ``index_bar`` that do not name the index.

    Closed days are left out by the portal.
    For comparison with the screen by session: no dataset is collected from it.

    Raises:
        Malformed: it is no such answer.
    """
    answer = read_answer(body)
    fields = {"session": "TRD_DD", **_FIGURES, "change": "PRV_DD_CMPR"}
    return pa.table(read_columns(answer.rows, fields, DATASET, GROUPED, answer.where))


def _family_bars(answer: Answer, family: str, session: date) -> pa.Table:
    require_open(answer.rows, "CLSPRC_IDX", session, answer.where)
    computed = [row for row in answer.rows if row["CLSPRC_IDX"] not in GROUPED.absent]
    fields = {"index_name": "IDX_NM", **_FIGURES, "change": "CMPPREVDD_IDX"}
    columns = read_columns(computed, fields, DATASET, GROUPED, answer.where)
    return table_of(DATASET, columns, {"family": family, "session": session})
