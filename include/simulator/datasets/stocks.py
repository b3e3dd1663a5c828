"""One session's daily bars as arrays, and the numbers stocks are known by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from include.simulator.exchange.state import KONEX, KOSDAQ, KOSDAQ_GLOBAL, KOSPI, MARKETS

_DIGITS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGIT_VALUES = np.zeros(256, np.int64)
_DIGIT_VALUES[list(_DIGITS)] = np.arange(36)
_PLACES = 36 ** np.arange(5, -1, -1)


def symbol_numbers(symbols: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
    """Each short code read as a number of base 36: as distinct as the codes, and in the same order."""
    codes = np.array(symbols.to_pylist(), dtype="S6")
    numbers: NDArray[np.int64] = _DIGIT_VALUES[codes.view(np.uint8).reshape(-1, 6)] @ _PLACES
    return numbers


@dataclass(frozen=True)
class Stocks:
    """The stocks of one session, by symbol. ``bars`` has the simulator's schema; arrays have one element per row.

    ``market`` is a stock's place in ``state.MARKETS``; ``issuer`` is the same number for all shares of a company.
    """

    session: date
    bars: pa.Table

    @cached_property
    def number(self) -> NDArray[np.int64]:
        """The symbol as a number."""
        return symbol_numbers(self.bars["symbol"])

    @cached_property
    def issuer(self) -> NDArray[np.int64]:
        """The company, by the first five characters of its shares' codes."""
        return self.number // 36

    @cached_property
    def market(self) -> NDArray[np.int64]:
        """The market segment."""
        names = pa.array([market.value for market in MARKETS])
        return np.asarray(pc.index_in(self.bars["market"], names), np.int64)

    @cached_property
    def on_kospi(self) -> NDArray[np.bool_]:
        """Whether it trades on KOSPI."""
        return np.asarray(self.market == KOSPI)

    @cached_property
    def on_kosdaq(self) -> NDArray[np.bool_]:
        """Whether it trades on KOSDAQ, its segment KOSDAQ GLOBAL included."""
        return np.asarray((self.market == KOSDAQ) | (self.market == KOSDAQ_GLOBAL))

    @cached_property
    def on_konex(self) -> NDArray[np.bool_]:
        """Whether it trades on KONEX."""
        return np.asarray(self.market == KONEX)

    @cached_property
    def common(self) -> NDArray[np.bool_]:
        """Whether it is a common share."""
        last = pc.utf8_slice_codeunits(self.bars["symbol"], 5, 6)
        return np.asarray(pc.equal(last, "0"))

    def figures(self, column: str) -> NDArray[np.int64]:
        """A column of integers."""
        return np.asarray(self.bars[column], np.int64)

    @cached_property
    def base_value(self) -> NDArray[np.int64]:
        """Market capitalisation at the base price, won: known before the session opens."""
        return self.figures("base_price") * self.figures("listed_shares")
