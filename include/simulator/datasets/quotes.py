"""Quotes at a moment of a session: a path from the open to the close that touches the low and the high."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from include.market.calendar import trading_hours
from include.market.symbols import Market
from include.market.ticks import round_down_to_ticks
from include.simulator.datasets.stocks import symbol_numbers
from include.simulator.datasets.tables import dataset_table, repeated
from include.simulator.exchange.randomness import Stream, bits, scatter

# Progress through the session runs from 0 to this.
_END = 1_000_000
_OPENING_AUCTION_PERCENT = 2
_FIGURES = ("open", "high", "low", "volume", "value_krw")

Figures = dict[str, NDArray[np.int64]]


def quote_table(seed: int, session: date, bars: pa.Table, at: datetime) -> pa.Table:
    """The dataset ``intraday_snapshot`` for the issues of ``bars`` (daily bars of ``session``) at ``at``.

    Before the open a quote shows the base price and nothing traded; from the close on it is the daily bar.

    Raises:
        ValueError: ``at`` is naive.
    """
    if at.tzinfo is None:
        raise ValueError(f"expected a moment with its time zone, got {at.isoformat()}")
    hours = trading_hours(session)
    if at < hours.open:
        figures = _before_open(bars)
    elif at < hours.close:
        progress = (at - hours.open) * _END // (hours.close - hours.open)
        figures = _during(seed, session, bars, progress)
    else:
        figures = {name: bars[name].to_numpy() for name in _FIGURES} | {"price": bars["close"].to_numpy()}
    return dataset_table(
        "intraday_snapshot",
        {
            "symbol": bars["symbol"],
            "session": bars["session"],
            "at": pa.repeat(pa.scalar(at.astimezone(UTC), pa.timestamp("us", tz="UTC")), bars.num_rows),
            "venue": repeated("KRX", bars.num_rows),
            "change": figures["price"] - bars["base_price"].to_numpy(),
            **figures,
        },
    )


def _before_open(bars: pa.Table) -> Figures:
    return {name: np.zeros(bars.num_rows, np.int64) for name in _FIGURES} | {"price": bars["base_price"].to_numpy()}


def _during(seed: int, session: date, bars: pa.Table, progress: int) -> Figures:
    opening, high, low, close = (bars[name].to_numpy() for name in ("open", "high", "low", "close"))
    words = scatter(seed, Stream.QUOTE, session.toordinal(), symbol_numbers(bars["symbol"]))
    falls_first = bits(words, 0, 1) == 0
    stops = [opening, np.where(falls_first, low, high), np.where(falls_first, high, low), close]
    times = [
        np.zeros_like(opening),
        _END * (15 + bits(words, 8, 16) % 30) // 100,
        _END * (55 + bits(words, 24, 16) % 30) // 100,
        np.full_like(opening, _END),
    ]
    price, highest, lowest = opening, opening, opening
    for (start, end), (since, until) in zip(pairwise(stops), pairwise(times), strict=True):
        reached = np.clip(progress - since, 0, until - since)
        here = round_down_to_ticks(start + (end - start) * reached // (until - since), Market.KOSPI, session)
        here = np.clip(here, np.minimum(start, end), np.maximum(start, end))
        price = np.where(progress >= since, here, price)
        highest = np.where(progress >= since, np.maximum(highest, np.maximum(start, here)), highest)
        lowest = np.where(progress >= since, np.minimum(lowest, np.minimum(start, here)), lowest)
    volume, value = _traded(bars["volume"].to_numpy(), bars["value_krw"].to_numpy(), progress)
    # Without a trade the price stands at the base until the close is set.
    traded = opening > 0
    return {
        "price": np.where(traded, price, bars["base_price"].to_numpy()),
        "open": opening,
        "high": np.where(traded, highest, 0),
        "low": np.where(traded, lowest, 0),
        "volume": volume,
        "value_krw": value,
    }


def _traded(volume: NDArray[np.int64], value: NDArray[np.int64], progress: int) -> tuple[NDArray[np.int64], ...]:
    """Shares and won traded so far: something in the opening auction, the rest evenly."""
    part = _OPENING_AUCTION_PERCENT * _END + (100 - _OPENING_AUCTION_PERCENT) * progress
    traded = np.maximum(volume * part // (100 * _END), np.minimum(volume, 1))
    divisor = np.maximum(volume, 1)
    return traded, value // divisor * traded + value % divisor * traded // divisor
