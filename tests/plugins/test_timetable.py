from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import pendulum
import pyarrow.parquet as pq
import pytest
from airflow.exceptions import AirflowTimetableInvalid, InvalidPartitionKeyError
from airflow.serialization.decoders import decode_timetable
from airflow.serialization.encoders import encode_timetable
from airflow.timetables.base import DagRunInfo, TimeRestriction
from airflow.utils.types import DagRunType
from hypothesis import given
from hypothesis import strategies as st

from include.market.calendar import KST, is_session, next_session, sessions_between, trading_hours
from krxw_airflow.timetable import SessionTimetable

OFFSET = timedelta(hours=2, minutes=40)
TIMETABLE = SessionTimetable(OFFSET)

offsets = st.timedeltas(timedelta(0), timedelta(hours=23))
days = st.dates(date(2011, 1, 3), date(2030, 12, 30))
moments = st.datetimes(datetime(2011, 1, 4), datetime(2030, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001


def kst(day: date, hour: int, minute: int = 0) -> pendulum.DateTime:
    return pendulum.instance(datetime.combine(day, time(hour, minute), KST))


def runs(timetable: SessionTimetable, earliest: datetime, latest: datetime, catchup: bool = True) -> list[DagRunInfo]:
    """The runs a scheduler would make, one after the other."""
    restriction = TimeRestriction(pendulum.instance(earliest), pendulum.instance(latest), catchup)
    made: list[DagRunInfo] = []
    last = None
    while last := timetable.next_dagrun_info_v2(last_dagrun_info=last, restriction=restriction):
        made.append(last)
    return made


def next_run(last: DagRunInfo | None, *, now: datetime, catchup: bool = False) -> DagRunInfo:
    with patch("krxw_airflow.timetable.pendulum.now", return_value=pendulum.instance(now)):
        info = TIMETABLE.next_dagrun_info_v2(last_dagrun_info=last, restriction=TimeRestriction(None, None, catchup))
    assert info is not None
    return info


@pytest.mark.samples
def test_every_observed_session_fires_exactly_once_and_no_other_day(samples: Path) -> None:
    table = pq.read_table(samples / "calendar" / "krx_trading_calendar.parquet")
    observed = [stamp.date() for stamp in table["trading_date"].to_pylist()]
    made = runs(TIMETABLE, kst(observed[0], 0), kst(observed[-1], 23))
    assert len(observed) == 3840
    assert [info.partition_key for info in made] == [day.isoformat() for day in observed]
    assert [info.run_after.astimezone(KST).date() for info in made] == observed
    at = {info.run_after.astimezone(KST).time() for info in made}
    assert at == {time(17, 40), time(18, 10), time(18, 40), time(19, 10)}


@pytest.mark.parametrize(
    ("session", "at"),
    [
        (date(2026, 11, 18), time(18, 10)),
        (date(2026, 11, 19), time(19, 10)),  # college entrance examination: 10:00-16:30
        (date(2026, 1, 2), time(18, 10)),  # the year's first session opens late and closes as ever
        (date(2016, 7, 29), time(17, 40)),  # until 2016-07 the close was at 15:00
        (date(2016, 8, 1), time(18, 10)),
    ],
)
def test_fires_after_the_close_of_that_very_session(session: date, at: time) -> None:
    assert TIMETABLE.due(session).astimezone(KST) == datetime.combine(session, at, KST)


@given(days, st.integers(1, 40), offsets)
def test_each_session_once_in_order_with_its_own_partition(first: date, count: int, offset: timedelta) -> None:
    timetable = SessionTimetable(offset)
    earliest, latest = kst(first, 0), kst(first + timedelta(days=count), 0)
    made = runs(timetable, earliest, latest)
    sessions = sessions_between(first - timedelta(days=2), first + timedelta(days=count))
    due = [day.isoformat() for day in sessions if earliest <= timetable.due(day) <= latest]
    assert [info.partition_key for info in made] == due
    assert all(before.run_after < after.run_after for before, after in pairwise(made))
    for info in made:
        session = date.fromisoformat(str(info.partition_key))
        assert is_session(session)
        assert info.run_after == trading_hours(session).close + offset
        assert info.partition_date == datetime.combine(session, time.min, KST)
        assert info.data_interval is None


@given(moments, offsets)
def test_latest_due_is_due_and_the_next_is_not(moment: datetime, offset: timedelta) -> None:
    timetable = SessionTimetable(offset)
    session = timetable.latest_due(moment)
    assert timetable.due(session) <= moment < timetable.due(next_session(session))


@given(moments)
def test_without_catchup_the_first_run_is_the_latest_session_due(now: datetime) -> None:
    info = next_run(None, now=now)
    assert info.partition_key == TIMETABLE.latest_due(now).isoformat()
    assert info.run_after <= now


@given(moments, st.integers(1, 400))
def test_without_catchup_missed_sessions_are_not_made_up_for(now: datetime, missed: int) -> None:
    latest = TIMETABLE.latest_due(now)
    old = next_run(None, now=now - timedelta(days=missed))
    info = next_run(old, now=now)
    expected = next_session(latest) if old.partition_key == latest.isoformat() else latest
    assert info.partition_key == expected.isoformat()


@given(moments, st.integers(1, 60))
def test_with_catchup_the_next_session_follows_whatever_the_time(now: datetime, missed: int) -> None:
    old = next_run(None, now=now - timedelta(days=missed))
    info = next_run(old, now=now, catchup=True)
    assert info.partition_key == next_session(date.fromisoformat(str(old.partition_key))).isoformat()


@given(days, offsets, offsets)
def test_a_changed_offset_neither_repeats_nor_skips_a_session(day: date, old: timedelta, new: timedelta) -> None:
    session = next_session(day)
    ran = DagRunInfo(SessionTimetable(old).due(session), None, None, session.isoformat())
    info = SessionTimetable(new).next_dagrun_info_v2(
        last_dagrun_info=ran, restriction=TimeRestriction(None, None, catchup=True)
    )
    assert info is not None
    assert info.partition_key == next_session(session).isoformat()


def test_ends_with_the_dags_end() -> None:
    friday = date(2026, 11, 20)
    thursday = DagRunInfo(TIMETABLE.due(date(2026, 11, 19)), None, None, "2026-11-19")
    for latest, expected in ((kst(friday, 18, 10), "2026-11-20"), (kst(friday, 18, 9), None)):
        info = TIMETABLE.next_dagrun_info_v2(
            last_dagrun_info=thursday, restriction=TimeRestriction(None, latest, catchup=True)
        )
        assert (info and info.partition_key) == expected


@given(moments)
def test_a_manual_run_is_about_the_latest_session_due(moment: datetime) -> None:
    interval = TIMETABLE.infer_manual_data_interval(run_after=pendulum.instance(moment))
    hours = trading_hours(TIMETABLE.latest_due(moment))
    assert (interval.start, interval.end) == (hours.open, hours.close)


@given(days, st.integers(0, 60))
def test_partitions_of_a_window_are_its_sessions(first: date, length: int) -> None:
    last = first + timedelta(days=length)
    # Airflow passes bounds as midnights in UTC and means the timetable's own.
    bounds = {
        "earliest": datetime.combine(first, time.min, UTC),
        "latest": datetime.combine(last, time.min, UTC),
    }
    infos = list(TIMETABLE.iter_partition_dagrun_infos(**bounds))
    assert [info.partition_key for info in infos] == [day.isoformat() for day in sessions_between(first, last)]


@given(days)
def test_a_key_decodes_to_the_partition_date_of_its_run(day: date) -> None:
    session = next_session(day)
    (info,) = TIMETABLE.iter_partition_dagrun_infos(
        earliest=datetime.combine(session, time.min, UTC), latest=datetime.combine(session, time.min, UTC)
    )
    assert TIMETABLE.resolve_partition_date(session.isoformat()) == info.partition_date


@pytest.mark.parametrize("key", ["2026-11-21", "2026-06-03", "20261119", "2026-W47-4", "today", "1950-01-04"])
def test_a_key_that_is_no_session_is_refused(key: str) -> None:
    with pytest.raises(InvalidPartitionKeyError, match=key):
        TIMETABLE.resolve_partition_date(key)


@given(offsets.map(lambda offset: timedelta(seconds=int(offset.total_seconds()))))
def test_survives_serialisation_as_airflow_does_it(offset: timedelta) -> None:
    restored = decode_timetable(encode_timetable(SessionTimetable(offset)))
    assert isinstance(restored, SessionTimetable)
    assert (restored.offset, restored.summary) == (offset, SessionTimetable(offset).summary)


def test_tells_people_what_it_does() -> None:
    assert TIMETABLE.description == "2:40 h after the close of every session of the Korea Exchange"
    assert TIMETABLE.summary == "session close + 2:40 h"


def test_a_time_before_the_close_is_refused() -> None:
    with pytest.raises(AirflowTimetableInvalid, match="after the close"):
        SessionTimetable(timedelta(minutes=-1)).validate()


def test_run_ids_name_the_session_and_do_not_repeat() -> None:
    ids = {
        TIMETABLE.generate_run_id(
            run_type=DagRunType.SCHEDULED,
            run_after=TIMETABLE.due(date(2026, 11, 19)),
            data_interval=None,
            partition_key="2026-11-19",
        )
        for _ in range(2)
    }
    assert len(ids) == 2
    assert all(run_id.startswith("scheduled__2026-11-19__") for run_id in ids)
