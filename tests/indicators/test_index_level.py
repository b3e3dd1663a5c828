from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from include.indicators.index_level import INDICES, NO_INDEX, IndexLevels, index_level

DAYS = np.datetime64("2024-01-01") + np.arange(400)


def closes(seed: int) -> IndexLevels:
    random = np.random.default_rng(seed)
    return IndexLevels(DAYS, np.exp(np.cumsum(random.normal(0, 0.02, (len(INDICES), len(DAYS))), axis=1)) * 1_000)


def level(index: list[int], of: IndexLevels, traded: list[bool] | None = None) -> np.ndarray:
    """Of one issue, on the first days."""
    count = len(index)
    flags = np.array([True] * count if traded is None else traded)
    return index_level(np.array([0, count]), DAYS[:count], np.array(index, np.int8), flags, of)


@given(st.integers(0, 2**32), st.lists(st.sampled_from([0, 1]), min_size=2, max_size=60))
def test_the_return_of_a_day_is_that_of_the_index_of_the_day(seed: int, index: list[int]) -> None:
    of = closes(seed)
    found = level(index, of)
    rows = np.arange(1, len(index))
    now = np.array(index)[1:]
    np.testing.assert_allclose(found[1:] / found[:-1], of.levels[now, rows] / of.levels[now, rows - 1], rtol=1e-12)


@given(st.integers(0, 2**32), st.lists(st.sampled_from([0, 1]), min_size=2, max_size=60), st.data())
def test_later_sessions_alone_give_the_same_returns(seed: int, index: list[int], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(index) - 1))
    of = closes(seed)
    whole = level(index, of)
    part = index_level(
        np.array([0, len(index) - start]),
        DAYS[start : len(index)],
        np.array(index[start:], np.int8),
        np.ones(len(index) - start, np.bool_),
        of,
    )
    np.testing.assert_allclose(part / part[0], whole[start:] / whole[start], rtol=1e-12)


def test_a_market_without_an_index_has_no_level() -> None:
    of = closes(1)
    found = level([NO_INDEX, NO_INDEX, 1, 1], of)
    np.testing.assert_array_equal(found, [np.nan, np.nan, of.levels[1, 2], of.levels[1, 3]])


def test_a_session_without_a_close_has_no_level() -> None:
    of = closes(1)
    gappy = IndexLevels(np.delete(DAYS, 2), np.delete(of.levels, 2, axis=1))
    np.testing.assert_array_equal(np.isnan(level([0] * 5, gappy)), [False, False, True, False, False])
    nothing = IndexLevels(DAYS[:0], of.levels[:, :0])
    assert np.isnan(level([0, 1, 1], nothing)).all()


def test_levels_that_cannot_be_joined_are_kept_apart() -> None:
    # 60 traded sessions without one: no window of 60 then reaches from one level into the other.
    of = closes(1)
    without = of.levels.copy()
    without[1, 9] = np.nan  # on the session before the move
    traded = [True] * 200
    traded[15] = False
    for index, known in (([0] * 10 + [1] * 190, without), ([0] * 9 + [NO_INDEX] + [1] * 190, of.levels)):
        found = level(index, IndexLevels(DAYS, known), traded)
        has_level = ~np.isnan(found)
        assert has_level[:9].all()
        assert list(np.flatnonzero(has_level[10:])) == [5, *range(61, 190)]


def test_issues_do_not_run_into_one_another() -> None:
    of = closes(3)
    found = index_level(
        np.array([0, 2, 4]), DAYS[[0, 1, 0, 1]], np.array([0, 0, 1, 1], np.int8), np.ones(4, np.bool_), of
    )
    np.testing.assert_array_equal(found, [*of.levels[0, :2], *of.levels[1, :2]])
