"""What ETFs hold: the list of a day's ETFs (MDCSTAT04301), then each one's portfolio file (MDCSTAT05001)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import pyarrow as pa

from include.crawlers.krx_portal.answers import Answer, read_answer, require_final, require_open
from include.crawlers.krx_portal.crawler import PortalCrawler, compact, screen
from include.crawlers.krx_portal.session import Question, logged_in
from include.crawlers.published_rows import GROUPED, Row, read_columns, require_fields, table_of
from include.crawlers.source import Chunk, RawBody
from include.crawlers.transport import Transport
from include.datasets.etf_holding import DATASET
from include.market.symbols import is_valid_symbol
from include.outcomes import CollectionOutcome, CoverageDrop, Malformed, NotPublished

_FUND_FIELDS = ("ISU_SRT_CD", "ISU_CD")
_FIELDS: Mapping[str, str] = {
    "component": "COMPST_ISU_CD",
    "name": "COMPST_ISU_NM",
    "shares": "COMPST_ISU_CU1_SHRS",
    # Of the day; VALU_AMT is the value at the closes of the day before. The weights are those of COMPST_AMT.
    "value_krw": "COMPST_AMT",
    "weight_pct": "COMPST_RTO",
}
_KIND_FIELD = "SECUGRP_ID"
_STOCK = "ST"
_CASH_CODES = ("KRD", "CASH")
_TOLERATED_SHARE = 0.05
_SHOWN = 10


class EtfHoldingCrawler(PortalCrawler):
    """Complete portfolio files of all ETFs."""

    def questions(self, chunk: Chunk) -> list[Question]:
        """The list of ETFs; what follows depends on it."""
        return [screen("MDCSTAT04301", trdDd=compact(chunk.first))]

    def fetch(self, chunk: Chunk, transport: Transport, environment: Mapping[str, str]) -> list[RawBody]:
        """The list's body, then one per ETF on it; the list's alone where it is of no use."""
        portal = logged_in(transport, environment)
        [listing] = portal.ask(self.questions(chunk))
        try:
            funds = _funds(read_answer(listing), chunk.first)
        except CollectionOutcome:
            return [listing]  # landed as it is; parse refuses it for the same reason
        day = compact(chunk.first)
        return [listing, *portal.ask(screen("MDCSTAT05001", trdDd=day, isuCd=isin) for isin in funds)]

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """The positions of all funds on the chunk's one session, each fund's in the order published.

        Raises:
            NotPublished: no fund has a portfolio yet.
            CoverageDrop: more than one fund in twenty has none.
        """
        listing, *files = bodies
        funds = _funds(read_answer(listing), chunk.first)
        portfolios = {body.request["isuCd"]: read_answer(body) for body in files}
        _require_portfolios(funds, portfolios, chunk.first)
        return pa.concat_tables(
            portfolio(answer, funds[isin], chunk.first) for isin, answer in portfolios.items() if answer.rows
        )


def portfolio(answer: Answer, fund: str, session: date) -> pa.Table:
    """The rows of ``etf_holding`` in an answer of MDCSTAT05001 about ``fund``.

    Raises:
        Malformed: it is no such answer.
    """
    require_fields(answer.rows, [_KIND_FIELD], answer.where)
    _require_different(answer)
    columns = read_columns(answer.rows, _FIELDS, DATASET, GROUPED, answer.where)
    columns["position"] = pa.array(np.arange(1, len(answer.rows) + 1, dtype=np.int16))
    columns["kind"] = pa.array([_kind(row) for row in answer.rows], pa.string())
    return table_of(DATASET, columns, {"fund": fund, "session": session, "complete": True})


def _require_different(answer: Answer) -> None:
    """No position is listed twice: each has a place in the list, so that nothing after this would notice."""
    places: dict[tuple[str, ...], int] = {}
    for place, row in enumerate(answer.rows, start=1):
        first = places.setdefault(tuple(map(str, row.values())), place)
        if first != place:
            raise Malformed(f"{answer.where}: row {place} repeats row {first}, {row['COMPST_ISU_NM']}")


def _funds(listing: Answer, session: date) -> dict[str, str]:
    """Symbols of the day's ETFs by ISIN."""
    require_final([listing], session, DATASET.publication_hour)
    require_open(listing.rows, "TDD_CLSPRC", session, listing.where)
    require_fields(listing.rows, _FUND_FIELDS, listing.where)
    return {row["ISU_CD"]: row["ISU_SRT_CD"] for row in listing.rows}


def _require_portfolios(funds: Mapping[str, str], portfolios: Mapping[str, Answer], session: date) -> None:
    without = [symbol for isin, symbol in funds.items() if isin not in portfolios or not portfolios[isin].rows]
    if len(without) == len(funds):
        raise NotPublished(f"the KRX portal holds no portfolio file of {session} yet")
    if len(without) > _TOLERATED_SHARE * len(funds):
        raise CoverageDrop(
            f"KRX portal MDCSTAT05001: {len(without)} of {len(funds)} ETFs have no portfolio file of {session}: "
            f"{', '.join(without[:_SHOWN])}{'...' if len(without) > _SHOWN else ''}"
        )


def _kind(row: Row) -> str:
    code = row["COMPST_ISU_CD"]
    if code.startswith(_CASH_CODES):
        return "cash"
    return "stock" if row[_KIND_FIELD] == _STOCK and is_valid_symbol(code) else "other"
