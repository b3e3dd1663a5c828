"""Cash dividends from the depository's schedule: ksdinfo/dividend, HHKDB669102C0, by record date.

Whoever is to be on the register on the record date has to have bought two sessions before, because trades settle on
the second session after: the ex-dividend session is the one before the last session up to the record date.

The schedule of the whole market is asked for. An answer ends after a hundred rows, without a word in its body: one that
is as long may have been cut off, and its days are asked for in halves. Where a single day is too long, as the last of
most years is, so is each symbol.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

import pyarrow as pa

from include.crawlers.broker.answer import Answer
from include.crawlers.broker.datasets import Row, SymbolCrawler
from include.crawlers.broker.interface import Broker, BrokerSession, Inquiry
from include.crawlers.source import Chunk, Issue, RawBody
from include.crawlers.transport import Transport
from include.datasets import dividend
from include.market.calendar import next_session, previous_session
from include.outcomes import CoverageDrop, Malformed

_PATH = "/uapi/domestic-stock/v1/ksdinfo/dividend"
_ALL_KINDS = "0"
_ROWS_AT_MOST = 100


class DividendCrawler(SymbolCrawler):
    """Dividends whose ex-dividend session is among the chunk's."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker, dividend.DATASET)

    def split(self, sessions: Sequence[date]) -> list[Chunk]:
        """One chunk: the schedule answers ranges."""
        return [Chunk(sessions[0], sessions[-1])]

    def fetch(self, chunk: Chunk, transport: Transport, environment: Mapping[str, str]) -> list[RawBody]:
        """The market as a whole, in as many answers as it takes; each symbol where that does not suffice."""
        bodies = list(self._ask(self.session(transport, environment), *_record_dates(chunk)))
        if any(self._is_cut_off(body) for body in bodies):
            return [*bodies, *super().fetch(chunk, transport, environment)]
        return bodies

    def _ask(self, session: BrokerSession, first: date, last: date) -> Iterator[RawBody]:
        """The answers about the market that together cover record dates from ``first`` to ``last``."""
        body = session.ask(_inquiry("", first, last))
        if first == last or not self._is_cut_off(body):
            yield body
            return
        middle = first + (last - first) // 2
        yield from self._ask(session, first, middle)
        yield from self._ask(session, middle + timedelta(days=1), last)

    def _is_cut_off(self, body: RawBody) -> bool:
        return len(self.answer(body).rows("output1")) >= _ROWS_AT_MOST

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """The dividends of the chunk's universe; none on most sessions.

        Raises:
            CoverageDrop: symbols were asked for one by one, and lack dividends that the market's answers name.
            Malformed: the answers are not what the broker publishes.
        """
        of_market = [body for body in bodies if not body.request["symbol"]]
        of_symbols = [body for body in bodies if body.request["symbol"]]
        entries = [entry for body in of_market for entry in _cash(self.answer(body))]
        if not of_symbols:
            issues = {issue.symbol: issue for issue in chunk.universe}
            known = [(entry, issues[symbol]) for entry in entries if (symbol := entry.text("sht_cd")) in issues]
            rows = [_row(entry, issue, chunk) for entry, issue in known]
            return pa.Table.from_pylist(rows, schema=self.dataset.parsed_schema)
        dividends = super().parse(of_symbols, chunk)
        named = {entry.text("sht_cd") for entry in entries} & {issue.symbol for issue in chunk.universe}
        if missing := named - set(dividends["symbol"].to_pylist()):
            raise CoverageDrop(f"{self.broker.title}: names dividends of {', '.join(sorted(missing))} and lacks them")
        return dividends

    def inquiries(self, chunk: Chunk) -> list[Inquiry]:
        """The schedule of each symbol."""
        return [_inquiry(issue.symbol, *_record_dates(chunk)) for issue in chunk.universe]

    def rows(self, answer: Answer, issue: Issue, chunk: Chunk) -> list[Row] | None:
        """The symbol's dividends in cash."""
        return [_row(entry, issue, chunk) for entry in _cash(answer)]


def _cash(answer: Answer) -> list[Answer]:
    """Dividends in cash; those in shares, or whose amount is not fixed yet, have none."""
    return [
        entry
        for entry in answer.rows("output1")
        if not entry.blank(["per_sto_divi_amt"]) and entry.decimal("per_sto_divi_amt") != 0
    ]


def _record_dates(chunk: Chunk) -> tuple[date, date]:
    """The first and the last record date whose ex-dividend session is among the chunk's."""
    return next_session(chunk.first), next_session(next_session(chunk.last)) - timedelta(days=1)


def _inquiry(symbol: str, first: date, last: date) -> Inquiry:
    parameters = {
        "CTS": "",
        "GB1": _ALL_KINDS,
        "F_DT": f"{first:%Y%m%d}",
        "T_DT": f"{last:%Y%m%d}",
        "SHT_CD": symbol,
        "HIGH_GB": "",
    }
    return Inquiry("HHKDB669102C0", _PATH, symbol, parameters)


def _row(entry: Answer, issue: Issue, chunk: Chunk) -> Row:
    symbol, recorded = entry.text("sht_cd"), entry.day("record_date")
    first, last = _record_dates(chunk)
    if symbol != issue.symbol or not first <= recorded <= last:
        raise Malformed(
            f"{entry.where}: is about {symbol} on {recorded}, expected {issue.symbol} from {first} to {last}"
        )
    return {
        "symbol": symbol,
        "session": previous_session(previous_session(recorded + timedelta(days=1))),
        "amount_krw": entry.decimal("per_sto_divi_amt"),
        "split_adjusted": False,
        "record_on": recorded,
        "paid_on": None if entry.blank(["divi_pay_dt"]) else entry.day("divi_pay_dt"),
    }
