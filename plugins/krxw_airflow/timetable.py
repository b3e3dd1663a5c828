"""When the warehouse collects: from the open of each session of the Korea Exchange or its close, on no other day."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Literal

import pendulum
from airflow.exceptions import AirflowTimetableInvalid, InvalidPartitionKeyError
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable

from include.market.calendar import (
    KST,
    CalendarRangeError,
    is_session,
    next_session,
    previous_session,
    sessions_between,
    trading_hours,
)

if TYPE_CHECKING:
    from airflow.utils.types import DagRunType

ONE_DAY = timedelta(days=1)


class SessionTimetable(Timetable):
    """One run per session, ``offset`` after the session's close, or its open; late ones included.

    The session is the run's partition: ``partition_key`` is its ISO date, ``partition_date`` its midnight in
    Asia/Seoul. As with Airflow's own partition timetables, a run has no data interval and no logical date.

    Without catchup, the first run is that of the latest session already due: a DAG switched on at any hour
    collects the day at hand and then waits for the next.
    """

    partitioned = True

    def __init__(self, offset: timedelta, since: Literal["open", "close"] = "close") -> None:
        self.offset = offset
        self.since = since
        self.description = f"{_in_words(offset)} after the {since} of every session of the Korea Exchange"

    @property
    def summary(self) -> str:
        """The schedule as the UI's list of DAGs shows it."""
        return f"session {self.since} + {_in_words(self.offset)}"

    def validate(self) -> None:
        """Refuse an offset before what it is counted from.

        Raises:
            AirflowTimetableInvalid: the offset is negative.
        """
        if self.offset < timedelta(0):
            raise AirflowTimetableInvalid(f"expected an offset after the {self.since}, got {self.offset}")

    def serialize(self) -> dict[str, Any]:
        """What :meth:`deserialize` needs."""
        return {"offset_seconds": self.offset.total_seconds(), "since": self.since}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> SessionTimetable:
        """The timetable that :meth:`serialize` described."""
        return cls(timedelta(seconds=data["offset_seconds"]), data["since"])

    def due(self, session: date) -> pendulum.DateTime:
        """When the run of ``session`` starts, in UTC."""
        hours = trading_hours(session)
        return _utc((hours.open if self.since == "open" else hours.close) + self.offset)

    def latest_due(self, moment: datetime) -> date:
        """The latest session whose run is due at ``moment``."""
        session = previous_session(moment.astimezone(KST).date() + ONE_DAY)
        while self.due(session) > moment:
            session = previous_session(session)
        return session

    def next_dagrun_info_v2(
        self, *, last_dagrun_info: DagRunInfo | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """The run after ``last_dagrun_info``'s session, or later where ``restriction`` asks for it."""
        candidates = []
        if last_dagrun_info is not None and last_dagrun_info.partition_key is not None:
            # By its session, not by its time: a changed offset then neither repeats nor skips one.
            candidates.append(next_session(date.fromisoformat(last_dagrun_info.partition_key)))
        if restriction.earliest is not None:
            candidates.append(self._first_due_from(restriction.earliest))
        if not restriction.catchup or not candidates:
            candidates.append(self.latest_due(pendulum.now("UTC")))
        session = max(candidates)
        if restriction.latest is not None and self.due(session) > restriction.latest:
            return None
        return self._run(session)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Not to be asked: what is next depends on the last session, which no data interval tells."""
        raise NotImplementedError("SessionTimetable is partitioned: ask next_dagrun_info_v2")

    def infer_manual_data_interval(self, *, run_after: pendulum.DateTime) -> DataInterval:
        """The trading hours of the latest session due at ``run_after``."""
        hours = trading_hours(self.latest_due(run_after))
        return DataInterval(_utc(hours.open), _utc(hours.close))

    def iter_partition_dagrun_infos(self, *, earliest: datetime, latest: datetime) -> Iterable[DagRunInfo]:
        """The run of every session whose midnight (Asia/Seoul) lies from ``earliest`` to ``latest``.

        Both bounds are read as wall-clock times in Asia/Seoul, as Airflow's own timetables read theirs.
        """
        first, last = self.localize_partition_datetime(earliest), self.localize_partition_datetime(latest)
        for session in sessions_between(first.astimezone(KST).date(), last.astimezone(KST).date()):
            if first <= _midnight(session) <= last:
                yield self._run(session)

    def localize_partition_datetime(self, dt: datetime) -> pendulum.DateTime:
        """The wall-clock time of ``dt`` as a moment in Asia/Seoul."""
        return _utc(dt.replace(tzinfo=KST))

    def generate_run_id(
        self,
        *,
        run_type: DagRunType,
        run_after: pendulum.DateTime,
        data_interval: DataInterval | None,
        **extra: Any,
    ) -> str:
        """An id that names the session; a session may be run again, so it ends in something random."""
        subject = extra.get("partition_key") or run_after.isoformat()
        return run_type.generate_run_id(suffix=f"{subject}__{secrets.token_hex(4)}")

    def _decode_partition_date(self, partition_key: str) -> datetime:
        try:
            session = date.fromisoformat(partition_key)
            known = is_session(session)
        except (ValueError, CalendarRangeError) as error:
            raise InvalidPartitionKeyError(
                f"expected a session as YYYY-MM-DD, got {partition_key!r}: {error}"
            ) from error
        if not known:
            raise InvalidPartitionKeyError(f"{partition_key} is not a session of the Korea Exchange")
        if session.isoformat() != partition_key:
            raise InvalidPartitionKeyError(f"expected {session.isoformat()}, got {partition_key!r}")
        return _midnight(session)

    def _first_due_from(self, moment: datetime) -> date:
        return next_session(self.latest_due(moment - timedelta(microseconds=1)))

    def _run(self, session: date) -> DagRunInfo:
        return DagRunInfo(
            run_after=self.due(session),
            data_interval=None,
            partition_date=_midnight(session),
            partition_key=session.isoformat(),
        )


def _midnight(session: date) -> pendulum.DateTime:
    return _utc(datetime.combine(session, time.min, tzinfo=KST))


def _utc(moment: datetime) -> pendulum.DateTime:
    return pendulum.instance(moment).in_timezone("UTC")


def _in_words(offset: timedelta) -> str:
    hours, minutes = divmod(int(offset.total_seconds()) // 60, 60)
    return f"{hours}:{minutes:02d} h"
