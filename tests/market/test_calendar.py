from __future__ import annotations

import subprocess
import sys
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.market import calendar
from include.market.calendar_overlay import CLOSED, EXAMINATION_DAYS

known_days = st.dates(calendar.FIRST_KNOWN_DAY, calendar.LAST_KNOWN_DAY)
inner_days = st.dates(date(1957, 1, 1), date(2050, 1, 1))


@pytest.mark.samples
def test_sessions_equal_the_observed_ones(samples: Path) -> None:
    table = pq.read_table(samples / "calendar" / "krx_trading_calendar.parquet")
    observed = [stamp.date() for stamp in table["trading_date"].to_pylist()]
    assert len(observed) == 3840
    assert calendar.sessions_between(observed[0], observed[-1]) == observed


def test_import_does_not_import_the_library() -> None:
    code = (
        "import sys, include.market.calendar as c; "
        "assert not {'pandas', 'exchange_calendars'} & set(sys.modules), 'imported too early'; "
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


@given(inner_days)
def test_neighbours_are_the_nearest_sessions(day: date) -> None:
    before, after = calendar.previous_session(day), calendar.next_session(day)
    assert before < day < after
    expected = [before, day, after] if calendar.is_session(day) else [before, after]
    assert calendar.sessions_between(before, after) == expected


def test_range_includes_both_ends() -> None:
    assert calendar.sessions_between(date(2024, 1, 2), date(2024, 1, 3)) == [
        date(2024, 1, 2),
        date(2024, 1, 3),
    ]
    assert calendar.sessions_between(date(2024, 1, 3), date(2024, 1, 2)) == []


@pytest.mark.parametrize("day", [date(1956, 3, 2), date(2051, 1, 1)])
def test_unknown_years_are_refused(day: date) -> None:
    for ask in (
        calendar.is_session,
        calendar.previous_session,
        calendar.next_session,
        calendar.trading_hours,
    ):
        with pytest.raises(calendar.CalendarRangeError):
            ask(day)


def test_the_ends_have_no_neighbours() -> None:
    with pytest.raises(calendar.CalendarRangeError, match="before"):
        calendar.previous_session(calendar.FIRST_KNOWN_DAY)
    with pytest.raises(calendar.CalendarRangeError, match="after"):
        calendar.next_session(calendar.LAST_KNOWN_DAY)


def test_a_datetime_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a date"):
        calendar.is_session(datetime(2024, 1, 2, tzinfo=calendar.KST))


def test_saturdays_were_sessions_until_december_1998() -> None:
    assert calendar.is_session(date(1998, 12, 5))
    sessions = calendar.sessions_between(date(1998, 12, 6), calendar.LAST_KNOWN_DAY)
    assert all(session.weekday() < 5 for session in sessions)


@pytest.mark.parametrize("day", [date(2026, 6, 3), date(2026, 7, 17), date(2028, 7, 17)])
def test_overlay_closes(day: date) -> None:
    assert not calendar.is_session(day)
    with pytest.raises(calendar.NotASessionError):
        calendar.trading_hours(day)


def test_every_overlay_entry_is_needed_and_sourced() -> None:
    library = {stamp.date() for stamp in calendar._library_calendar().sessions}
    assert set(CLOSED) <= library
    assert all(calendar.is_session(day) for day in EXAMINATION_DAYS)
    assert all([*CLOSED.values(), *EXAMINATION_DAYS.values()])


@pytest.mark.parametrize(
    ("session", "opens", "closes"),
    [
        (date(2016, 7, 29), time(9), time(15)),
        (date(2016, 8, 1), time(9), time(15, 30)),
        (date(2024, 1, 2), time(10), time(15, 30)),
        (date(2026, 1, 2), time(10), time(15, 30)),
        (date(2015, 11, 12), time(10), time(16)),
        (date(2020, 12, 3), time(10), time(16, 30)),
        (date(2025, 11, 13), time(10), time(16, 30)),
        (date(2026, 11, 19), time(10), time(16, 30)),
        (date(2026, 11, 20), time(9), time(15, 30)),
    ],
)
def test_trading_hours(session: date, opens: time, closes: time) -> None:
    hours = calendar.trading_hours(session)
    assert hours.open == datetime.combine(session, opens, calendar.KST)
    assert hours.close == datetime.combine(session, closes, calendar.KST)
    assert hours.open.utcoffset() == timedelta(hours=9)


@pytest.mark.parametrize("year", range(2017, 2027))
def test_one_examination_day_a_year_since_2017(year: int) -> None:
    late = [
        session
        for session in calendar.sessions_between(date(year, 11, 1), date(year, 12, 31))
        if calendar.trading_hours(session).close.time() == time(16, 30)
    ]
    # In 2017 an earthquake moved the examination by a week after the hours had been announced.
    assert len(late) == (2 if year == 2017 else 1)
