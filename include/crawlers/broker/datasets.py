"""The datasets that follow from a broker's quotes, daily charts and investor flows, asked symbol by symbol."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from include.crawlers.broker.answer import Answer
from include.crawlers.broker.interface import Broker, BrokerSession, DailyBar, Flow, Inquiry, Quote
from include.crawlers.broker.token import TokenCache
from include.crawlers.source import Chunk, Issue, RawBody
from include.crawlers.transport import Transport
from include.datasets import daily_bar, intraday_snapshot, investor_flow
from include.datasets.registry import Dataset
from include.market.calendar import previous_session
from include.market.fluctuation import NONE
from include.outcomes import CoverageDrop, Malformed, Missing, NotPublished, SourceNotConfiguredError
from include.settings import load_settings

# So many of the symbols asked for may have no answer: names listed or delisted since the universe was seen.
_ABSENT_TOLERATED = 0.05
_NAMED = 10
# Symbols whose charts tell which session quotes are of.
_REFERENCES = 3
# As far back as a chart is asked for the close before a session: past the longest holidays.
_BEFORE = timedelta(days=14)
# As far as a chart is asked past the session, to see whether another has followed: an answer holds a hundred bars.
_AHEAD = timedelta(days=100)
_VENUE = "KRX"

Row = dict[str, Any]


class SymbolCrawler(ABC):
    """One dataset of a broker that answers one symbol at a time."""

    def __init__(self, broker: Broker, dataset: Dataset) -> None:
        self.broker = broker
        self.dataset = dataset

    def held(self, environment: Mapping[str, str]) -> list[Chunk]:
        """Unknown: a range has to be given."""
        raise SourceNotConfiguredError(
            f"{self.broker.title} does not tell which sessions it holds: say which with --from and --to"
        )

    def split(self, sessions: Sequence[date]) -> list[Chunk]:
        """One chunk per session."""
        return [Chunk(session, session) for session in sessions]

    def fetch(self, chunk: Chunk, transport: Transport, environment: Mapping[str, str]) -> list[RawBody]:
        """One body per inquiry, in order of the universe."""
        if not chunk.universe:
            raise SourceNotConfiguredError(
                f"{self.broker.title} answers symbol by symbol and the warehouse knows no symbol of {chunk.first}: "
                "load daily_bar first"
            )
        return self.session(transport, environment).ask_all(self.inquiries(chunk))

    def session(self, transport: Transport, environment: Mapping[str, str]) -> BrokerSession:
        """Asks as the account of ``environment``, with the token all workers share."""
        account = self.broker.account(environment)
        return BrokerSession(self.broker, account, transport, TokenCache(load_settings(environment).warehouse_dsn))

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """Rows of the chunk's one session."""
        issues = {issue.symbol: issue for issue in chunk.universe}
        absent: list[str] = []
        rows: list[Row] = []
        for body in bodies:
            issue = issues[body.request["symbol"]]
            found = self.rows(self.answer(body), issue, chunk)
            if found is None:
                absent.append(issue.symbol)
            else:
                rows.extend(found)
        self._require_coverage(absent, len(bodies), chunk.first)
        return pa.Table.from_pylist(rows, schema=self.dataset.parsed_schema)

    def answer(self, body: RawBody) -> Answer:
        """The answer in ``body``, which its messages name by transaction and symbol."""
        where = f"{self.broker.title} {body.request['transaction']} {body.request['symbol']}".rstrip()
        return self.broker.read(body.content, where)

    @abstractmethod
    def inquiries(self, chunk: Chunk) -> list[Inquiry]:
        """What to ask for the chunk."""

    @abstractmethod
    def rows(self, answer: Answer, issue: Issue, chunk: Chunk) -> list[Row] | None:
        """The rows in ``answer``, columns without a value left out; None where the broker has none of ``issue``."""

    def _require_coverage(self, absent: Sequence[str], asked: int, session: date) -> None:
        if len(absent) <= _ABSENT_TOLERATED * asked:
            return
        if len(absent) == asked:
            raise NotPublished(f"{self.broker.title} has nothing of {session} yet for any of {asked:,} symbols")
        named = ", ".join(absent[:_NAMED]) + (", ..." if len(absent) > _NAMED else "")
        raise CoverageDrop(
            f"{self.broker.title} has nothing of {session} for {len(absent):,} of {asked:,} symbols: {named}"
        )


class QuoteCrawler(SymbolCrawler):
    """Rows from quotes, which carry no date: charts of a few symbols, asked first, tell which session they are of."""

    def inquiries(self, chunk: Chunk) -> list[Inquiry]:
        """The charts, then the quotes."""
        symbols = [issue.symbol for issue in chunk.universe]
        references = symbols[:: -(-len(symbols) // _REFERENCES)]
        first, last = chunk.first - _BEFORE, chunk.first + _AHEAD
        charts = [self.broker.daily_chart(symbol, first, last) for symbol in references]
        return charts + [self.broker.quote(symbol) for symbol in symbols]

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """Rows of the chunk's one session.

        Raises:
            Missing: the quotes are of a later session: those of past ones are not to be had.
        """
        quoting = self.broker.quote("").transaction
        quotes = [body for body in bodies if body.request["transaction"] == quoting]
        charts = {body.request["symbol"]: body for body in bodies if body.request["transaction"] != quoting}
        self._require_session(charts, quotes, chunk.first)
        return super().parse(quotes, chunk)

    def rows(self, answer: Answer, issue: Issue, chunk: Chunk) -> list[Row] | None:
        """The row of the quote in ``answer``, if it has figures."""
        quote = self.broker.read_quote(answer, issue.symbol)
        if quote is None:
            return None
        row = self.row(quote, answer, issue.symbol, chunk)
        return [] if row is None else [row]

    @abstractmethod
    def row(self, quote: Quote, answer: Answer, symbol: str, chunk: Chunk) -> Row | None:
        """The row of ``symbol``; ``answer`` holds what the broker says beside the quote. None: it has no figures."""

    def require_dated(self, sessions: Collection[date], session: date) -> None:
        """Refuse quotes of another session than ``session``, by the ``sessions`` charts hold."""
        _require_latest(self.broker.title, sessions, session)

    def _require_session(self, charts: Mapping[str, RawBody], quotes: Sequence[RawBody], session: date) -> None:
        bars = {symbol: self.broker.read_daily_chart(self.answer(body), symbol).bars for symbol, body in charts.items()}
        self.require_dated({bar.session for chart in bars.values() for bar in chart}, session)
        quoted = {
            body.request["symbol"]: self.broker.read_quote(self.answer(body), symbol)
            for body in quotes
            if (symbol := body.request["symbol"]) in charts
        }
        bases = [
            (quote.base, expected)
            for symbol, quote in quoted.items()
            if quote is not None and (expected := _base_on(session, bars[symbol])) is not None
        ]
        # One base price may have been reset on the session; all of them were not.
        if bases and all(base != expected for base, expected in bases):
            raise Malformed(
                f"{self.broker.title}: the base prices of quotes are {bases[0][0]:,}, ..., those of {session} are "
                f"{bases[0][1]:,}, ...: the quotes are of another session"
            )


class SnapshotCrawler(QuoteCrawler):
    """Quotes of the watched issues at a moment of the session."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker, intraday_snapshot.DATASET)

    def fetch(self, chunk: Chunk, transport: Transport, environment: Mapping[str, str]) -> list[RawBody]:
        """The charts that date the quotes, then one quote per issue."""
        if chunk.at is None:
            raise SourceNotConfiguredError(
                f"{self.broker.title} quotes the present moment: snapshots of {chunk.first} cannot be had afterwards"
            )
        return super().fetch(chunk, transport, environment)

    def require_dated(self, sessions: Collection[date], session: date) -> None:
        """As for figures of a whole session; but charts may end with the one before the one that is running."""
        if not sessions or max(sessions) != previous_session(session):
            super().require_dated(sessions, session)

    def row(self, quote: Quote, answer: Answer, symbol: str, chunk: Chunk) -> Row:
        """The quote as a row of the chunk's moment."""
        return {
            "symbol": symbol,
            "session": chunk.first,
            "at": chunk.at,
            "venue": _VENUE,
            "price": quote.price,
            "open": quote.open,
            "high": quote.high,
            "low": quote.low,
            "change": quote.change,
            "volume": quote.volume,
            "value_krw": quote.value_krw,
        }


class DailyBarCrawler(SymbolCrawler):
    """Raw daily bars, for brokers that tell exact turnover and listed shares.

    The share count is today's: only the latest session can be had. Market and section are the warehouse's.
    """

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker, daily_bar.DATASET)

    def inquiries(self, chunk: Chunk) -> list[Inquiry]:
        """The chart of each symbol, over the session and what may follow it."""
        return [self.broker.daily_chart(issue.symbol, chunk.first, chunk.first + _AHEAD) for issue in chunk.universe]

    def rows(self, answer: Answer, issue: Issue, chunk: Chunk) -> list[Row] | None:
        """The session's bar."""
        chart = self.broker.read_daily_chart(answer, issue.symbol)
        listed = chart.listed_shares
        bars = [bar for bar in chart.bars if bar.session == chunk.first]
        if not bars or listed is None:
            return None
        _require_latest(self.broker.title, {bar.session for bar in chart.bars}, chunk.first)
        return [_bar_row(bar, issue, chart.name, listed) for bar in bars]


class InvestorFlowCrawler(SymbolCrawler):
    """What classes of investors bought and sold of each stock, in shares: brokers round values to a million won."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker, investor_flow.DATASET)

    def inquiries(self, chunk: Chunk) -> list[Inquiry]:
        """The flows of each symbol."""
        return [self.broker.investor_flows(issue.symbol, chunk.first) for issue in chunk.universe]

    def rows(self, answer: Answer, issue: Issue, chunk: Chunk) -> list[Row] | None:
        """The session's classes that traded."""
        by_session = self.broker.read_investor_flows(answer, issue.symbol)
        if by_session and min(by_session) > chunk.first:
            raise Missing(f"{answer.where}: goes back to {min(by_session)}, not to {chunk.first}")
        flows = by_session.get(chunk.first, ())
        return [_flow_row(flow, issue.symbol) for flow in flows if flow.traded] if flows else None


def _require_latest(title: str, sessions: Collection[date], session: date) -> None:
    newest = max(sessions, default=None)
    if newest is None or newest < session:
        raise NotPublished(f"{title} has nothing of {session} yet: the latest session it has is {newest}")
    if newest > session:
        raise Missing(
            f"{title} tells today's figures only, which are of {newest}: load {session} from a source that keeps them"
        )


def _base_on(session: date, bars: Sequence[DailyBar]) -> int | None:
    """The base price on ``session``: of its bar, or else the close before; None without bars."""
    newest = max(bars, key=lambda bar: bar.session, default=None)
    if newest is None:
        return None
    return newest.base if newest.session == session else newest.close


def _bar_row(bar: DailyBar, issue: Issue, name: str | None, listed: int) -> Row:
    return {
        "symbol": issue.symbol,
        "session": bar.session,
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "volume": bar.volume,
        "value_krw": bar.value_krw,
        "market_cap_krw": bar.close * listed,
        "listed_shares": listed,
        "change": bar.change,
        "base_price": bar.base,
        "fluctuation_code": bar.code,
        "market": issue.market,
        "venue": _VENUE,
        "halted": bar.code == NONE and bar.open == bar.high == bar.low == 0,
        "name": name,
        "section": issue.section,
    }


def _flow_row(flow: Flow, symbol: str) -> Row:
    return {
        "symbol": symbol,
        "session": flow.session,
        "investor": flow.investor.value,
        "sell_shares": flow.sell_shares,
        "buy_shares": flow.buy_shares,
        "net_shares": flow.net_shares,
    }
