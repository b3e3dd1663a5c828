"""Random bits that are the same on every machine and under every version of numpy.

Only PCG64's raw output and SeedSequence are used, whose streams numpy guarantees; all that follows from them
in this package is integer arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    MASTER = 9
    INDUSTRY = 10
    INDEX = 11
    PRODUCT = 12
    BASKET = 13
    PRODUCT_TRADE = 14
    FLOW = 15
    FOREIGN = 16
    REPORT = 17
    PAYOUT = 18
    GLOBAL = 19
    BOND = 20
    QUOTE = 21
    AUCTION = 22
    YEAR_END = 23
    DISTRIBUTION = 24


def draw(seed: int, stream: Stream, key: int, count: int) -> NDArray[np.uint64]:
    """``count`` words of 64 random bits, a function of the arguments alone; a longer draw only adds words."""
    words: NDArray[np.uint64] = np.random.PCG64(np.random.SeedSequence((seed, stream, key))).random_raw(count)
    return words


def scatter(seed: int, stream: Stream, key: int, identities: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A word of 64 random bits for each of ``identities``, whatever others are asked for with it.

    For what has a number of its own (a share by its code) rather than a place in an array. The words are the
    finalizer of SplitMix64 (Steele, Lea and Flood, 2014) over the identity and a salt drawn for ``key``.
    """
    salt = draw(seed, stream, key, 1)
    words: NDArray[np.uint64] = identities.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + salt
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def bits(words: NDArray[np.uint64], start: int, width: int) -> NDArray[np.int64]:
    """The ``width`` bits of each word from bit ``start`` on, as integers from 0 to 2**width - 1."""
    return ((words >> np.uint64(start)) & np.uint64((1 << width) - 1)).astype(np.int64)


def bell(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Near-normal integers of mean 0 and standard deviation :data:`BELL_DEVIATION`, within 3.5 of them."""
    return bits(words, 0, 16) + bits(words, 16, 16) + bits(words, 32, 16) + bits(words, 48, 16) - _BELL_MEAN


def wander(
    seed: int, stream: Stream, day: int, identities: NDArray[np.int64], swings: Mapping[int, int]
) -> NDArray[np.int64]:
    """A slow random movement around 0 at ``day`` (an ordinal), in ppm, one per identity and known for any day at once.

    ``swings`` maps a period in days to the standard deviation, in ppm, of the knots that far apart; between knots
    the movement is a straight line.
    """
    total = np.zeros(len(identities), np.int64)
    for period, deviation in swings.items():
        knot, passed = divmod(day, period)
        before, after = (bell(scatter(seed, stream, end << 16 | period, identities)) for end in (knot, knot + 1))
        total += (before * (period - passed) + after * passed) // period * deviation // BELL_DEVIATION
    return total
