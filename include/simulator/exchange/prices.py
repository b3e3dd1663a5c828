"""One session's trading, computed for all slots at once in integers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from numpy.typing import NDArray

from include.market.fluctuation import DOWN, FLAT, LOWER_LIMIT, NONE, UP, UPPER_LIMIT
from include.market.limits import (
    FIRST_DAY_RULE_FROM,
    first_day_limits,
    first_day_opening_range,
    limit_price_arrays,
    limit_prices,
)
from include.market.symbols import Market
from include.market.ticks import round_down_to_tick, round_up_to_ticks, tick_sizes
from include.simulator.exchange.randomness import BELL_DEVIATION, Stream, bell, bits, draw
from include.simulator.exchange.state import KONEX, KOSDAQ, KOSDAQ_GLOBAL, KOSPI, MARKETS, State

Prices = NDArray[np.int64]

_MARKET_VOLATILITY_PPM = 8_000
_PULL_PPM = 1_500
# A SPAC is worth the cash it holds.
_PULL_OF_SPACS_PPM = 60_000
_LIQUIDATION_DRIFT_PPM = -90_000
# Midpoint orders: a close may lie half a tick, rounded down to whole won, above the grid. So many sessions in
# 65,536 end so: few, but for SPACs, whose prices hardly move.
MIDPOINT_ORDERS_FROM = date(2026, 1, 1)
_MIDPOINT_CLOSES = 2
_MIDPOINT_CLOSES_OF_SPACS = 1_800
# The markets whose rules are the same share a group; the slots of a group follow one market's rules.
_RULE_GROUPS = ((Market.KOSPI, (KOSPI,)), (Market.KOSDAQ, (KOSDAQ, KOSDAQ_GLOBAL)), (Market.KONEX, (KONEX,)))
_ONES = np.array([value.bit_count() for value in range(256)], np.int64)


@dataclass(frozen=True)
class Trading:
    """One session's figures, one element per slot; slots without a listed share hold meaningless ones."""

    open: Prices
    high: Prices
    low: Prices
    close: Prices
    base_price: Prices
    volume: NDArray[np.int64]
    value_krw: NDArray[np.int64]
    fluctuation_code: NDArray[np.int16]


@dataclass
class Openings:
    """The slots that open otherwise than from the close before, this session.

    ``first_days``: a new share trades for the first time. ``auctioned``: the opening auction settled the base,
    and the open is that base. ``unmarked``: the base is published as the price given here, whatever the share
    trades around.
    """

    first_days: list[int] = field(default_factory=list)
    auctioned: list[int] = field(default_factory=list)
    unmarked: dict[int, int] = field(default_factory=dict)


def trade(seed: int, session: date, state: State, openings: Openings) -> Trading:
    """Trade ``session``; ``state.close`` holds the last closes, or bases already reset and offer prices."""
    rules = _Rules(session, state.market)
    slots = len(state.close)
    day = session.toordinal()
    moves = draw(seed, Stream.PRICE, day, slots)
    trades = draw(seed, Stream.TRADE, day, slots)

    # A close off the grid (another table, another market) is rounded up to it when trading goes on.
    base = np.where(state.halted, state.close, rules.round_up(np.maximum(state.close, 1)))
    returns = _returns(seed, day, state, moves, trades)
    opening_returns = (bits(trades, 8, 16) - 32_768) * state.volatility_ppm // 65_536
    lower, upper = rules.limits(base)
    lower = np.where(state.liquidating, 1, lower)
    upper = np.where(state.liquidating, base * 10, upper)
    opening_returns[openings.auctioned] = 0
    for slot in openings.first_days:
        market = MARKETS[state.market[slot]]
        chance = int(bits(trades[slot : slot + 1], 8, 16)[0])
        if session >= FIRST_DAY_RULE_FROM and market is not Market.KONEX:
            allowed = first_day_limits(int(base[slot]), market, session)
            # Nothing is known of a SPAC that would move it.
            returns[slot] = (chance * chance // 1_200 - 300_000) // (16 if state.spac[slot] else 1)
            opening_returns[slot] = returns[slot] // 2
        else:
            # The opening auction sets the base, and trading goes on from there.
            auction = first_day_opening_range(int(base[slot]), market, session)
            opening = auction.lower + (auction.upper - auction.lower) * chance // 65_536
            if not state.spac[slot]:
                base[slot] = round_down_to_tick(opening, market, session)
            opening_returns[slot] = 0
            allowed = limit_prices(int(base[slot]), market, session)
        lower[slot], upper[slot] = allowed.lower, allowed.upper

    close = np.clip(rules.round_nearest(base + base * returns // 1_000_000), lower, upper)
    opening_price = np.clip(rules.round_nearest(base + base * opening_returns // 1_000_000), lower, upper)
    swing = base * state.volatility_ppm // 1_000_000
    high = np.maximum(opening_price, close)
    high = np.minimum(np.maximum(high, rules.round_down(high + (swing * bits(trades, 24, 16) >> 16))), upper)
    low = np.minimum(opening_price, close)
    low = np.maximum(rules.round_down(np.maximum(low - (swing * bits(trades, 40, 16) >> 16), 1)), lower)

    words = draw(seed, Stream.VOLUME, day, slots)
    if session >= MIDPOINT_ORDERS_FROM:
        close, high = _with_midpoints(words, state, rules, close, high, upper)
    volume, value = _volume_and_value(words, state, low, high)
    halted = state.halted
    close = np.where(halted, base, close)
    # On KONEX a quote may set the close of a session in which nothing traded.
    quoted = (state.market == KONEX) & (bits(trades, 56, 8) < 13) & (close != base)
    quoted[openings.first_days + openings.auctioned] = False
    untraded = halted | quoted
    for figures in (opening_price, high, low, volume, value):
        figures[untraded] = 0
    limited = ~state.liquidating
    for slot, published in openings.unmarked.items():
        base[slot], limited[slot] = published, False
    return Trading(
        open=opening_price,
        high=high,
        low=low,
        close=close,
        base_price=base,
        volume=volume,
        value_krw=value,
        fluctuation_code=_codes(close, base, lower, upper, halted, limited),
    )


def _returns(
    seed: int, day: int, state: State, moves: NDArray[np.uint64], trades: NDArray[np.uint64]
) -> NDArray[np.int64]:
    """Each slot's return from its base in ppm: the market's, its own, and a pull towards its anchor."""
    market_return = bell(draw(seed, Stream.MARKET, day, 1))[0] * _MARKET_VOLATILITY_PPM // BELL_DEVIATION
    market_returns = np.where(state.spac, 0, market_return)
    own = bell(moves) * state.volatility_ppm // BELL_DEVIATION
    # One session in 256 is a wild one: news, and with it most of the closes at a limit.
    own = np.where(bits(trades, 0, 8) == 0, own * 8, own)
    distance = np.maximum(np.maximum(state.anchor, state.close), 1)
    pull = (state.anchor - state.close) * np.where(state.spac, _PULL_OF_SPACS_PPM, _PULL_PPM) // distance
    collapse = np.where(state.liquidating & ~state.spac, _LIQUIDATION_DRIFT_PPM + own * 4, 0)
    returns: NDArray[np.int64] = np.maximum(market_returns + own + pull + collapse, -700_000)
    return returns


def _with_midpoints(
    words: NDArray[np.uint64], state: State, rules: _Rules, close: Prices, high: Prices, upper: Prices
) -> tuple[Prices, Prices]:
    """Closes, some of them midpoints of the bid that was the close and the ask a tick above, and highs."""
    ticks = rules.ticks(close)
    chance = np.where(state.spac, _MIDPOINT_CLOSES_OF_SPACS, _MIDPOINT_CLOSES)
    midpoint = (bits(words, 40, 16) < chance) & (close + ticks <= upper) & (state.market != KONEX)
    return np.where(midpoint, close + ticks // 2, close), np.where(midpoint, np.maximum(high, close + ticks), high)


def _volume_and_value(
    words: NDArray[np.uint64], state: State, low: Prices, high: Prices
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Shares traded, over three orders of magnitude, and won: volume at a price within the day's range.

    One row in 512 carries a block trade whose value puts the average price outside the range, as in life.
    """
    usual = state.shares * state.turnover_ppm // 1_000_000
    scattered = (usual * (256 + bits(words, 0, 8)) >> 8) << _ONES[bits(words, 8, 8)]
    volume = np.maximum(scattered >> 4, 1)
    average_256 = low * 256 + (high - low) * bits(words, 16, 8)
    value = volume * average_256 >> 8
    return volume, np.where(bits(words, 24, 9) == 0, value + value // 16, value)


def _codes(
    close: Prices, base: Prices, lower: Prices, upper: Prices, halted: NDArray[np.bool_], limited: NDArray[np.bool_]
) -> NDArray[np.int16]:
    codes = np.select(
        [halted, close == base, (close == upper) & limited, (close == lower) & limited, close > base],
        [NONE, FLAT, UPPER_LIMIT, LOWER_LIMIT, UP],
        DOWN,
    )
    return codes.astype(np.int16)


class _Rules:
    """The rules of a session, each slot by its market."""

    def __init__(self, session: date, market: NDArray[np.int8]) -> None:
        self._session = session
        groups = ((rule, np.flatnonzero(np.isin(market, members))) for rule, members in _RULE_GROUPS)
        self._groups = [(rule, slots) for rule, slots in groups if len(slots)]

    def _apply(self, rule: Callable[[Prices, Market, date], Prices], prices: Prices) -> Prices:
        result = np.empty_like(prices)
        for market, slots in self._groups:
            result[slots] = rule(prices[slots], market, self._session)
        return result

    def round_up(self, prices: Prices) -> Prices:
        return self._apply(round_up_to_ticks, prices)

    def ticks(self, prices: Prices) -> Prices:
        return self._apply(tick_sizes, prices)

    def round_down(self, prices: Prices) -> Prices:
        return prices - prices % self.ticks(prices)

    def round_nearest(self, prices: Prices) -> Prices:
        prices = np.maximum(prices, 1)
        ticks = self.ticks(prices)
        nearest: Prices = np.maximum(prices + ticks // 2, ticks) // ticks * ticks
        return nearest

    def limits(self, bases: Prices) -> tuple[Prices, Prices]:
        lower, upper = np.empty_like(bases), np.empty_like(bases)
        for market, slots in self._groups:
            lower[slots], upper[slots] = limit_price_arrays(bases[slots], market, self._session)
        return lower, upper
