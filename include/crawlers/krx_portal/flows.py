"""Investor flows. The portal answers with sums over a range of days, so a session is a range of one day.

MDCSTAT02401: every issue of a market, one investor class. MDCSTAT02201 and 04801: a market, and all ETFs, by class;
02301 and 04901 the same of one issue, one ETF. MDCSTAT02202, 02302, 04802, 04902: the net by day, in four groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import product

import pyarrow as pa
import pyarrow.compute as pc

from include.crawlers.krx_portal.answers import Answer, read_answer, require_final, require_siblings
from include.crawlers.krx_portal.crawler import PortalCrawler, compact, screen
from include.crawlers.krx_portal.session import Question
from include.crawlers.published_rows import GROUPED, Row, read_column, read_columns, require_fields, table_of
from include.crawlers.source import Chunk, RawBody
from include.datasets import investor_flow, market_investor_flow
from include.datasets.registry import Column
from include.market.investors import CLASSES, INSTITUTIONS, KOREAN_NAMES, PORTAL_CODES, Investor
from include.outcomes import Malformed, NotPublished

_MARKETS = {"STK": "KOSPI", "KSQ": "KOSDAQ", "KNX": "KONEX"}
_ETF = "ETF"
_QUANTITIES: Mapping[str, str] = {
    "sell_shares": "ASK_TRDVOL",
    "buy_shares": "BID_TRDVOL",
    "net_shares": "NETBID_TRDVOL",
    "sell_krw": "ASK_TRDVAL",
    "buy_krw": "BID_TRDVAL",
    "net_krw": "NETBID_TRDVAL",
}
_SUMS = ((CLASSES, Investor.TOTAL), (INSTITUTIONS, Investor.INSTITUTION))
_SIDES = ("sell_shares", "buy_shares", "sell_krw", "buy_krw")
_NET_GROUPS = ("institution", "other_corporation", "individual", "all_foreign", "total")
_NET_FIELDS = (
    ("TRDVAL1", "TRDVAL2", "TRDVAL3", "TRDVAL4", "TRDVAL_TOT"),
    tuple(f"NUM_ITM_VAL{number}" for number in range(21, 26)),
)
_SESSION = Column("session", pa.date32(), "Trading day")
_NET = Column("net", pa.int64(), "Bought less sold")


class InvestorFlowCrawler(PortalCrawler):
    """What each class bought and sold of each stock."""

    def questions(self, chunk: Chunk) -> list[Question]:
        """Every market by every class, subtotal and total."""
        day = compact(chunk.first)
        return [
            screen("MDCSTAT02401", strtDd=day, endDd=day, mktId=market, invstTpCd=code)
            for market, code in product(_MARKETS, PORTAL_CODES)
        ]

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """All classes' rows of the chunk's one session; a class that did not trade an issue has no row of it.

        The portal gives such rows or not as it pleases, filled with zeros.
        """
        answers = [read_answer(body) for body in bodies]
        require_final(answers, chunk.first, investor_flow.DATASET.publication_hour)
        tables = [_issue_rows(answer, body, chunk.first) for answer, body in zip(answers, bodies, strict=True)]
        for market in _MARKETS:
            of_market = [place for place, body in enumerate(bodies) if body.request["mktId"] == market]
            _require_every_class([tables[place] for place in of_market], [answers[place] for place in of_market])
        rows = pa.concat_tables(tables)
        return rows.filter(_traded(rows))


class MarketInvestorFlowCrawler(PortalCrawler):
    """What each class bought and sold on each market, and of all ETFs."""

    def questions(self, chunk: Chunk) -> list[Question]:
        """Markets without ETFs, ETNs and ELWs; then the ETFs."""
        day = compact(chunk.first)
        markets = [
            screen("MDCSTAT02201", strtDd=day, endDd=day, mktId=market, etf="", etn="", elw="") for market in _MARKETS
        ]
        return [*markets, screen("MDCSTAT04801", strtDd=day, endDd=day)]

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """All rows of the chunk's one session. A day without any trade has zeros only: none was held, or not yet."""
        answers = [read_answer(body) for body in bodies]
        require_final(answers, chunk.first, market_investor_flow.DATASET.publication_hour)
        require_siblings(answers)
        tables = []
        for answer, body in zip(answers, bodies, strict=True):
            columns = _class_totals(answer)
            market = _MARKETS.get(body.request.get("mktId", ""), _ETF)
            constants = {"market": market, "session": chunk.first}
            tables.append(table_of(market_investor_flow.DATASET, columns, constants))
        rows = pa.concat_tables(tables)
        if not pc.any(_traded(rows)).as_py():
            raise NotPublished(f"the KRX portal shows no trade at all on {chunk.first}")
        return rows


def class_totals(body: RawBody) -> pa.Table:
    """The rows by class in an answer of MDCSTAT02201, 02301, 04801 or 04901: ``investor`` and the six quantities.

    They are sums over the range of days asked for. For comparison: the dataset is collected from 02201 and 04801, and
    of one day only.

    Raises:
        Malformed: it is no such answer.
    """
    return pa.table(_class_totals(read_answer(body)))


def net_by_session(body: RawBody) -> pa.Table:
    """The net by day in an answer of MDCSTAT02202, 02302, 04802 or 04902, newest first.

    Columns: ``session``, then ``institution``, ``other_corporation``, ``individual``, ``all_foreign`` (foreigners of
    both classes) and ``total``, in won or shares as the form's ``trdVolVal`` (``inqCondTpCd1`` for ETFs) asked.
    For comparison with the screen by session: no dataset is collected from it.

    Raises:
        Malformed: it is no such answer.
    """
    answer = read_answer(body)
    first_row = answer.rows[0] if answer.rows else {}
    fields = _NET_FIELDS[1] if isinstance(first_row, dict) and _NET_FIELDS[1][0] in first_row else _NET_FIELDS[0]
    require_fields(answer.rows, ("TRD_DD", *fields), answer.where)
    columns = {"session": read_column(answer.rows, "TRD_DD", _SESSION, GROUPED, answer.where)}
    for group, field in zip(_NET_GROUPS, fields, strict=True):
        columns[group] = read_column(answer.rows, field, _NET, GROUPED, answer.where)
    return pa.table(columns)


def _issue_rows(answer: Answer, body: RawBody, session: date) -> pa.Table:
    fields = {"symbol": "ISU_SRT_CD", **_QUANTITIES}
    columns = read_columns(answer.rows, fields, investor_flow.DATASET, GROUPED, answer.where)
    constants = {"session": session, "investor": PORTAL_CODES[body.request["invstTpCd"]].value}
    return table_of(investor_flow.DATASET, columns, constants)


def _require_every_class(tables: Sequence[pa.Table], answers: Sequence[Answer]) -> None:
    """An empty answer is right only where the others make their subtotal and total without it."""
    empty = [answer.where for answer in answers if not answer.rows]
    if not empty:
        return
    rows = pa.concat_tables(tables)
    for (parts, whole), side in product(_SUMS, _SIDES):
        of_parts, of_whole = (_sum(rows, side, investors) for investors in (parts, (whole,)))
        if of_parts != of_whole:
            raise Malformed(
                f"{'; '.join(empty)}: empty, while the others' {side} make {of_parts:,}, and {whole.value} {of_whole:,}"
            )


def _sum(rows: pa.Table, column: str, investors: Sequence[Investor]) -> int:
    chosen = pc.is_in(rows["investor"], pa.array([investor.value for investor in investors]))
    total: int = pc.sum(rows[column].filter(chosen), min_count=0).as_py()
    return total


def _class_totals(answer: Answer) -> dict[str, pa.Array]:
    require_fields(answer.rows, _QUANTITIES.values(), answer.where)
    names = [_investor_name(row, answer.where) for row in answer.rows]
    if sorted(names) != sorted(KOREAN_NAMES):
        raise Malformed(f"{answer.where}: expected the classes {', '.join(KOREAN_NAMES)}, got {', '.join(names)}")
    investors = pa.array([KOREAN_NAMES[name].value for name in names], pa.string())
    quantities = read_columns(answer.rows, _QUANTITIES, market_investor_flow.DATASET, GROUPED, answer.where)
    return {"investor": investors, **quantities}


def _investor_name(row: Row, where: str) -> str:
    name = row.get("INVST_TP_NM", row.get("INVST_NM"))
    if not isinstance(name, str):
        raise Malformed(f"{where}: no field INVST_TP_NM or INVST_NM; a row has {', '.join(row)}")
    return name


def _traded(rows: pa.Table) -> pa.Array:
    return pc.or_(pc.not_equal(rows["sell_shares"], 0), pc.not_equal(rows["buy_shares"], 0))
