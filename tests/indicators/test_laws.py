from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from include.indicators.catalogue import COLUMNS, LOOKBACK
from include.indicators.compute import HAS_VALUE, Reason, compute
from include.indicators.panel import Panel
from tests.indicators.markets import FIRST_DAY, market, only, plain
from tests.indicators.results import assert_same, values

seeds = st.integers(0, 2**32)
stillness = st.sampled_from((0.0, 0.05, 0.5, 0.9))


@given(seeds, stillness, st.booleans(), st.data())
@settings(max_examples=25)
def test_the_last_sessions_alone_give_what_the_whole_history_gives(
    seed: int, still: float, halts: bool, data: st.DataObject
) -> None:
    whole = market(seed, (1_500,), halts=halts, still=still)
    expected = compute(whole)
    traded = np.flatnonzero(whole.traded)
    start = data.draw(st.integers(LOOKBACK + 1, len(traded) - 1))
    first = data.draw(st.integers(0, start - LOOKBACK))
    first_row, since = traded[first], whole.sessions[traded[start]]
    part = only(whole, 0, first_row, 1_500, first_obv=values(expected, "obv")[first_row])
    found = compute(part, since=since.astype(object))
    rows = whole.sessions >= since
    assert_same(found, compute(whole, since=since.astype(object)), whole.close[rows])
    np.testing.assert_array_equal(found.sessions, whole.sessions[rows])


@given(seeds, st.lists(st.integers(-5, 305), min_size=3, max_size=3))
@settings(max_examples=10)
def test_each_symbol_is_computed_from_its_own_session_on(seed: int, days: list[int]) -> None:
    panel = market(seed, (300, 200, 300), halts=True)
    since = FIRST_DAY + 4_700 + np.array(days)
    found = compute(panel, since)
    for number, (alone, first) in enumerate(zip(panel.blocks(1), since, strict=True)):
        expected = compute(alone, first.astype(object))
        rows = found.symbol_index == number
        np.testing.assert_array_equal(found.sessions[rows], expected.sessions)
        np.testing.assert_array_equal(found.flat[rows], expected.flat)
        for column in COLUMNS:
            np.testing.assert_array_equal(values(found, column.name)[rows], values(expected, column.name))


@given(seeds, stillness, st.booleans())
@settings(max_examples=10)
def test_flags_and_counts_tell_the_reasons(seed: int, still: float, halts: bool) -> None:
    found = compute(market(seed, (700, 30), halts=halts, still=still))
    for place, column in enumerate(COLUMNS):
        reasons = found.reasons(column.name)
        np.testing.assert_array_equal(found.flat >> place & 1 == 1, reasons == Reason.FLAT)
        np.testing.assert_array_equal(reasons == Reason.NO_TRADE, ~found.traded)
        early = found.traded & (found.traded_sessions < column.warm_up)
        np.testing.assert_array_equal(reasons == Reason.WARM_UP, early)
    assert found.traded_sessions.max() == LOOKBACK or halts


@given(seeds, st.sampled_from((9.2, 6.9, 4.6, 2.3)))
@settings(max_examples=25)
def test_violent_moves_before_the_lookback_are_forgotten(seed: int, fall_of: float) -> None:
    # Limit up and limit down at a million won, then a fall to a hundred or more, and sessions that move by a won.
    random = np.random.default_rng(seed)
    violent = 1e6 * np.where(random.random(900) < 0.5, 1, 1.3)
    fall = 1e6 * np.exp(-fall_of * np.minimum(np.arange(LOOKBACK + 50) / 500, 1))
    close = np.concatenate((violent, np.round(fall) + random.integers(0, 2, LOOKBACK + 50)))
    whole = plain(close, close * 1.0001, close * 0.9999, np.round(10 ** random.uniform(0, 9, len(close))))
    expected = compute(whole)
    part = only(whole, 0, 900, len(close), first_obv=values(expected, "obv")[900])
    since = whole.sessions[900 + LOOKBACK].astype(object)
    assert_same(compute(part, since=since), compute(whole, since=since), close[900 + LOOKBACK :])


@given(seeds, stillness, st.booleans(), st.data())
@settings(max_examples=15)
def test_days_one_after_the_other_give_what_the_whole_history_gives(
    seed: int, still: float, halts: bool, data: st.DataObject
) -> None:
    whole = market(seed, (60, 400, 1), halts=halts, still=still)
    expected = compute(whole)
    for day in data.draw(st.lists(st.integers(1, 400), max_size=4)):
        since = FIRST_DAY + 5_000 - day
        rows = whole.sessions >= since
        found = compute(whole, since=since.astype(object))
        np.testing.assert_array_equal(found.sessions, whole.sessions[rows])
        for column in COLUMNS:
            np.testing.assert_array_equal(values(found, column.name), values(expected, column.name)[rows])


@given(seeds, stillness, st.booleans(), st.integers(1, 399))
@settings(max_examples=25)
def test_the_future_changes_nothing(seed: int, still: float, halts: bool, known: int) -> None:
    whole = market(seed, (400,), halts=halts, still=still)
    other = market(seed + 1, (400,), halts=not halts, still=0.1)
    expected = compute(only(whole, 0, 0, known))
    names = ("high", "low", "close", "volume", "index_close", "foreign_net_krw", "institution_net_krw", "foreign_pct")
    altered = {name: np.concatenate((getattr(whole, name)[:known], getattr(other, name)[known:])) for name in names}
    later = whole.sessions + np.where(np.arange(400) < known, 0, 1_000)
    for future in (whole, replace(whole, **altered), replace(whole, sessions=later)):
        found = compute(future)
        for column in COLUMNS:
            np.testing.assert_array_equal(values(found, column.name)[:known], values(expected, column.name))
            np.testing.assert_array_equal(found.reasons(column.name)[:known], expected.reasons(column.name))


@given(seeds, stillness, st.booleans())
@settings(max_examples=25)
def test_a_symbol_is_computed_without_looking_at_its_neighbours(seed: int, still: float, halts: bool) -> None:
    whole = market(seed, (1, 300, 2, 90, 20), halts=halts, still=still)
    together = compute(whole)
    for number, alone in enumerate(map(compute, whole.blocks(1))):
        rows = together.symbol_index == number
        for column in COLUMNS:
            np.testing.assert_array_equal(values(together, column.name)[rows], values(alone, column.name))


@given(seeds, stillness, st.booleans(), st.lists(st.integers(1, 300), min_size=1, max_size=4))
def test_every_result_is_a_finite_value_or_null_with_a_reason(
    seed: int, still: float, halts: bool, lengths: list[int]
) -> None:
    panel = market(seed, tuple(lengths), halts=halts, still=still)
    found = compute(_with_gaps(panel, seed))
    for column in COLUMNS:
        results, reasons = found.column(column.name), found.reasons(column.name)
        present = results.is_valid().to_numpy(zero_copy_only=False)
        np.testing.assert_array_equal(present, reasons == HAS_VALUE, column.name)
        assert np.isfinite(results.drop_null().to_numpy()).all(), column.name
        assert ((reasons == Reason.NO_TRADE) == ~panel.traded).all()


@given(seeds, stillness)
def test_a_session_without_trading_is_as_if_it_were_not_there(seed: int, still: float) -> None:
    panel = market(seed, (400,), halts=True, still=still)
    traded = panel.traded
    names = ("sessions", "high", "low", "close", "volume", "index_close", "foreign_net_krw", "institution_net_krw")
    without = {name: getattr(panel, name)[traded] for name in (*names, "foreign_pct")}
    expected = compute(replace(panel, offsets=np.array([0, np.count_nonzero(traded)]), **without))
    found = compute(panel)
    for column in COLUMNS:
        np.testing.assert_array_equal(values(found, column.name)[traded], values(expected, column.name))
        np.testing.assert_array_equal(found.reasons(column.name)[traded], expected.reasons(column.name))


def _with_gaps(panel: Panel, seed: int) -> Panel:
    random = np.random.default_rng(seed)
    missing = random.random(len(panel.sessions)) < random.choice([0, 0.02, 0.5])
    names = ("index_close", "foreign_net_krw", "institution_net_krw", "foreign_pct")
    return replace(panel, **{name: np.where(missing, np.nan, getattr(panel, name)) for name in names})
