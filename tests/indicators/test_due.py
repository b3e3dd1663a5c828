"""The laws of the days that are looked through for what batches changed."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from include.indicators.due import _REACH, _Batch, _by_span, _parameters

DAY = st.dates(date(1995, 5, 2), date(2026, 11, 20))


@st.composite
def batches(draw: st.DrawFn) -> list[_Batch]:
    asked = draw(st.lists(st.tuples(DAY, st.integers(0, 400)), max_size=20))
    return [
        _Batch(number, "daily_bar", first, first + timedelta(days=days)) for number, (first, days) in enumerate(asked)
    ]


@given(batches())
def test_every_batch_is_looked_for_once_and_where_its_rows_may_be(asked: list[_Batch]) -> None:
    groups = _by_span(asked)
    assert sorted(batch.batch_id for group in groups for batch in group) == [batch.batch_id for batch in asked]
    for group in groups:
        of_group = _parameters(group)
        assert of_group["batches"] == [batch.batch_id for batch in group]
        for batch in group:
            assert of_group["first"] <= batch.first - _REACH  # type: ignore[operator]
            assert of_group["last"] >= batch.last + _REACH  # type: ignore[operator]


@given(batches())
def test_a_day_that_no_batch_can_have_rows_of_is_not_looked_through(asked: list[_Batch]) -> None:
    reach = {day for batch in asked for day in _days(batch.first - _REACH, batch.last + _REACH)}
    looked_through = [day for group in _by_span(asked) for day in _days(*_span(group))]
    assert len(looked_through) == len(set(looked_through))
    assert set(looked_through) == reach


def _span(group: list[_Batch]) -> tuple[date, date]:
    of_group = _parameters(group)
    return of_group["first"], of_group["last"]  # type: ignore[return-value]


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
