"""Daily bars of stocks: MDCSTAT01501, the whole market of a day, and MDCSTAT01701, one issue's days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from include.crawlers.krx_portal.answers import read_answer, require_final, require_open
from include.crawlers.krx_portal.crawler import PortalCrawler, compact, screen
from include.crawlers.krx_portal.session import Question
from include.crawlers.published_rows import GROUPED, Row, read_columns, table_of
from include.crawlers.source import Chunk, RawBody
from include.datasets import daily_bar

_FIGURES: Mapping[str, str] = {
    "open": "TDD_OPNPRC",
    "high": "TDD_HGPRC",
    "low": "TDD_LWPRC",
    "close": "TDD_CLSPRC",
    "volume": "ACC_TRDVOL",
    "value_krw": "ACC_TRDVAL",
    "market_cap_krw": "MKTCAP",
    "listed_shares": "LIST_SHRS",
    "change": "CMPPREVDD_PRC",
    "fluctuation_code": "FLUC_TP_CD",
}
_ISSUE: Mapping[str, str] = {
    "symbol": "ISU_SRT_CD",
    "name": "ISU_ABBRV",
    "market": "MKT_NM",
    "section": "SECT_TP_NM",
}


class DailyBarCrawler(PortalCrawler):
    """Daily bars of KOSPI, KOSDAQ and KONEX."""

    def questions(self, chunk: Chunk) -> list[Question]:
        """All markets at once."""
        return [screen("MDCSTAT01501", mktId="ALL", trdDd=compact(chunk.first))]

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """All markets' rows of the chunk's one session."""
        answers = [read_answer(body) for body in bodies]
        require_final(answers, chunk.first, daily_bar.DATASET.publication_hour)
        [answer] = answers
        require_open(answer.rows, "TDD_CLSPRC", chunk.first, answer.where)
        columns = _bars(answer.rows, _ISSUE, answer.where)
        return table_of(daily_bar.DATASET, columns, {"session": chunk.first, "venue": "KRX"})


def issue_history(body: RawBody) -> pa.Table:
    """The bars in an answer of MDCSTAT01701, newest first: the columns of ``daily_bar`` but those naming the issue.

    They are as published on the day where the form's ``adjStkPrc`` is 1, adjusted by the exchange where it is 2.
    For comparison with the screen by session: no dataset is collected from it.

    Raises:
        Malformed: it is no such answer.
    """
    answer = read_answer(body)
    return pa.table(_bars(answer.rows, {"session": "TRD_DD"}, answer.where))


def _bars(rows: Sequence[Row], further: Mapping[str, str], where: str) -> dict[str, pa.Array]:
    columns = read_columns(rows, {**further, **_FIGURES}, daily_bar.DATASET, GROUPED, where)
    columns["base_price"] = pc.subtract(columns["close"], columns["change"])
    columns["halted"] = daily_bar.halted(columns["open"], columns["high"], columns["low"], columns["fluctuation_code"])
    return columns
