"""Small markets for backtests, made by hand or drawn."""

from __future__ import annotations

from datetime import date

import numpy as np

from include.backtest.market_bars import MARKETS, MarketBars
from include.backtest.outcomes import CostRates
from include.market.calendar import sessions_between
from include.market.symbols import Market

SESSIONS = np.array(sessions_between(date(2024, 1, 2), date(2024, 12, 30)), "datetime64[D]")
Bar = tuple[int, int, int, int]  # day, open, close, base price; open 0: not traded
FLAT_INDEX = 100.0


def bars(
    symbols: dict[str, list[Bar]],
    days: int,
    *,
    market: Market = Market.KOSPI,
    gone: set[str] | None = None,
    factors: dict[str, float] | None = None,
    index: list[tuple[float, float]] | None = None,
) -> MarketBars:
    """A market of ``days`` sessions from 2024-01-02 on; an index that stands still unless given as open and close.

    Symbols in ``gone`` left the market after their last bar.
    """
    rows = [(number, *bar) for number, own in enumerate(symbols.values()) for bar in own]
    number, day, opened, close, base = (np.array(column) for column in zip(*rows, strict=True))
    levels = np.array(index or [(FLAT_INDEX, FLAT_INDEX)] * days, float)
    names = list(symbols)
    counts = [len(own) for own in symbols.values()]
    return MarketBars(
        symbols=np.array(names, object),
        offsets=np.cumsum([0, *counts]),
        sessions=SESSIONS[:days],
        day=day.astype(np.int32),
        open=opened.astype(np.int64),
        high=np.where(opened > 0, np.maximum(opened, close), 0).astype(np.int64),
        low=np.where(opened > 0, np.minimum(opened, close), 0).astype(np.int64),
        close=close.astype(np.int64),
        base_price=base.astype(np.int64),
        volume=np.where(opened > 0, 1_000_000, 0),
        price_factor=(factor := np.array([(factors or {}).get(names[place], 1.0) for place in number])),
        volume_factor=1 / factor,
        market=np.full(len(rows), MARKETS.index(market), np.int8),
        taxed=np.ones(len(rows), np.bool_),
        index=np.zeros(len(rows), np.int8),
        index_open=levels[:, 0][None, :],
        index_close=levels[:, 1][None, :],
        gone=np.array([name in (gone or set()) for name in names]),
    )


def steady(prices: list[int]) -> list[Bar]:
    """A bar a session that opens and closes at these prices, each from the one before."""
    return [(day, price, price, prices[max(day - 1, 0)]) for day, price in enumerate(prices)]


def no_costs(days: int) -> CostRates:
    """Trading for nothing."""
    return CostRates(np.zeros(days), np.zeros((len(MARKETS), days)), np.zeros(days))
