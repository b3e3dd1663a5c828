"""Factors of corporate actions, and the rows of bars they are of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Factor(NamedTuple):
    """A row of ``market.adjustment_factor``: what a symbol's raw bars of these sessions are multiplied by."""

    symbol: str
    first_session: date
    last_session: date
    price_factor: float
    volume_factor: float


def adjusted_rows(
    symbols: NDArray[np.object_],
    offsets: NDArray[np.int64],
    sessions: NDArray[np.datetime64],
    factors: Sequence[Factor],
) -> Iterator[tuple[slice, Factor]]:
    """The rows of each of ``factors``, in bars by symbol and session as a panel has them."""
    numbers = {symbol: number for number, symbol in enumerate(symbols)}
    for factor in factors:
        if (number := numbers.get(factor.symbol)) is None:
            continue
        begin, end = offsets[number], offsets[number + 1]
        first = begin + np.searchsorted(sessions[begin:end], np.datetime64(factor.first_session))
        last = begin + np.searchsorted(sessions[begin:end], np.datetime64(factor.last_session), side="right")
        yield slice(first, last), factor
