"""Sums and tests over the last sessions, each from its own window and nothing else.

A running sum, which adds the newest value and takes the oldest away, keeps the rounding error and the missing value of
everything it ever saw. Here each window is put together from its own values, in the same order wherever it stands, so
that a shorter history gives the same bits.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

# Adjusted prices are products; what is equal up to their rounding is equal. The smallest tick is 1e-4 of its price.
_SAME = 1e-9


def trailing(operation: np.ufunc, values: NDArray[Any], width: int) -> NDArray[Any]:
    """``operation`` (add, logical_and) over every ``width`` neighbours; element i is of ``values[i : i + width]``.

    Shorter than ``values`` by ``width - 1``; empty where there are fewer values than that. Sums of 1, 2, 4, ...
    neighbours are doubled, so a window of 200 costs ten operations and not two hundred.
    """
    count = len(values) - width + 1
    if count <= 0:
        return values[:0]
    pieces = []
    covered, span, block = 0, 1, values
    while span <= width:
        if width & span:
            pieces.append(block[covered : covered + count])
            covered += span
        if 2 * span <= width:
            block = operation(block[:-span], block[span:])
        span *= 2
    return reduce(operation, pieces)


def trailing_moments(values: Floats, width: int) -> tuple[Floats, Floats]:
    """The mean of every ``width`` neighbours, and the sum of the squares of their differences from it.

    Windows are put together as in :func:`trailing`, by the rule for the moments of two samples of Chan, Golub and
    LeVeque (1979): nothing large is taken from something large, so a price that hardly moves loses no figures.
    """
    count = len(values) - width + 1
    if count <= 0:
        return values[:0], values[:0]
    found: tuple[Floats, Floats] | None = None
    covered, span = 0, 1
    means, squares = values, np.zeros(len(values))
    while True:
        if width & span:
            part = slice(covered, covered + count)
            piece = means[part], squares[part]
            found = piece if found is None else _merged(*found, covered, *piece, span)
            covered += span
        if covered == width and found is not None:
            return found
        earlier, later = slice(0, len(means) - span), slice(span, None)
        means, squares = _merged(means[earlier], squares[earlier], span, means[later], squares[later], span)
        span *= 2


def _merged(
    means: Floats, squares: Floats, size: int, other_means: Floats, other_squares: Floats, other_size: int
) -> tuple[Floats, Floats]:
    apart = other_means - means
    both = size + other_size
    merged = squares + other_squares + apart * apart * (size * other_size / both)
    return means + apart * (other_size / both), merged


def negligible(differences: Floats, prices: Floats) -> Flags:
    """Where a difference of prices is no more than the rounding of ``prices``."""
    return np.abs(differences) <= _SAME * prices


def flat_where(flat: Flags, values: Floats) -> Floats:
    """``values`` themselves, infinite where the window is ``flat``."""
    if flat.any():
        values[flat] = np.inf
    return values
