"""Random bits that are the same on every machine and under every version of numpy.

Only PCG64's raw output and SeedSequence are used, whose streams numpy guarantees; all that follows from them
in this package is integer arithmetic.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

# The standard deviation of a sum of four independent 16-bit uniforms, and its mean.
BELL_DEVIATION = 37_837
_BELL_MEAN = 131_070


class Stream(IntEnum):
    """What a draw is for; each purpose has a stream of its own."""

    INSTRUMENT = 1
    SLOT = 2
    MARKET = 3
    PRICE = 4
    TRADE = 5
    VOLUME = 6
    EVENT = 7
    SECTION = 8


def draw(seed: int, stream: Stream, key: int, count: int) -> NDArray[np.uint64]:
    """``count`` words of 64 random bits, a function of the arguments alone; a longer draw only adds words."""
    words: NDArray[np.uint64] = np.random.PCG64(np.random.SeedSequence((seed, stream, key))).random_raw(count)
    return words


def bits(words: NDArray[np.uint64], start: int, width: int) -> NDArray[np.int64]:
    """The ``width`` bits of each word from bit ``start`` on, as integers from 0 to 2**width - 1."""
    return ((words >> np.uint64(start)) & np.uint64((1 << width) - 1)).astype(np.int64)


def bell(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Near-normal integers of mean 0 and standard deviation :data:`BELL_DEVIATION`, within 3.5 of them."""
    return bits(words, 0, 16) + bits(words, 16, 16) + bits(words, 32, 16) + bits(words, 48, 16) - _BELL_MEAN
