"""Cash dividends from the depository's schedule: ksdinfo/dividend, HHKDB669102C0, by record date.

Whoever is to be on the register on the record date has to have bought two sessions before, because trades settle on
the second session after: the ex-dividend session is the one before the last session up to the record date.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pyarrow as pa

from include.crawlers.broker.answer import Answer
from include.crawlers.broker.datasets import Row, SymbolCrawler
from include.crawlers.broker.interface import Broker, Inquiry
from include.crawlers.source import Chunk, Issue, RawBody
from include.crawlers.transport import Transport
from include.datasets import dividend
from include.market.calendar import next_session
from include.outcomes import CoverageDrop, Malformed

_PATH = "/uapi/domestic-stock/v1/ksdinfo/dividend"
_ALL_KINDS = "0"


class DividendCrawler(SymbolCrawler):
    """Dividends whose ex-dividend session the chunk's is."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker, dividend.DATASET)

    def fetch(self, chunk: Chunk, transport: Transport, environment: Mapping[str, str]) -> list[RawBody]:
        """The market as a whole; where it has dividends also each symbol, because a long answer is cut off."""
        session = self.session(transport, environment)
        market = session.ask(_inquiry("", chunk))
        if not self.answer(market).rows("output1"):
            return [market]
        return [market, *super().fetch(chunk, transport, environment)]

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """The symbols' dividends; none on most sessions."""
        by_symbol = [body for body in bodies if body.request["symbol"]]
        dividends = super().parse(by_symbol, chunk)
        self._require_those_of_the_market(bodies, dividends, chunk)
        return dividends

    def inquiries(self, chunk: Chunk) -> list[Inquiry]:
        """The schedule of each symbol."""
        return [_inquiry(issue.symbol, chunk) for issue in chunk.universe]

    def rows(self, answer: Answer, issue: Issue, chunk: Chunk) -> list[Row] | None:
        """Dividends in cash; those in shares, or whose amount is not fixed yet, have none."""
        return [_row(entry, issue, chunk) for entry in answer.rows("output1") if _is_cash(entry)]

    def _require_those_of_the_market(self, bodies: Sequence[RawBody], dividends: pa.Table, chunk: Chunk) -> None:
        """What the market's answer names must not be missing from the symbols' own."""
        entries = [
            entry for body in bodies if not body.request["symbol"] for entry in self.answer(body).rows("output1")
        ]
        named = {entry.text("sht_cd") for entry in entries if _is_cash(entry)}
        asked = {issue.symbol for issue in chunk.universe}
        if missing := named & asked - set(dividends["symbol"].to_pylist()):
            raise CoverageDrop(f"{self.broker.title}: names dividends of {', '.join(sorted(missing))} and lacks them")


def _is_cash(entry: Answer) -> bool:
    return not entry.blank(["per_sto_divi_amt"]) and entry.decimal("per_sto_divi_amt") != 0


def _inquiry(symbol: str, chunk: Chunk) -> Inquiry:
    settling = next_session(chunk.first)
    parameters = {
        "CTS": "",
        "GB1": _ALL_KINDS,
        "F_DT": f"{settling:%Y%m%d}",
        "T_DT": f"{next_session(settling) - timedelta(days=1):%Y%m%d}",
        "SHT_CD": symbol,
        "HIGH_GB": "",
    }
    return Inquiry("HHKDB669102C0", _PATH, symbol, parameters)


def _row(entry: Answer, issue: Issue, chunk: Chunk) -> Row:
    symbol, recorded = entry.text("sht_cd"), entry.day("record_date")
    settling = next_session(chunk.first)
    if symbol != issue.symbol or not settling <= recorded < next_session(settling):
        raise Malformed(
            f"{entry.where}: is about {symbol} on {recorded}, expected {issue.symbol} from {settling} until the "
            "session after it"
        )
    return {
        "symbol": symbol,
        "session": chunk.first,
        "amount_krw": entry.decimal("per_sto_divi_amt"),
        "split_adjusted": False,
        "record_on": recorded,
        "paid_on": None if entry.blank(["divi_pay_dt"]) else entry.day("divi_pay_dt"),
    }
