"""The ten largest positions of every ETF, as Naver shows them now.

The list of ETFs (``etfItemList``) says which funds there are; the app's ``etfAnalysis`` gives each one's positions,
and where that fails the table of the fund's page (``item/main.naver``) gives the same. Foreign, bond and futures
rows have no code and the weight ``-``. Neither way dates the positions themselves: what is checked is the day the
answer's figures are of (``returnPerformanceReferenceDate``, the page's 기준 day).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
from bs4 import Tag

from include.crawlers.naver.service import (
    APP,
    SITE,
    LatestOnlyCrawler,
    ask,
    asked_for,
    day_of,
    decimal_number,
    json_of,
    page_of,
    require_coverage,
    texts,
)
from include.crawlers.source import Chunk, RawBody
from include.crawlers.transport import Transport
from include.datasets import etf_holding
from include.market.symbols import is_valid_symbol
from include.outcomes import Malformed, Missing, NotPublished, SourceDown

_LIST, _ANALYSIS, _PAGE = "etfItemList", "etfAnalysis", "main"
_NONE = "-"
_CASH_ENDINGS = ("현금", "현금액", "예금", "예치금")  # not 예금담보부증권, a security
_PAGE_HEADER = ["구성종목(구성자산)", "주식수(계약수)", "구성비중", "시세", "전일비", "등락률"]


@dataclass(frozen=True)
class _Position:
    component: str
    name: str
    shares: Decimal | None
    weight_pct: Decimal | None


@dataclass(frozen=True)
class _Portfolio:
    """Positions in the order shown; ``day`` is the one the answer's figures are of."""

    day: date
    positions: list[_Position]


class EtfHoldingCrawler(LatestOnlyCrawler):
    """Holdings of all ETFs, two calls at most for each."""

    def fetch(self, chunk: Chunk, transport: Transport, environment: Mapping[str, str]) -> list[RawBody]:
        """The list, then each fund's analysis, or its page, or both where the first is of no use.

        Where the list or its first and largest fund is no good, no other fund is asked for: ``parse`` says why.
        """
        path = "/api/sise/etfItemList.nhn"
        bodies = [ask(transport, environment, SITE, path, {}, endpoint=_LIST, suffix=".json")]
        try:
            funds = _funds(bodies[0])
        except (Malformed, NotPublished):
            return bodies
        for fund in funds:
            bodies += self._fetch_fund(fund, transport, environment)
            if fund == funds[0] and not _shows(bodies[1:], chunk.first):
                return bodies
        return bodies

    def _fetch_fund(self, fund: str, transport: Transport, environment: Mapping[str, str]) -> list[RawBody]:
        bodies: list[RawBody] = []
        try:
            path = f"/api/stock/{fund}/etfAnalysis"
            bodies.append(ask(transport, environment, APP, path, {}, endpoint=_ANALYSIS, suffix=".json", fund=fund))
            _analysed(bodies[0])
        except (Malformed, SourceDown):
            bodies.append(
                ask(
                    transport,
                    environment,
                    SITE,
                    "/item/main.naver",
                    {"code": fund},
                    endpoint=_PAGE,
                    suffix=".html",
                    fund=fund,
                )
            )
        return bodies

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """The positions of every fund that shows the chunk's session.

        Raises:
            CoverageDrop: more than 5% of the funds show no positions or another session.
            Malformed: a body is not what Naver publishes, and there is no other for the fund.
            Missing, NotPublished: every fund shows another session.
        """
        funds = _funds(bodies[0])
        answers: dict[str, list[RawBody]] = {}
        for body in bodies[1:]:
            answers.setdefault(body.request["fund"], []).append(body)
        portfolios = {fund: _portfolio(of_fund) for fund, of_fund in answers.items()}
        current = {
            fund: portfolio
            for fund, portfolio in portfolios.items()
            if portfolio.day == chunk.first and portfolio.positions
        }
        if not current:
            for fund, portfolio in portfolios.items():
                _require_session(portfolio, chunk.first, fund)
            raise NotPublished(f"Naver shows no position of any ETF on {chunk.first}")
        require_coverage(len(funds), [fund for fund in funds if fund not in current], "ETFs")
        known_funds = frozenset(funds)
        rows = [
            _row(fund, chunk.first, place, position, known_funds)
            for fund, portfolio in current.items()
            for place, position in enumerate(portfolio.positions, start=1)
        ]
        return pa.Table.from_pylist(rows, schema=etf_holding.DATASET.parsed_schema)


def _funds(body: RawBody) -> list[str]:
    """The ETFs' symbols, the largest first.

    Raises:
        Malformed: not an answer of etfItemList, or a symbol appears twice.
        NotPublished: the list is empty.
    """
    where = asked_for(body)
    answer = json_of(body, "cp949")
    try:
        funds = [entry["itemcode"] for entry in answer["result"]["etfItemList"]]
    except (KeyError, TypeError) as error:
        raise Malformed(f"{where}: expected result.etfItemList[].itemcode, {error!r} in {str(answer)[:120]}") from error
    if not funds:
        raise NotPublished(f"{where}: lists no ETF")
    if not all(isinstance(fund, str) and is_valid_symbol(fund) for fund in funds) or len(set(funds)) < len(funds):
        raise Malformed(f"{where}: expected different symbols, got {funds[:10]}...")
    return funds


def _portfolio(bodies: Sequence[RawBody]) -> _Portfolio:
    """What the last of a fund's bodies shows: the page is asked for only where the analysis is of no use."""
    return _analysed(bodies[-1]) if bodies[-1].request["endpoint"] == _ANALYSIS else _shown(bodies[-1])


def _shows(bodies: Sequence[RawBody], session: date) -> bool:
    try:
        return _portfolio(bodies).day == session
    except Malformed:
        return False


def _require_session(portfolio: _Portfolio, session: date, fund: str) -> None:
    if portfolio.day < session:
        raise NotPublished(f"Naver shows {fund} as of {portfolio.day}, not yet {session}")
    if portfolio.day > session:
        raise Missing(f"Naver shows {fund} as of {portfolio.day} only, not {session}: ask another source")


def _analysed(body: RawBody) -> _Portfolio:
    where = asked_for(body)
    answer = json_of(body)
    try:
        entries = answer["etfTop10MajorConstituentAssets"] or []
        day = day_of(answer["returnPerformanceReferenceDate"], "%Y.%m.%d", where)
        places = {entry["seq"] for entry in entries}
        positions = [
            _position(entry["itemCode"], entry["itemName"], entry["stockCount"], entry["etfWeight"], where)
            for entry in entries
        ]
    except (KeyError, TypeError) as error:
        raise Malformed(
            f"{where}: expected returnPerformanceReferenceDate and etfTop10MajorConstituentAssets[] with seq, "
            f"itemCode, itemName, stockCount and etfWeight, {error!r} in {str(answer)[:120]}"
        ) from error
    if len(places) < len(positions):
        raise Malformed(f"{where}: a place in the list appears twice: there are {places} for {len(positions)}")
    return _Portfolio(day, _different(positions, where))


def _shown(body: RawBody) -> _Portfolio:
    where = asked_for(body)
    page = page_of(body)
    dated = page.select_one("em.date")
    if dated is None:
        raise Malformed(f"{where}: expected em.date with the day the page is of")
    day = day_of(dated.get_text().split()[0] if dated.get_text().strip() else "", "%Y.%m.%d", where)
    for table in page.select("table.tb_type1_a"):
        header = ["".join(text.split()) for text in texts(table.find_all("th"))]
        if header[: len(_PAGE_HEADER)] == _PAGE_HEADER:
            lines = [line.find_all("td") for line in table.find_all("tr")]
            positions = [_shown_position(cells, where) for cells in lines if len(cells) > 1]
            return _Portfolio(day, _different(positions, where))
    raise Malformed(f"{where}: expected a table.tb_type1_a with the header {_PAGE_HEADER}")


def _shown_position(cells: Sequence[Tag], where: str) -> _Position:
    link = cells[0].find("a")
    component = str(link.get("href", "")).partition("code=")[2] if link else ""
    name, shares, weight = texts(cells)[:3]
    return _position(component, name, shares, weight, where)


def _different(positions: list[_Position], where: str) -> list[_Position]:
    codes = [position.component for position in positions if position.component]
    if len(set(codes)) < len(codes):
        raise Malformed(f"{where}: a component appears twice: {codes}")
    return positions


def _position(component: Any, name: Any, shares: Any, weight: Any, where: str) -> _Position:
    if not all(isinstance(value, str) for value in (component, name, shares, weight)):
        raise Malformed(f"{where}: expected texts, got {component!r}, {name!r}, {shares!r}, {weight!r}")
    return _Position(
        component=component.strip(),
        name=name.strip(),
        shares=None if shares == _NONE else decimal_number(shares, 2, where),
        weight_pct=None if weight == _NONE else decimal_number(weight.removesuffix("%"), 4, where),
    )


def _row(fund: str, session: date, place: int, position: _Position, funds: frozenset[str]) -> dict[str, Any]:
    return {
        "fund": fund,
        "session": session,
        "position": place,
        "component": position.component,
        "name": position.name,
        "kind": _kind(position, funds),
        "shares": position.shares,
        "value_krw": None,
        "weight_pct": position.weight_pct,
        "complete": False,
    }


def _kind(position: _Position, funds: frozenset[str]) -> str:
    if is_valid_symbol(position.component) and position.component not in funds:
        return "stock"
    return "cash" if position.name.endswith(_CASH_ENDINGS) else "other"
