"""The simulated world: the truth of every dataset, derived from one simulated market."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from functools import cached_property
from threading import RLock

import pyarrow as pa
import pyarrow.compute as pc

from include.datasets.registry import UnknownDatasetError, dataset_named
from include.market.calendar import NotASessionError
from include.simulator.datasets.adjusted import SCHEMA as ADJUSTED_SCHEMA
from include.simulator.datasets.adjusted import BaseReset, adjusted_table
from include.simulator.datasets.chain import Chain
from include.simulator.datasets.dividends import dividend_table
from include.simulator.datasets.etps import ProductAction, ProductActionKind, ProductExchange, ProductState
from include.simulator.datasets.flows import (
    Flows,
    investor_flow_table,
    market_investor_flow_table,
    product_flows,
    stock_flows,
)
from include.simulator.datasets.foreigners import foreign_holding_table
from include.simulator.datasets.fundamentals import PerShare, fundamental_table, per_share, report_year_start
from include.simulator.datasets.global_markets import KOREAN_INDICES, global_bar_table
from include.simulator.datasets.holdings import etf_holding_table
from include.simulator.datasets.indices import advance_levels, index_bar_table
from include.simulator.datasets.instruments import delisting_table, instrument_table, listing_days
from include.simulator.datasets.products import products
from include.simulator.datasets.quotes import quote_table
from include.simulator.datasets.sectors import sector_table
from include.simulator.datasets.stocks import Stocks
from include.simulator.datasets.tables import dataset_table, repeated
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.exchange.truth import ActionKind, CorporateAction, Instrument

# Tables kept, in bytes: some dozens of sessions of the whole market.
_KEPT_BYTES = 256 * 1024**2
_PRICES = ("open", "high", "low", "close")


class World:
    """Every dataset of ``market`` on every session, as its sources would publish it if none ever failed.

    A function of the market's seed, size and first session: a later last session changes nothing but adds to it. Any
    session may be asked for first; a session costs the steps from the nearest one kept (products and indices go
    forward session by session). Safe for use by several threads.
    """

    def __init__(self, market: SimulatedMarket) -> None:
        self.market = market
        self.sessions = list(market.sessions)
        self._seed = market.seed
        self._ordinals = {session: ordinal for ordinal, session in enumerate(self.sessions)}
        self._slots = products(market.symbols)
        self._exchange = ProductExchange(self._seed, self._slots, self.sessions[0])
        self._states = Chain(self._advance)
        self._product_actions: dict[date, tuple[ProductAction, ...]] = {}
        self._tables: OrderedDict[tuple[str, date], pa.Table] = OrderedDict()
        self._places: dict[tuple[str, date], Mapping[str, tuple[int, int]]] = {}
        self._kept_bytes = 0
        self._lock = RLock()
        self._makers: Mapping[str, Callable[[date], pa.Table]] = {
            "daily_bar": self._daily_bar,
            "delisting": self._delisting,
            "dividend": lambda session: dividend_table(self._seed, self._stocks(session), self._per_share(session)),
            "etf_holding": lambda session: etf_holding_table(
                self._seed, self._stocks(session), self._slots, self._state(session)
            ),
            "etp_daily_bar": lambda session: self._exchange.bars(session, self._state(session)),
            "foreign_holding": lambda session: foreign_holding_table(self._seed, self._stocks(session)),
            "fundamental": lambda session: fundamental_table(self._stocks(session), self._per_share(session)),
            "global_bar": self._global_bar,
            "index_bar": lambda session: index_bar_table(self._stocks(session), self._state(session).levels),
            "instrument": self._instrument,
            "investor_flow": lambda session: investor_flow_table(self._stocks(session), self._stock_flows(session)),
            "market_investor_flow": self._market_investor_flow,
            "sector": lambda session: sector_table(self._seed, self._stocks(session)),
        }

    def table(self, dataset: str, session: date) -> pa.Table:
        """The truth of ``dataset`` for ``session``, in its ``parsed_schema``; rows of one subject stand together.

        ``global_bar`` and ``delisting`` may be asked for any day.

        Raises:
            UnknownDatasetError: no such dataset, or ``intraday_snapshot``: see :meth:`quotes`.
            NotASessionError: the market has no such session.
        """
        if dataset not in self._makers:
            raise UnknownDatasetError(f"the world has no table {dataset!r}; it has: {', '.join(sorted(self._makers))}")
        if dataset_named(dataset).on_sessions and session not in self._ordinals:
            raise NotASessionError(
                f"{session} is not a session of this market, {self.sessions[0]} to {self.sessions[-1]}"
            )
        with self._lock:
            key = (dataset, session)
            if key in self._tables:
                self._tables.move_to_end(key)
                return self._tables[key]
            return self._keep(key, self._makers[dataset](session))

    def rows(self, dataset: str, subject: str, session: date) -> pa.Table:
        """The rows of one ``subject`` (the dataset's key begins with it: a symbol, a fund) of :meth:`table`.

        Raises:
            UnknownDatasetError, NotASessionError: as :meth:`table`.
        """
        with self._lock:
            table = self.table(dataset, session)
            key = (dataset, session)
            if key not in self._places:
                self._places[key] = _places(table[dataset_named(dataset).subject])
            start, count = self._places[key].get(subject, (0, 0))
            return table.slice(start, count)

    def history(self, dataset: str, subject: str, first: date, last: date) -> pa.Table:
        """The rows of one ``subject`` over the sessions from ``first`` to ``last``, both included, in order.

        Raises:
            UnknownDatasetError: as :meth:`table`.
        """
        parts = (self.rows(dataset, subject, session) for session in self._between(first, last))
        found = [part for part in parts if part.num_rows]
        return pa.concat_tables([dataset_named(dataset).parsed_schema.empty_table(), *found]).combine_chunks()

    def quotes(self, session: date, at: datetime, symbols: Sequence[str]) -> pa.Table:
        """Quotes of ``symbols`` (stocks and products) at ``at``, as ``intraday_snapshot``; in order of symbol.

        A symbol that is not listed has no row. Before the session opens a quote shows the base price, zeros for open,
        high, low and volume; from its close on it is the daily bar.

        Raises:
            NotASessionError: the market has no such session.
            ValueError: ``at`` is naive.
        """
        columns = ["symbol", "session", *_PRICES, "base_price", "volume", "value_krw"]
        parts = [self.table(dataset, session).select(columns) for dataset in ("daily_bar", "etp_daily_bar")]
        wanted = pa.array(sorted(symbols), pa.string())
        bars = pa.concat_tables(parts)
        bars = bars.filter(pc.is_in(bars["symbol"], wanted)).sort_by("symbol")
        return quote_table(self._seed, session, bars.combine_chunks(), at)

    def adjusted_bars(self, symbol: str, first: date, last: date) -> pa.Table:
        """Bars of ``symbol`` from ``first`` to ``last``, adjusted as a price site shows them on ``last``.

        Of ``adjusted.SCHEMA``; empty for a symbol that was not listed. Distributions of funds are left in, as cash
        dividends are.
        """
        with self._lock:
            stocks = self.history("daily_bar", symbol, first, last).select(ADJUSTED_SCHEMA.names)
            funds = self.history("etp_daily_bar", symbol, first, last).select(ADJUSTED_SCHEMA.names)
            actions: list[BaseReset] = [action for action in self._actions[symbol] if action.ex_date <= last]
            if funds.num_rows:
                actions += self._product_splits(symbol, first, last)
        return adjusted_table(pa.concat_tables([stocks, funds]).combine_chunks(), actions)

    @cached_property
    def etp_actions(self) -> list[ProductAction]:
        """Every distribution, split and reverse split of a product, by session; simulates what was not yet.

        Funds of stocks pay distributions, products of futures are split.
        """
        with self._lock:
            self._state(self.sessions[-1])
            return [action for session in self.sessions for action in self._product_actions[session]]

    def _product_splits(self, symbol: str, first: date, last: date) -> list[ProductAction]:
        """The splits of a product whose bars from ``first`` to ``last`` were made."""
        actions = (action for session in self._between(first, last) for action in self._product_actions[session])
        return [
            action
            for action in actions
            if action.symbol == symbol and action.kind is not ProductActionKind.DISTRIBUTION
        ]

    # --- what is kept

    def _keep(self, key: tuple[str, date], table: pa.Table) -> pa.Table:
        self._tables[key] = table
        self._kept_bytes += table.nbytes
        while self._kept_bytes > _KEPT_BYTES and len(self._tables) > 1:
            oldest, dropped = self._tables.popitem(last=False)
            self._places.pop(oldest, None)
            self._kept_bytes -= dropped.nbytes
        return table

    def _between(self, first: date, last: date) -> Sequence[date]:
        return self.sessions[bisect_left(self.sessions, first) : bisect_right(self.sessions, last)]

    def _advance(self, before: ProductState | None, ordinal: int) -> ProductState:
        stocks = self._stocks(self.sessions[ordinal])
        levels = advance_levels(self._seed, stocks, None if before is None else before.levels)
        state = self._exchange.advance(ordinal, stocks, levels, before)
        self._product_actions[stocks.session] = state.actions
        return state

    def _state(self, session: date) -> ProductState:
        return self._states.at(self._ordinals[session])

    def _stocks(self, session: date) -> Stocks:
        return Stocks(session, self.market.session_table(session))

    @cached_property
    def _actions(self) -> Mapping[str, list[CorporateAction]]:
        by_symbol: defaultdict[str, list[CorporateAction]] = defaultdict(list)
        for action in self.market.actions:
            by_symbol[action.symbol].append(action)
        return by_symbol

    def _split(self, session: date) -> Mapping[str, Fraction]:
        """The shares that one has become by splits and reverse splits until ``session``, by symbol."""
        split: defaultdict[str, Fraction] = defaultdict(lambda: Fraction(1))
        for action in self._par_changes[: bisect_right(self._par_changes, session, key=lambda action: action.ex_date)]:
            split[action.symbol] *= action.share_ratio
        return split

    @cached_property
    def _par_changes(self) -> Sequence[CorporateAction]:
        kinds = {ActionKind.SPLIT, ActionKind.REVERSE_SPLIT}
        return [action for action in self.market.actions if action.kind in kinds]

    @cached_property
    def _gone(self) -> Mapping[date, list[Instrument]]:
        """The shares delisted, by the first session without them."""
        by_session: defaultdict[date, list[Instrument]] = defaultdict(list)
        for instrument in self.market.instruments:
            if instrument.delisted is not None:
                by_session[instrument.delisted].append(instrument)
        return by_session

    @cached_property
    def _listed(self) -> Mapping[str, date]:
        return listing_days(self._seed, self.market.instruments, self.sessions[0])

    # --- datasets

    def _daily_bar(self, session: date) -> pa.Table:
        bars = self.market.session_table(session)
        columns = {name: bars[name] for name in bars.column_names}
        return dataset_table("daily_bar", columns | {"venue": repeated("KRX", bars.num_rows)})

    def _delisting(self, day: date) -> pa.Table:
        if day not in self._ordinals:
            return dataset_named("delisting").parsed_schema.empty_table()
        gone = self._gone.get(day, [])
        return delisting_table(self._seed, day, gone, self._listed, self._slots, self._state(day))

    def _global_bar(self, day: date) -> pa.Table:
        korean: dict[str, dict[str, int]] = {}
        if day in self._ordinals:
            bars = self.table("index_bar", day)
            for symbol, index in KOREAN_INDICES.items():
                points = {name: int(bars[name][index].as_py().scaleb(6)) for name in _PRICES}
                korean[symbol] = points | {"volume": bars["volume"][index].as_py()}
        return global_bar_table(self._seed, day, korean)

    def _instrument(self, session: date) -> pa.Table:
        bars = self.table("etp_daily_bar", session)
        return instrument_table(
            self._seed,
            self._stocks(session),
            self._listed,
            self._split(session),
            self._slots,
            self._state(session),
            bars,
        )

    def _market_investor_flow(self, session: date) -> pa.Table:
        bars = self.table("etp_daily_bar", session)
        etfs = product_flows(self._seed, session, bars.filter(pc.equal(bars["kind"], "ETF")))
        return market_investor_flow_table(self._stocks(session), self._stock_flows(session), etfs)

    def _stock_flows(self, session: date) -> Flows:
        return stock_flows(self._seed, self._stocks(session))

    def _per_share(self, session: date) -> PerShare:
        place = bisect_left(self.sessions, report_year_start(session))
        reported = self._stocks(self.sessions[place])
        return per_share(self._seed, self._stocks(session), reported)


def _places(subjects: pa.ChunkedArray) -> Mapping[str, tuple[int, int]]:
    """Start and number of each subject's rows, which stand together."""
    runs = pc.run_end_encode(subjects.combine_chunks())
    ends = runs.run_ends.to_pylist()
    starts = [0, *ends][: len(ends)]
    return {
        subject: (start, end - start) for subject, start, end in zip(runs.values.to_pylist(), starts, ends, strict=True)
    }
