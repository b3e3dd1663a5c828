"""What two results of the same indicator may differ by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from include.indicators.catalogue import COLUMNS
from include.indicators.compute import Indicators


def values(results: Indicators, name: str) -> NDArray[np.float64]:
    """One column, NaN where it is null."""
    return results.column(name).to_numpy(zero_copy_only=False)


def assert_same(one: Indicators, other: Indicators, close: NDArray[np.float64]) -> None:
    """The same nulls for the same reasons, and values alike to 1e-9 as ``compute`` says."""
    assert len(one) == len(other)
    for column in COLUMNS:
        np.testing.assert_array_equal(one.reasons(column.name), other.reasons(column.name), column.name)
        left, right = values(one, column.name), values(other, column.name)
        scale = {"KRW": close, "percent": 100.0, "ratio": 1.0}.get(column.unit, 0.0)
        allowed = 1e-9 * np.maximum(np.abs(right), scale)
        wrong = np.abs(left - right) > allowed
        assert not wrong.any(), f"{column.name}: {left[wrong][:3]} and {right[wrong][:3]}"
