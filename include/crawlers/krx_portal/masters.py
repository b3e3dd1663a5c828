"""The master (MDCSTAT01901 stocks, 04601 ETFs, 06701 ETNs) and the industry classification (MDCSTAT03901)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta

import pyarrow as pa

from include.crawlers import krx_masters
from include.crawlers.krx_portal.answers import (
    Answer,
    read_answer,
    require_final,
    require_open,
    require_siblings,
)
from include.crawlers.krx_portal.crawler import PortalCrawler, compact, screen
from include.crawlers.krx_portal.products import ETNS_OPENED
from include.crawlers.krx_portal.session import Question
from include.crawlers.published_rows import GROUPED, read_columns, table_of
from include.crawlers.source import Chunk, RawBody
from include.datasets import instrument, sector
from include.market.calendar import KST
from include.market.instruments import InstrumentKind
from include.outcomes import NotPublished

_OPENING = time(9, tzinfo=KST)
_WEEKDAYS = range(5)
_PRODUCT_KINDS = (InstrumentKind.ETF, InstrumentKind.ETN)
_SECTOR: Mapping[str, str] = {"symbol": "ISU_SRT_CD", "sector": "IDX_IND_NM"}
_SECTOR_MARKETS = {"STK": "KOSPI", "KSQ": "KOSDAQ"}


class InstrumentCrawler(PortalCrawler):
    """All issues listed now: the screens know no date, so only the latest session can be asked for."""

    def questions(self, chunk: Chunk) -> list[Question]:
        """Stocks of all markets, ETFs, ETNs."""
        notes = [screen("MDCSTAT06701")] if chunk.first >= ETNS_OPENED else []
        return [screen("MDCSTAT01901", mktId="ALL"), screen("MDCSTAT04601"), *notes]

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """The issues listed on the chunk's one session.

        Raises:
            NotPublished: the answers were given before its values were final, or when the next session may have begun.
        """
        answers = [read_answer(body) for body in bodies]
        require_final(answers, chunk.first, instrument.DATASET.publication_hour)
        _require_latest(answers, chunk.first)
        require_siblings(answers)
        stocks_answer, *product_answers = answers
        tables = [krx_masters.stocks(stocks_answer.rows, chunk.first, GROUPED, stocks_answer.where)]
        for answer, kind in zip(product_answers, _PRODUCT_KINDS, strict=False):
            tables.append(krx_masters.products(answer.rows, kind, chunk.first, GROUPED, answer.where))
        return pa.concat_tables(tables)


class SectorCrawler(PortalCrawler):
    """The industry groups of KOSPI's and KOSDAQ's stocks."""

    def questions(self, chunk: Chunk) -> list[Question]:
        """One market each: their classifications differ."""
        day = compact(chunk.first)
        return [screen("MDCSTAT03901", mktId=market, trdDd=day) for market in _SECTOR_MARKETS]

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """All rows of the chunk's one session."""
        answers = [read_answer(body) for body in bodies]
        require_final(answers, chunk.first, sector.DATASET.publication_hour)
        require_siblings(answers)
        markets = [_SECTOR_MARKETS[body.request["mktId"]] for body in bodies]
        return pa.concat_tables(
            _sectors(answer, market, chunk.first) for answer, market in zip(answers, markets, strict=True)
        )


def _require_latest(answers: Sequence[Answer], session: date) -> None:
    """The answers are of before the opening on the next weekday, which may be a session."""
    weekday = session + timedelta(days=1)
    while weekday.weekday() not in _WEEKDAYS:
        weekday += timedelta(days=1)
    opening = datetime.combine(weekday, _OPENING)
    late = [answer for answer in answers if answer.given_at >= opening]
    if late:
        raise NotPublished(
            f"{late[0].where}: the portal lists the issues of {late[0].given_at:%Y-%m-%d %H:%M}; those of {session} "
            f"could be had until {opening:%Y-%m-%d %H:%M}"
        )


def _sectors(answer: Answer, market: str, session: date) -> pa.Table:
    require_open(answer.rows, "TDD_CLSPRC", session, answer.where)
    columns = read_columns(answer.rows, _SECTOR, sector.DATASET, GROUPED, answer.where)
    return table_of(sector.DATASET, columns, {"session": session, "market": market})
