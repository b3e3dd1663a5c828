"""The level of the index an issue is measured against, in one piece where the issue moved between markets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from include.indicators.catalogue import CATALOGUE
from include.indicators.windows import Flags, Floats


class Index(NamedTuple):
    """An index, as ``market.index_bar`` names it."""

    name: str
    family: str


KOSPI = Index("코스피", "KOSPI")
KOSDAQ = Index("코스닥", "KOSDAQ")
INDICES = (KOSPI, KOSDAQ)

# By market segment; all ETFs and ETNs trade on KOSPI. KONEX has no index.
INDEX_OF_MARKET: Mapping[str, Index] = {"KOSPI": KOSPI, "KOSDAQ": KOSDAQ, "KOSDAQ GLOBAL": KOSDAQ}
NO_INDEX = -1

_MEMORY = max(indicator.memory or 0 for indicator in CATALOGUE if "index_close" in indicator.inputs)


def index_number(market: str) -> int:
    """The place in ``INDICES`` of the index a market segment is measured against, or ``NO_INDEX``."""
    return INDICES.index(INDEX_OF_MARKET[market]) if market in INDEX_OF_MARKET else NO_INDEX


@dataclass(frozen=True)
class IndexLevels:
    """``levels[i]`` are the opens or closes of ``INDICES[i]`` on ``sessions`` (in order), in points.

    NaN where there is none.
    """

    sessions: NDArray[np.datetime64]
    levels: Floats

    def on(self, index: NDArray[np.int8], sessions: NDArray[np.datetime64]) -> Floats:
        """The level of each index on its session, the two broadcast; NaN where it is ``NO_INDEX`` or there is none."""
        if not len(self.sessions):
            return np.full(np.broadcast_shapes(index.shape, sessions.shape), np.nan)
        place = np.minimum(np.searchsorted(self.sessions, sessions), len(self.sessions) - 1)
        there = (self.sessions[place] == sessions) & (index != NO_INDEX)
        return np.where(there, self.levels[index, place], np.nan)


def index_level(
    offsets: NDArray[np.int64],
    sessions: NDArray[np.datetime64],
    index: NDArray[np.int8],
    traded: Flags,
    closes: IndexLevels,
) -> Floats:
    """The level of each row's index (points), by symbol as in a panel: ``index`` counts in ``INDICES``.

    From the session on which an issue moves to another market, the level is that of the new index times the old
    one's close over the new one's on the issue's session before. So the return on the day of the move is the new
    index's, and no ratio of two levels sees a jump. Where one of these two closes is missing the levels cannot be
    joined: then there is none on as many traded sessions from the move on as an indicator looks back.
    """
    level = closes.on(index, sessions)
    for start, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        known = start + np.flatnonzero(index[start:stop] != NO_INDEX)
        for place in np.flatnonzero(np.diff(index[known])).tolist():
            last, move = known[place : place + 2]
            old, new = closes.on(index[[last, move]], sessions[[last, last]])
            # With sessions of a market without an index in between there is nothing to join the levels by.
            factor = old / new if last == move - 1 else np.nan
            if np.isnan(factor):
                level[move + np.flatnonzero(traded[move:stop])[:_MEMORY]] = np.nan
            else:
                level[move:stop] *= factor
    return level
