"""Overseas indices, exchange rates and commodities, on calendars of their own; Korea's two as the exchange has them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from include.market.global_symbols import GLOBAL_SYMBOLS
from include.simulator.datasets.indices import KOSDAQ, KOSPI
from include.simulator.datasets.tables import dataset_table, decimals, repeated
from include.simulator.exchange.randomness import Stream, bits, draw, scatter, wander

# The exchange's index behind each symbol of Seoul.
KOREAN_INDICES = {"^KS11": KOSPI, "^KQ11": KOSDAQ}
# Usual levels, in ten-thousandths; about where each stood in 2024.
_LEVELS = {
    "^GSPC": 54_000_000,
    "^IXIC": 170_000_000,
    "^DJI": 395_000_000,
    "^SOX": 50_000_000,
    "^VIX": 170_000,
    "^N225": 385_000_000,
    "^HSI": 180_000_000,
    "000001.SS": 30_500_000,
    "^GDAXI": 183_000_000,
    "^FTSE": 81_000_000,
    "KRW=X": 13_600_000,
    "JPY=X": 1_520_000,
    "EURKRW=X": 14_700_000,
    "CNYKRW=X": 1_900_000,
    "CL=F": 760_000,
    "GC=F": 23_500_000,
}
_SYMBOLS = tuple(symbol.symbol for symbol in GLOBAL_SYMBOLS if symbol.symbol not in KOREAN_INDICES)
_NUMBERS = {symbol: number for number, symbol in enumerate(_LEVELS)}
# A rate of exchange moves less than an index and has no holidays and no volume.
_IS_RATE = np.array([symbol.endswith("=X") for symbol in _SYMBOLS])
_ZONES = {symbol.symbol: symbol.timezone for symbol in GLOBAL_SYMBOLS}
_SWINGS = {512: 120_000, 64: 40_000, 16: 15_000, 4: 6_000, 1: 3_000}


def level_millionths(seed: int, symbol: str, day: date) -> int:
    """Where ``symbol`` (not one of Seoul's) stands at the end of ``day``, in millionths."""
    return int(_levels(seed, np.array([_NUMBERS[symbol]]), day)[0])


def global_bar_table(seed: int, day: date, korean: Mapping[str, Mapping[str, int]]) -> pa.Table:
    """The dataset ``global_bar`` of a ``day``: whatever trades on it.

    ``korean`` has open, high, low and close (millionths) and volume of each of :data:`KOREAN_INDICES`; empty when the
    exchange is closed.
    """
    numbers = np.array([_NUMBERS[symbol] for symbol in _SYMBOLS])
    open_today = _trading(seed, day)
    close = _levels(seed, numbers, day)
    words = scatter(seed, Stream.GLOBAL, _key(day, 1), numbers)
    opening = _levels(seed, numbers, day - timedelta(days=1))
    opening += opening * (bits(words, 0, 12) - 2_048) // 1_000_000
    swing = close * bits(words, 12, 12) // np.where(_IS_RATE, 4_000_000, 1_000_000)
    bars = {
        "open": opening,
        "high": np.maximum(opening, close) + swing,
        "low": np.minimum(opening, close) - swing * 3 // 4,
        "close": close,
        "volume": np.where(_IS_RATE, 0, 1_000_000 + bits(words, 24, 32)),
    }
    symbols = [symbol for symbol, trades in zip(_SYMBOLS, open_today, strict=True) if trades] + list(korean)
    rows = {
        name: np.concatenate([figures[open_today], np.array([index[name] for index in korean.values()], np.int64)])
        for name, figures in bars.items()
    }
    return dataset_table(
        "global_bar",
        {
            "symbol": symbols,
            "session": repeated(day, len(symbols)),
            **{name: decimals(rows[name], 6) for name in ("open", "high", "low", "close")},
            "volume": rows["volume"],
        },
    )


def _levels(seed: int, numbers: NDArray[np.int64], day: date) -> NDArray[np.int64]:
    usual = np.array(tuple(_LEVELS.values()), np.int64)[numbers]
    # Ten-thousandths times ppm make ten-billionths.
    moved = usual * (1_000_000 + wander(seed, Stream.GLOBAL, day.toordinal(), numbers, _SWINGS))
    return moved // 10_000


def _trading(seed: int, day: date) -> NDArray[np.bool_]:
    """Which symbols trade on ``day``: none on a weekend; a zone has one holiday in 32 weekdays, rates none."""
    zones = sorted(set(_ZONES.values()))
    holiday = dict(zip(zones, bits(draw(seed, Stream.GLOBAL, _key(day, 0), len(zones)), 0, 5) == 0, strict=True))
    closed = np.array([holiday[_ZONES[symbol]] for symbol in _SYMBOLS])
    return np.asarray((_IS_RATE | ~closed) & (day.weekday() < 5))


def _key(day: date, purpose: int) -> int:
    """Apart from the keys of :func:`wander`, whose periods end them."""
    return day.toordinal() << 32 | purpose
