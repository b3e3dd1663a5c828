"""The rate of change (등락률) as sources publish it: percent of the base price, to two decimals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def rate_in_hundredths(change: NDArray[np.int64], base: NDArray[np.int64]) -> NDArray[np.int64]:
    """``change`` / ``base`` in hundredths of a percent, halves away from zero; ``base`` > 0."""
    rate: NDArray[np.int64] = np.sign(change) * ((np.abs(change) * 20_000 + base) // (2 * base))
    return rate
