from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.indicators.windows import trailing, trailing_moments


@given(st.lists(st.integers(-1000, 1000), max_size=80), st.integers(1, 90))
def test_a_trailing_sum_is_the_sum_of_each_window(numbers: list[int], width: int) -> None:
    found = trailing(np.add, np.array(numbers, float), width)
    assert found.tolist() == [sum(numbers[place : place + width]) for place in range(len(numbers) - width + 1)]


@given(st.lists(st.booleans(), max_size=80), st.integers(1, 90))
def test_a_trailing_and_is_the_and_of_each_window(flags: list[bool], width: int) -> None:
    found = trailing(np.logical_and, np.array(flags, np.bool_), width)
    assert found.tolist() == [all(flags[place : place + width]) for place in range(len(flags) - width + 1)]


@given(st.lists(st.floats(-1e9, 1e9), min_size=30, max_size=60), st.integers(1, 29))
def test_a_sum_is_the_same_bits_wherever_its_history_begins(numbers: list[float], dropped: int) -> None:
    whole = trailing(np.add, np.array(numbers), 20)
    part = trailing(np.add, np.array(numbers[dropped:]), 20)
    assert whole[len(whole) - len(part) :].tolist() == part.tolist()


@given(st.lists(st.floats(-1, 1), max_size=60), st.integers(1, 40), st.sampled_from((0.0, 1e8)))
def test_moments_are_those_of_each_window_far_from_zero_too(numbers: list[float], width: int, far: float) -> None:
    values = far + np.round(np.array(numbers, float), 3)
    means, squares = trailing_moments(values, width)
    for place in range(len(values) - width + 1):
        window = values[place : place + width] - far
        assert means[place] - far == pytest.approx(window.mean(), abs=1e-14 * max(far, 1))
        # A mean is known to the last bit of numbers so far from zero, and no better.
        lost = len(window) * (np.abs(window).max(initial=0) * np.spacing(far) * 4 + np.spacing(far) ** 2)
        assert squares[place] == pytest.approx(np.square(window - window.mean()).sum(), rel=1e-9, abs=lost + 1e-13)
    assert len(means) == len(squares) == max(len(values) - width + 1, 0)
