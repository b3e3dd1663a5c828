"""Exchange-traded products through the sessions: net asset values, prices, units, listings and closures.

Funds of stocks pay what they earned at the ends of January, April, July and October. The base of the session before
the last of the month, when they go ex, is the close before less the distribution (KODEX 200 on 2020-04-28: 425 won
less). A product of futures that became too dear or too cheap is split, or consolidated, from one session to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import Enum
from fractions import Fraction
from math import ceil

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from include.market.calendar import next_session
from include.simulator.datasets.baskets import CREATION_UNIT, Baskets, Manager
from include.simulator.datasets.global_markets import level_millionths
from include.simulator.datasets.indices import INDICES, IndexLevels, index_members
from include.simulator.datasets.products import Product, Strategy, product_name
from include.simulator.datasets.stocks import Stocks
from include.simulator.datasets.tables import dataset_table, decimals, repeated, texts
from include.simulator.exchange.names import product_symbol
from include.simulator.exchange.randomness import Stream, bits, draw, scatter, wander

_TICK = 5
# Net asset values in hundredths of a won. A product is closed when little is left of it, or after years.
_FIRST_NAV = 1_000_000
_LEAST_NAV = 100_000
_SESSIONS_OF_LIFE = 2_500
_FOREIGN_NAV_PER_POINT = 2
_BOND_SWINGS = {256: 8_000, 16: 800, 1: 80}
_BOND_DAY_PPM = 80
_DISTRIBUTION_MONTHS = frozenset({1, 4, 7, 10})
# Prices beyond which a product of futures is split or consolidated, one session in sixteen, and by how much.
_DEAR, _CHEAP = 40_000, 2_500
_SPLIT = Fraction(5)
_CONSOLIDATION = Fraction(1, 5)


@dataclass(frozen=True)
class Closure:
    """A product that had its last session the day before."""

    slot: int
    number: int
    listed_on: date


class ProductActionKind(Enum):
    """Why the base of a product is not its previous close."""

    DISTRIBUTION = "distribution"
    SPLIT = "split"
    REVERSE_SPLIT = "reverse_split"


@dataclass(frozen=True)
class ProductAction:
    """On ``ex_date`` the base was ``base_price`` and not ``previous_close`` (both won).

    ``unit_ratio`` is new units per old unit, at once; ``amount_krw`` what a unit was paid, 0 for a split.
    """

    symbol: str
    ex_date: date
    kind: ProductActionKind
    unit_ratio: Fraction
    amount_krw: int
    previous_close: int
    base_price: int

    @property
    def base_ratio(self) -> Fraction:
        """Base / previous close."""
        return Fraction(self.base_price, self.previous_close)


@dataclass(frozen=True)
class ProductState:
    """Every product at the end of a session, one element per slot; prices in won, ``nav`` in hundredths.

    ``base`` is the previous close, or what ``actions``, those of the session, made of it; in a slot of which
    ``traded`` is False nothing was traded.
    """

    levels: IndexLevels
    number: NDArray[np.int64]
    listed_on: NDArray[np.int64]
    nav: NDArray[np.int64]
    base: NDArray[np.int64]
    close: NDArray[np.int64]
    units: NDArray[np.int64]
    traded: NDArray[np.bool_]
    baskets: Baskets
    next_number: int
    closed: tuple[Closure, ...]
    actions: tuple[ProductAction, ...]


class ProductExchange:
    """The products of ``slots``, one session after another."""

    def __init__(self, seed: int, slots: Sequence[Product], first: date) -> None:
        self._seed = seed
        self._slots = tuple(slots)
        self._first = first
        self._index = np.array([product.index for product in slots])
        self._multiple = np.array([product.multiple for product in slots])
        self._has_stocks = np.array([product.strategy is Strategy.STOCKS for product in slots])
        self._has_futures = np.array([product.strategy is Strategy.FUTURES for product in slots])
        self._is_etf = np.array([product.kind == "ETF" for product in slots])
        self._stock_slots = np.flatnonzero(self._has_stocks).tolist()
        self._own_nav_slots = [
            slot for slot, product in enumerate(slots) if product.strategy in {Strategy.FOREIGN, Strategy.BONDS}
        ]

    def advance(self, ordinal: int, stocks: Stocks, levels: IndexLevels, before: ProductState | None) -> ProductState:
        """The state of the session of ``stocks``; ``before`` is that of the session before, None at the first."""
        words = draw(self._seed, Stream.PRODUCT, ordinal, len(self._slots))
        if before is None:
            opening, new = self._founded(levels), np.ones(len(self._slots), np.bool_)
        else:
            opening, new = self._relisted(before, stocks.session, words)
        baskets = self._managed(ordinal, stocks, opening, new).at_close(stocks)
        moved = opening.nav + opening.nav * self._multiple * levels.returns_ppm()[self._index] // 1_000_000
        nav = np.where(self._has_stocks, baskets.value * 100 // CREATION_UNIT, np.maximum(moved, opening.nav // 5))
        offered = opening.nav.copy()
        for slot in self._own_nav_slots:
            nav[slot] = offered[slot] = self._own_nav(slot, stocks.session)
        base = np.where(new, _on_grid(offered // 100), opening.close)
        traded = new | (bits(words, 0, 6) > 0) | self._is_popular(opening.number)
        premium = bits(words, 8, 12) - 2_048
        close = np.where(traded, _on_grid((nav + nav * premium // 1_000_000) // 100), base)
        return replace(
            opening,
            levels=levels,
            nav=nav,
            base=base,
            close=close,
            units=self._created(opening.units, words),
            traded=traded,
            baskets=baskets,
        )

    def bars(self, session: date, state: ProductState) -> pa.Table:
        """The dataset ``etp_daily_bar`` of a session."""
        symbols = np.array([product_symbol(int(number)) for number in state.number])
        order = np.argsort(symbols)
        words = scatter(self._seed, Stream.PRODUCT_TRADE, session.toordinal(), state.number)
        reach = np.maximum(state.close // 100, _TICK)
        opening = _on_grid(state.base + (state.close - state.base) * bits(words, 0, 8) // 256)
        high = np.maximum(opening, state.close) + reach * bits(words, 8, 8) // 256 // _TICK * _TICK
        low = np.minimum(opening, state.close) - reach * bits(words, 16, 8) // 512 // _TICK * _TICK
        volume = np.maximum(state.units * (1 + bits(words, 24, 8)) // 8_192, 1)
        value = volume * (low * 256 + (high - low) * bits(words, 32, 8)) >> 8
        traded = np.where(state.traded, 1, 0)
        columns = {
            "open": opening * traded,
            "high": high * traded,
            "low": low * traded,
            "close": state.close,
            "volume": volume * traded,
            "value_krw": value * traded,
            "market_cap_krw": state.close * state.units,
            "listed_shares": state.units,
            "change": state.close - state.base,
            "base_price": state.base,
        }
        net_assets = state.nav * state.units // 100
        underlying = [self._underlying(slot, session, state) for slot in order]
        names = [product_name(self._slots[slot], int(state.number[slot])) for slot in order]
        return dataset_table(
            "etp_daily_bar",
            {
                "symbol": symbols[order],
                "session": repeated(session, len(order)),
                "kind": texts(("ETN", "ETF"), self._is_etf[order].astype(np.int64)),
                "market": repeated("KOSPI", len(order)),
                **{name: figures[order] for name, figures in columns.items()},
                "nav": decimals(state.nav[order], 2),
                "net_assets_krw": pa.array(net_assets[order], mask=~self._is_etf[order]),
                "underlying_index": [name for name, _ in underlying],
                "underlying_close": decimals(np.array([close for _, close in underlying]), 2),
                "halted": ~state.traded[order],
                "name": names,
                "section": repeated("", len(order)),
            },
        )

    # --- one session

    def _founded(self, levels: IndexLevels) -> ProductState:
        """The products listed before the first session, over the ten years before it."""
        count = len(self._slots)
        words = draw(self._seed, Stream.PRODUCT, 0, count)
        numbers = np.arange(count)
        return ProductState(
            levels=levels,
            number=numbers,
            listed_on=self._first.toordinal() - 1 - bits(words, 8, 24) % 3_650,
            nav=np.full(count, _FIRST_NAV) + bits(words, 32, 20) * 2,
            base=np.zeros(count, np.int64),
            close=np.zeros(count, np.int64),
            units=self._first_units(numbers),
            traded=np.ones(count, np.bool_),
            baskets=Baskets.empty(count),
            next_number=count,
            closed=(),
            actions=(),
        )

    def _relisted(
        self, before: ProductState, session: date, words: NDArray[np.uint64]
    ) -> tuple[ProductState, NDArray[np.bool_]]:
        """The products as the session opens: those closed the day before have given their slots to new ones."""
        over = (before.nav < _LEAST_NAV) | (bits(words, 32, 32) % _SESSIONS_OF_LIFE == 0)
        slots = np.flatnonzero(over)
        closed = tuple(
            Closure(int(slot), int(before.number[slot]), date.fromordinal(int(before.listed_on[slot])))
            for slot in slots
        )
        number, listed_on, nav = before.number.copy(), before.listed_on.copy(), before.nav.copy()
        number[slots] = before.next_number + np.arange(len(slots))
        listed_on[slots] = session.toordinal()
        nav[slots] = _FIRST_NAV
        units = np.where(over, self._first_units(number), before.units)
        state = replace(
            before,
            number=number,
            listed_on=listed_on,
            nav=nav,
            units=units,
            next_number=before.next_number + len(slots),
            closed=closed,
            actions=(),
        )
        return self._distributed(self._split(state, over, session, words), over, session), over

    def _split(
        self, state: ProductState, new: NDArray[np.bool_], session: date, words: NDArray[np.uint64]
    ) -> ProductState:
        """The products as the session opens, of which some of those of futures are split or consolidated."""
        # The bits that say so keep units from being created in the same session.
        due = ~new & self._has_futures & (bits(words, 20, 4) == 1)
        due &= (state.close >= _DEAR) | ((state.close < _CHEAP) & (state.units >= 10 * CREATION_UNIT))
        nav, close, units = state.nav.copy(), state.close.copy(), state.units.copy()
        actions = []
        for slot in np.flatnonzero(due).tolist():
            previous = int(state.close[slot])
            is_dear = previous >= _DEAR
            ratio = _SPLIT if is_dear else _CONSOLIDATION
            kind = ProductActionKind.SPLIT if is_dear else ProductActionKind.REVERSE_SPLIT
            close[slot] = base = ceil(previous / ratio / _TICK) * _TICK
            nav[slot] = int(nav[slot]) * ratio.denominator // ratio.numerator
            units[slot] = int(units[slot]) * ratio.numerator // ratio.denominator
            symbol = product_symbol(int(state.number[slot]))
            actions.append(ProductAction(symbol, session, kind, ratio, 0, previous, base))
        return replace(state, nav=nav, close=close, units=units, actions=(*state.actions, *actions))

    def _distributed(self, state: ProductState, new: NDArray[np.bool_], session: date) -> ProductState:
        """The products as the session opens, without the distributions they go ex today: in multiples of a tick.

        At most half of a fund's cash.
        """
        record = next_session(session)
        if record.month not in _DISTRIBUTION_MONTHS or next_session(record).month == record.month:
            return state
        words = scatter(self._seed, Stream.DISTRIBUTION, session.toordinal(), state.number)
        earned = state.close * (2_000 + bits(words, 0, 12)) // 1_000_000
        available = np.minimum(earned, state.baskets.cash // (2 * CREATION_UNIT))
        amount = np.where(self._has_stocks & ~new, np.maximum(available, 0) // _TICK * _TICK, 0)
        close = state.close - amount
        actions = [
            ProductAction(
                symbol=product_symbol(int(state.number[slot])),
                ex_date=session,
                kind=ProductActionKind.DISTRIBUTION,
                unit_ratio=Fraction(1),
                amount_krw=int(amount[slot]),
                previous_close=int(state.close[slot]),
                base_price=int(close[slot]),
            )
            for slot in np.flatnonzero(amount).tolist()
        ]
        baskets = replace(state.baskets, cash=state.baskets.cash - amount * CREATION_UNIT)
        return replace(state, close=close, baskets=baskets, actions=(*state.actions, *actions))

    def _managed(self, ordinal: int, stocks: Stocks, opening: ProductState, new: NDArray[np.bool_]) -> Baskets:
        manager = Manager(self._seed, ordinal, stocks, opening.baskets.at_base_prices(stocks))
        pools = _Pools(self._seed, stocks)
        for slot in self._stock_slots:
            pool = pools.of(self._slots[slot].index)
            if new[slot]:
                manager.found(slot, pool, int(opening.nav[slot]) * CREATION_UNIT // 100)
            else:
                manager.rebalance(slot, pool)
        return manager.baskets

    def _created(self, units: NDArray[np.int64], words: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Units after creations and redemptions: on one day in eight some creation units either way."""
        change = np.where(bits(words, 20, 3) == 0, (bits(words, 23, 4) - 7) * CREATION_UNIT, 0)
        return np.maximum(units + change, 2 * CREATION_UNIT)

    def _first_units(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        words = scatter(self._seed, Stream.PRODUCT_TRADE, 0, numbers)
        return (2 + (bits(words, 0, 8) << bits(words, 8, 8) % 4)) * CREATION_UNIT

    def _is_popular(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        return bits(scatter(self._seed, Stream.PRODUCT_TRADE, 0, numbers), 16, 2) > 0

    # --- what is not of the exchange

    def _own_nav(self, slot: int, session: date) -> int:
        if self._slots[slot].strategy is Strategy.FOREIGN:
            return self._theme_level(slot, session) * _FOREIGN_NAV_PER_POINT
        return self._theme_level(slot, session) * 100

    def _theme_level(self, slot: int, session: date) -> int:
        """The published close, in hundredths, of a foreign index the day before, or of the bond index."""
        if self._slots[slot].strategy is Strategy.FOREIGN:
            return level_millionths(self._seed, "^GSPC", session - timedelta(days=1)) // 10_000
        day = session.toordinal()
        movement = int(wander(self._seed, Stream.BOND, day, np.zeros(1, np.int64), _BOND_SWINGS)[0])
        return 10_000 + 10_000 * ((day - date(2000, 1, 1).toordinal()) * _BOND_DAY_PPM + movement) // 1_000_000

    def _underlying(self, slot: int, session: date, state: ProductState) -> tuple[str, int]:
        """Name and close, in hundredths, of the index a product follows."""
        product = self._slots[slot]
        if product.theme is None:
            return INDICES[product.index][0], state.levels.published(product.index)
        if product.strategy is Strategy.STOCKS:
            return product.theme, int(state.nav[slot]) // 10
        return product.theme, self._theme_level(slot, session)


class _Pools:
    """The stocks funds may buy in a session, by the index they follow: rows, the largest first."""

    def __init__(self, seed: int, stocks: Stocks) -> None:
        self._members = index_members(seed, stocks)
        self._rank = np.argsort(-stocks.base_value, kind="stable")
        # Nothing is bought that does not trade.
        self._tradable = stocks.common & ~stocks.on_konex & (stocks.figures("volume") > 0)
        self._known: dict[int, NDArray[np.intp]] = {}

    def of(self, index: int) -> NDArray[np.intp]:
        if index not in self._known:
            eligible = self._tradable & self._members[index]
            self._known[index] = self._rank[eligible[self._rank]]
        return self._known[index]


def _on_grid(prices: NDArray[np.int64]) -> NDArray[np.int64]:
    """The nearest price on the grid, at least one tick."""
    nearest: NDArray[np.int64] = np.maximum((prices + _TICK // 2) // _TICK, 1) * _TICK
    return nearest
