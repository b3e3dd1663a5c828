"""Ticks of a session, and the clocks they are read from."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.market.calendar import KST, TradingHours, trading_hours
from include.market.hours import FileClock, InvalidClockError, WallClock, clock_of, next_tick

ORDINARY, EXAMINATION, YEARS_FIRST = date(2026, 11, 18), date(2026, 11, 19), date(2026, 1, 2)
HOURS = {day: trading_hours(day) for day in (ORDINARY, EXAMINATION, YEARS_FIRST)}


def ticks(hours: TradingHours, every: timedelta, after: datetime) -> list[datetime]:
    found: list[datetime] = []
    while (tick := next_tick(hours, every, found[-1] if found else after)) is not None:
        found.append(tick)
    return found


@pytest.mark.parametrize(
    ("session", "first", "last", "count"),
    [
        (ORDINARY, time(9, 10), time(15, 30), 39),
        (EXAMINATION, time(10, 10), time(16, 30), 39),
        (YEARS_FIRST, time(10, 10), time(15, 30), 33),
    ],
)
def test_ticks_follow_the_hours_of_the_very_session(session: date, first: time, last: time, count: int) -> None:
    found = ticks(HOURS[session], timedelta(minutes=10), datetime.combine(session, time(8), KST))
    assert [found[0], found[-1]] == [datetime.combine(session, first, KST), datetime.combine(session, last, KST)]
    assert len(found) == count


@given(
    st.sampled_from(list(HOURS.values())),
    st.timedeltas(timedelta(minutes=1), timedelta(hours=9)),
    st.timedeltas(timedelta(hours=-3), timedelta(hours=9)),
)
def test_the_next_tick_is_later_and_nothing_is_between(hours: TradingHours, every: timedelta, into: timedelta) -> None:
    moment = hours.open + into
    tick = next_tick(hours, every, moment)
    if tick is None:
        assert moment >= hours.close
        return
    assert moment < tick <= hours.close
    assert tick > hours.open
    assert tick == hours.close or (tick - hours.open) % every == timedelta(0)
    assert tick - every <= max(moment, hours.open)


def test_the_last_tick_is_the_close_whatever_the_interval() -> None:
    hours = HOURS[ORDINARY]
    assert ticks(hours, timedelta(minutes=60), hours.open)[-2:] == [
        hours.close - timedelta(minutes=30),
        hours.close,
    ]


def test_a_clock_in_a_file_is_at_once_where_it_is_waited_for(tmp_path: Path) -> None:
    clock = FileClock(tmp_path / "clock")
    start = datetime(2026, 11, 19, 9, tzinfo=KST)
    clock.set(start)
    asyncio.run(clock.wait_until(start + timedelta(hours=1)))
    assert clock_of({"KRXW_CLOCK_FILE": str(tmp_path / "clock")}).now() == start + timedelta(hours=1)
    asyncio.run(clock.wait_until(start))
    assert clock.now() == start + timedelta(hours=1)


@pytest.mark.parametrize("text", ["", "noon"])
def test_a_file_without_a_moment_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "clock").write_text(text)
    with pytest.raises(InvalidClockError, match="clock: expected an ISO moment"):
        FileClock(tmp_path / "clock").now()


def test_the_wall_clock_does_not_wait_for_the_past() -> None:
    clock = clock_of({})
    assert isinstance(clock, WallClock)
    asyncio.run(clock.wait_until(datetime.now(UTC) - timedelta(days=1)))


def test_the_wall_clock_waits_for_the_moment() -> None:
    moment = datetime.now(UTC) + timedelta(milliseconds=20)
    asyncio.run(WallClock().wait_until(moment))
    assert datetime.now(UTC) >= moment
