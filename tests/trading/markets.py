"""Made-up raw sessions of a few issues: on the grid, with halts, locked days, thin days, splits and delistings."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from include.market.calendar import sessions_between
from include.market.limits import limit_prices
from include.market.symbols import Market
from include.market.ticks import round_down_to_tick, round_up_to_tick
from include.trading.fills import Bar
from include.trading.state import Signal

SESSIONS = tuple(sessions_between(date(2024, 5, 24), date(2024, 7, 5)))
SYMBOLS = tuple(f"{number:05d}0" for number in range(1, 9))
MARKETS = (Market.KOSPI, Market.KOSDAQ, Market.KOSDAQ_GLOBAL, Market.KONEX)


@dataclass
class Day:
    """What a session brings to a portfolio."""

    session: date
    bars: dict[str, Bar]
    signals: list[Signal]
    ratios: dict[str, float] = field(default_factory=dict)
    delisted: set[str] = field(default_factory=set)


def made_up_days(seed: int) -> list[Day]:
    """The days of a market; the same for the same seed."""
    chance = random.Random(seed)
    closes = {symbol: chance.randrange(900, 60_000) for symbol in SYMBOLS}
    markets: Mapping[str, Market] = {symbol: chance.choice(MARKETS) for symbol in SYMBOLS}
    gone: set[str] = set()
    days = []
    for session in SESSIONS:
        day = Day(session, {}, [], {}, set(gone))
        for symbol in SYMBOLS:
            if symbol in gone:
                continue
            if chance.random() < 0.005:
                gone.add(symbol)
                day.delisted.add(symbol)
                continue
            ratio = chance.choice((0.02, 0.1, 0.5, 3.0, 20.0)) if chance.random() < 0.02 else 1.0
            if ratio != 1.0:
                day.ratios[symbol] = ratio
            base = round_up_to_tick(max(int(closes[symbol] * ratio), 100), markets[symbol], session)
            if chance.random() < 0.02:
                continue  # missing from the table
            day.bars[symbol] = bar = _bar(chance, base, markets[symbol], session)
            closes[symbol] = bar.close
            if chance.random() < 0.5:
                side = "buy" if chance.random() < 0.7 else "sell"
                day.signals.append(Signal(symbol, side, chance.randrange(101), chance.choice("abc")))
        days.append(day)
    return days


def _bar(chance: random.Random, base: int, market: Market, session: date) -> Bar:
    limits = limit_prices(base, market, session)
    kind = chance.random()
    if kind < 0.05:
        return Bar(0, 0, 0, base, base, 0, market, "STOCK", halted=True)
    if kind < 0.10:
        price = chance.choice((limits.lower, limits.upper))
        return Bar(price, price, price, price, base, chance.randrange(1, 5_000), market)
    spread = (0.02, 0.3)[kind < 0.25]

    def near() -> int:
        price = base * (1 + chance.uniform(-spread, spread))
        return min(max(round_down_to_tick(int(price), market, session), limits.lower), limits.upper)

    prices = [near() for _ in range(4)]
    return Bar(prices[0], max(prices), min(prices), prices[3], base, chance.choice((0, 7, 3_000, 500_000)), market)
