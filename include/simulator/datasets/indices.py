"""The exchange's indices: capitalisation-weighted, chained session by session from the members' base prices.

Simplified: the members of a capped index are the largest common shares of each session, not those of a review.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from include.simulator.datasets.sectors import KOSPI_SECTORS, sectors
from include.simulator.datasets.stocks import Stocks
from include.simulator.datasets.tables import dataset_table, decimals, repeated
from include.simulator.exchange.randomness import Stream, bits, draw

KOSPI, KOSDAQ, KOSPI_200, KOSDAQ_150, KRX_300 = range(5)
FIRST_SECTOR_INDEX = 5
INDICES = (
    ("코스피", "KOSPI"),
    ("코스닥", "KOSDAQ"),
    ("코스피 200", "KOSPI"),
    ("코스닥 150", "KOSDAQ"),
    ("KRX 300", "KRX"),
    *((sector, "KOSPI") for sector in KOSPI_SECTORS),
)
# Levels are kept in millionths of a point and published in hundredths.
_MILLIONTHS_PER_HUNDREDTH = 10_000
_FIRST_LEVELS = {KOSPI: 2_500, KOSDAQ: 800, KOSPI_200: 330, KOSDAQ_150: 1_300, KRX_300: 1_500}


@dataclass(frozen=True)
class IndexLevels:
    """Where every index of :data:`INDICES` stood in a session, in millionths of a point; sums over its members."""

    before: tuple[int, ...]
    open: tuple[int, ...]
    high: tuple[int, ...]
    low: tuple[int, ...]
    close: tuple[int, ...]
    volume: tuple[int, ...]
    value_krw: tuple[int, ...]
    market_cap_krw: tuple[int, ...]

    def published(self, index: int) -> int:
        """The close of one index in hundredths of a point."""
        return _hundredths(self.close[index])

    def returns_ppm(self) -> NDArray[np.int64]:
        """How far each index moved, in ppm."""
        moves = zip(self.before, self.close, strict=True)
        return np.array([(close - before) * 1_000_000 // before for before, close in moves], np.int64)


def index_members(seed: int, stocks: Stocks) -> list[NDArray[np.bool_]]:
    """Which stocks of a session make each index; common shares only, but for the two composites."""
    on_exchange = stocks.common & ~stocks.on_konex
    industry = sectors(seed, stocks)
    return [
        stocks.on_kospi,
        stocks.on_kosdaq,
        _largest(stocks, on_exchange & stocks.on_kospi, 200),
        _largest(stocks, on_exchange & stocks.on_kosdaq, 150),
        _largest(stocks, on_exchange, 300),
        *(on_exchange & stocks.on_kospi & (industry == place) for place in range(len(KOSPI_SECTORS))),
    ]


def advance_levels(seed: int, stocks: Stocks, before: IndexLevels | None) -> IndexLevels:
    """The levels of the session of ``stocks``; ``before`` are those of the session before, None at the first."""
    starts = _first_levels(seed) if before is None else before.close
    opened = stocks.figures("open") > 0
    base, close = stocks.figures("base_price"), stocks.figures("close")
    prices = [close] + [np.where(opened, stocks.figures(column), base) for column in ("open", "high", "low")]
    shares = stocks.figures("listed_shares")
    values = [price * shares for price in prices]
    rows = zip(
        *(
            _bar(start, stocks, members, values)
            for start, members in zip(starts, index_members(seed, stocks), strict=True)
        ),
        strict=True,
    )
    return IndexLevels(starts, *rows)


def index_bar_table(stocks: Stocks, levels: IndexLevels) -> pa.Table:
    """The dataset ``index_bar`` of a session."""
    points = {name: np.array([_hundredths(level) for level in getattr(levels, name)]) for name in _POINTS}
    count = len(INDICES)
    return dataset_table(
        "index_bar",
        {
            "index_name": [name for name, _ in INDICES],
            "family": [family for _, family in INDICES],
            "session": repeated(stocks.session, count),
            **{name: decimals(points[name], 2) for name in ("open", "high", "low", "close")},
            "change": decimals(points["close"] - points["before"], 2),
            **{name: list(getattr(levels, name)) for name in ("volume", "value_krw", "market_cap_krw")},
        },
    )


_POINTS = ("before", "open", "high", "low", "close")


def _bar(
    start: int, stocks: Stocks, members: NDArray[np.bool_], values: list[NDArray[np.int64]]
) -> tuple[int, int, int, int, int, int, int]:
    """Open, high, low and close of one index, and its members' volume, turnover and capitalisation.

    The members' highs are not all of one moment: the index reaches a quarter of the way to their sum.
    """
    sums = (int(figures[members].sum()) for figures in (stocks.base_value, *values))
    volume, turnover = (int(stocks.figures(name)[members].sum()) for name in ("volume", "value_krw"))
    base, close_value, *others = sums
    if base == 0:
        return start, start, start, start, 0, 0, 0
    close, opening, highest, lowest = (start * value // base for value in (close_value, *others))
    top, bottom = max(opening, close), min(opening, close)
    return opening, top + (highest - top) // 4, bottom - (bottom - lowest) // 4, close, volume, turnover, close_value


def _largest(stocks: Stocks, eligible: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    order = np.argsort(np.where(eligible, -stocks.base_value, 1), kind="stable")
    members = np.zeros(len(eligible), np.bool_)
    members[order[:count]] = True
    return members & eligible


def _first_levels(seed: int) -> tuple[int, ...]:
    words = bits(draw(seed, Stream.INDEX, 0, len(INDICES)), 0, 16)
    points = (_FIRST_LEVELS.get(index, 600 + int(word) % 2_400) for index, word in enumerate(words))
    return tuple(level * 1_000_000 for level in points)


def _hundredths(level: int) -> int:
    return (level + _MILLIONTHS_PER_HUNDREDTH // 2) // _MILLIONTHS_PER_HUNDREDTH
