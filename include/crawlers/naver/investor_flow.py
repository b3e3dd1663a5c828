"""Investor flows from Naver's app (``m.stock.naver.com/api/stock/{code}/trend``): net shares of three groups.

The answer is a JSON array of a stock's sessions, newest first: ``pageSize`` of them (10 unless told, 60 at most), all
before the day ``bizdate`` where it is given, back over years. Numbers are texts with sign and separators
(``"+1,234"``), ``"-"`` where a session's are not out yet. Other corporations are not shown, so the three nets do not
sum to zero; of what foreigners hold there is the share alone (``foreignerHoldRatio``), not the shares.

It took the place of the page ``item/frgn.naver``. The form is as its readers of 2026 describe it; what is recorded is
the one before, ``getTrendList``, with the same figures under other names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from include.crawlers.naver.service import (
    APP,
    LatestOnlyCrawler,
    ask,
    asked_for,
    day_of,
    is_tolerated,
    json_of,
    require_coverage,
    require_universe,
    up_to_unreadable,
    whole_number,
)
from include.crawlers.source import Chunk, RawBody
from include.crawlers.transport import Transport
from include.datasets import investor_flow
from include.market.investors import Investor
from include.outcomes import Malformed, NotPublished

_ENDPOINT = "trend"
_NETS = {
    "organPureBuyQuant": Investor.INSTITUTION,
    "foreignerPureBuyQuant": Investor.FOREIGN,
    "individualPureBuyQuant": Investor.INDIVIDUAL,
}
_NOT_OUT = "-"

Nets = dict[Investor, int]


class InvestorFlowCrawler(LatestOnlyCrawler):
    """Net shares bought by institutions, foreigners and individuals."""

    def fetch(self, chunk: Chunk, transport: Transport, environment: Mapping[str, str]) -> list[RawBody]:
        """One answer per symbol, of the chunk's session alone; no other after a first one that cannot be read.

        A symbol the service refuses to answer for, say one delisted since, is left out.

        Raises:
            Malformed: it refuses more than 5% of the symbols.
        """
        return up_to_unreadable(_answers(chunk, transport, environment), _sessions)

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """Three rows per symbol.

        Raises:
            CoverageDrop: more than 5% of the symbols lack the chunk's session.
            Malformed: an answer is not of this form.
            NotPublished: no symbol has it yet.
        """
        shown = {body.request["code"]: _sessions(body).get(chunk.first) for body in bodies}
        found = {symbol: nets for symbol, nets in shown.items() if nets is not None}
        if not found:
            raise NotPublished(f"Naver shows no flows of {chunk.first} yet")
        asked = [issue.symbol for issue in chunk.universe]
        require_coverage(len(asked), [symbol for symbol in asked if symbol not in found], "symbols")
        rows = [
            {"symbol": symbol, "session": chunk.first, "investor": investor.value, "net_shares": net}
            for symbol, nets in found.items()
            for investor, net in nets.items()
        ]
        return pa.Table.from_pylist(rows, schema=investor_flow.DATASET.parsed_schema)


def _answers(chunk: Chunk, transport: Transport, environment: Mapping[str, str]) -> Iterator[RawBody]:
    universe = require_universe(chunk, "investor_flow")
    params = {"pageSize": "1", "bizdate": f"{chunk.first + timedelta(days=1):%Y%m%d}"}
    refused = 0
    for issue in universe:
        path = f"/api/stock/{issue.symbol}/{_ENDPOINT}"
        try:
            body = ask(transport, environment, APP, path, params, endpoint=_ENDPOINT, suffix=".json", code=issue.symbol)
        except Malformed:
            refused += 1
            if not is_tolerated(refused, len(universe)):
                raise
        else:
            yield body


def _sessions(body: RawBody) -> dict[date, Nets | None]:
    """The nets of each session in an answer, in shares; None where they are not out yet."""
    where = asked_for(body)
    answer = json_of(body)
    if not isinstance(answer, list):
        raise Malformed(f"{where}: expected a list of sessions, got {str(answer)[:120]}")
    sessions = [_session(row, where) for row in answer]
    if len({day for day, _ in sessions}) < len(sessions):
        raise Malformed(f"{where}: a session appears twice")
    return dict(sessions)


def _session(row: Any, where: str) -> tuple[date, Nets | None]:
    try:
        day, nets = row["bizdate"], {investor: row[field] for field, investor in _NETS.items()}
    except (KeyError, TypeError) as error:
        raise Malformed(f"{where}: expected bizdate, {', '.join(_NETS)}, {error!r} in {str(row)[:120]}") from error
    if not all(isinstance(text, str) for text in (day, *nets.values())):
        raise Malformed(f"{where}: expected texts, got {str(row)[:120]}")
    session = day_of(day, "%Y%m%d", where)
    if _NOT_OUT in nets.values():
        return session, None
    return session, {investor: whole_number(text, where) for investor, text in nets.items()}
