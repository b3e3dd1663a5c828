"""Daily bars of ETFs and ETNs: MDCSTAT04301 and MDCSTAT06401, all of a day, and MDCSTAT04501, one ETF's days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from include.crawlers.krx_portal.answers import (
    Answer,
    read_answer,
    require_final,
    require_open,
    require_siblings,
)
from include.crawlers.krx_portal.crawler import PortalCrawler, compact, screen
from include.crawlers.krx_portal.session import Question
from include.crawlers.published_rows import GROUPED, Row, read_columns, require_fields, table_of
from include.crawlers.source import Chunk, RawBody
from include.datasets import etp_daily_bar

ETNS_OPENED = date(2014, 11, 17)

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
    "underlying_index": "IDX_IND_NM",
    "underlying_close": "OBJ_STKPRC_IDX",
}
_ISSUE: Mapping[str, str] = {"symbol": "ISU_SRT_CD", "name": "ISU_ABBRV"}
_FUND: Mapping[str, str] = {"nav": "NAV", "net_assets_krw": "INVSTASST_NETASST_TOTAMT"}
_NOTE: Mapping[str, str] = {"nav": "PER1SECU_INDIC_VAL", "net_assets_krw": "INDIC_VAL_AMT"}
_DOWN = ("2", "5")


class EtpDailyBarCrawler(PortalCrawler):
    """Daily bars of exchange-traded products."""

    def questions(self, chunk: Chunk) -> list[Question]:
        """All ETFs, then all ETNs."""
        day = compact(chunk.first)
        notes = [screen("MDCSTAT06401", trdDd=day)] if chunk.first >= ETNS_OPENED else []
        return [screen("MDCSTAT04301", trdDd=day), *notes]

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """All products' rows of the chunk's one session."""
        answers = [read_answer(body) for body in bodies]
        require_final(answers, chunk.first, etp_daily_bar.DATASET.publication_hour)
        require_siblings(answers)
        for answer in answers:
            require_open(answer.rows, "TDD_CLSPRC", chunk.first, answer.where)
        kinds = (("ETF", _FUND), ("ETN", _NOTE))
        return pa.concat_tables(
            _table(answer, kind, further, chunk.first) for answer, (kind, further) in zip(answers, kinds, strict=False)
        )


def fund_history(body: RawBody) -> pa.Table:
    """The bars in an answer of MDCSTAT04501, newest first: the columns of ``etp_daily_bar`` but the fund's own.

    For comparison with the screen by session: no dataset is collected from it.

    Raises:
        Malformed: it is no such answer.
    """
    answer = read_answer(body)
    require_fields(answer.rows, ("CMPPREVDD_PRC", "FLUC_TP_CD"), answer.where)
    rows = [{**row, "CMPPREVDD_PRC": _signed(row)} for row in answer.rows]
    further = {"session": "TRD_DD", **_FUND, "nav": "LST_NAV"}
    return pa.table(_bars(rows, further, answer.where))


def _signed(row: Row) -> str:
    """The change of this screen, which gives its sign in the fluctuation code only."""
    return f"-{row['CMPPREVDD_PRC']}" if row["FLUC_TP_CD"] in _DOWN else row["CMPPREVDD_PRC"]


def _table(answer: Answer, kind: str, further: Mapping[str, str], session: date) -> pa.Table:
    columns = _bars(answer.rows, {**_ISSUE, **further}, answer.where)
    constants = {"session": session, "kind": kind, "market": "KOSPI", "section": ""}
    return table_of(etp_daily_bar.DATASET, columns, constants)


def _bars(rows: Sequence[Row], further: Mapping[str, str], where: str) -> dict[str, pa.Array]:
    columns = read_columns(rows, {**further, **_FIGURES}, etp_daily_bar.DATASET, GROUPED, where)
    columns["net_assets_krw"] = etp_daily_bar.net_assets(columns["net_assets_krw"])
    columns["base_price"] = pc.subtract(columns["close"], columns["change"])
    columns["halted"] = etp_daily_bar.halted(columns["high"], columns["volume"])
    return columns
