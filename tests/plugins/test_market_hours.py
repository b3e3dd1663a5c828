"""The sensor and the operator through whole sessions, on a clock that jumps to whatever is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pendulum
import pytest
from airflow.sdk import Asset
from airflow.sdk._shared.module_loading import import_string
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred

from include.market.calendar import KST, trading_hours
from include.market.hours import FileClock
from include.outcomes import AuthRequired, SourceDown
from krxw_airflow.market_hours import MarketHoursSensor, MarketTicksOperator
from krxw_airflow.timetable import SessionTimetable
from krxw_airflow.triggers import MarketTickTrigger

EXAMINATION = date(2026, 11, 19)
EVERY = timedelta(minutes=30)
ASSET = Asset(name="quotes")


def kst(hour: int, minute: int = 0, day: date = EXAMINATION) -> datetime:
    return datetime.combine(day, time(hour, minute), KST)


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileClock:
    monkeypatch.setenv("KRXW_CLOCK_FILE", str(tmp_path / "clock"))
    clock = FileClock(tmp_path / "clock")
    clock.set(kst(8))
    return clock


class Announced(dict[Asset, Any]):
    """The partitions announced of each asset."""

    def __missing__(self, asset: Asset) -> Any:
        self[asset] = SimpleNamespace(keys=[])
        self[asset].add_partitions = self[asset].keys.append
        return self[asset]


def context_of(partition: str | None = EXAMINATION.isoformat()) -> dict[str, Any]:
    return {"dag_run": SimpleNamespace(partition_key=partition), "outlet_events": Announced()}


def run(task: Any, context: dict[str, Any]) -> Any:
    """What a worker and the triggerer do with ``task`` in turn, triggers serialised in between."""
    method, arguments = "execute", {}
    while True:
        try:
            return getattr(task, method)(context, **arguments)
        except TaskDeferred as deferred:
            path, trigger_arguments = deferred.trigger.serialize()
            [event] = asyncio.run(_events(import_string(path)(**trigger_arguments)))
            method, arguments = deferred.method_name, {"event": event.payload}


async def _events(trigger: MarketTickTrigger) -> list[Any]:
    return [event async for event in trigger.run()]


def sensor() -> MarketHoursSensor:
    return MarketHoursSensor(task_id="market_hours")


def operator(on_tick: Callable[[datetime], str]) -> MarketTicksOperator:
    return MarketTicksOperator(task_id="snapshots", on_tick=on_tick, every=lambda context: EVERY, outlets=[ASSET])


@pytest.mark.parametrize(
    ("session", "opens"), [(EXAMINATION, kst(10)), (date(2026, 1, 2), kst(10, day=date(2026, 1, 2)))]
)
def test_the_sensor_waits_for_a_delayed_open(clock: FileClock, session: date, opens: datetime) -> None:
    clock.set(datetime.combine(session, time(9), KST))
    run(sensor(), context_of(session.isoformat()))
    assert clock.now() == opens


def test_the_sensor_lets_a_late_run_in_at_once(clock: FileClock) -> None:
    clock.set(kst(12, 3))
    run(sensor(), context_of())
    assert clock.now() == kst(12, 3)


@pytest.mark.parametrize("day", ["2026-11-21", "2026-06-03", "2026-07-17", "2026-12-31"])
def test_a_holiday_is_skipped_at_once(clock: FileClock, day: str) -> None:
    with pytest.raises(AirflowSkipException, match="not a session"):
        run(sensor(), context_of(day))
    assert clock.now() == kst(8)


def test_a_run_after_the_close_is_skipped(clock: FileClock) -> None:
    clock.set(kst(16, 30))
    with pytest.raises(AirflowSkipException, match="closed at 16:30"):
        run(sensor(), context_of())


def test_a_run_without_a_partition_is_about_today(clock: FileClock) -> None:
    run(sensor(), context_of(None))
    assert clock.now() == kst(10)


def test_a_whole_session_is_worked_tick_by_tick_and_announced(clock: FileClock) -> None:
    clock.set(kst(10))
    seen: list[tuple[datetime, datetime]] = []

    def note(at: datetime) -> str:
        seen.append((at, clock.now()))
        return "noted"

    context = context_of()
    summary = run(operator(note), context)
    expected = [kst(10) + place * EVERY for place in range(1, 14)]
    assert seen == [(tick, tick) for tick in expected]
    assert expected[-1] == kst(16, 30)
    assert summary == {"taken": 13, "missed": []}
    assert context["outlet_events"][ASSET].keys == ["2026-11-19"]


def test_ticks_that_pass_while_one_is_worked_on_are_left_out(clock: FileClock) -> None:
    clock.set(kst(15, 10))
    seen: list[datetime] = []

    def dawdle(at: datetime) -> str:
        seen.append(at)
        clock.set(clock.now() + timedelta(minutes=40))
        return "at last"

    run(operator(dawdle), context_of())
    assert seen == [kst(15, 30), kst(16, 30)]


def test_a_crash_is_outlived_at_the_next_tick(clock: FileClock) -> None:
    clock.set(kst(15))
    seen: list[datetime] = []

    def crash_once(at: datetime) -> str:
        seen.append(at)
        if len(seen) == 1:
            clock.set(clock.now() + timedelta(minutes=1))
            raise RuntimeError("out of memory")
        return "taken"

    with pytest.raises(RuntimeError):
        run(operator(crash_once), context_of())
    assert run(operator(crash_once), context_of())["taken"] == 2
    assert seen == [kst(15, 30), kst(16), kst(16, 30)]


def test_a_tick_without_quotes_is_missed_and_the_next_one_taken(clock: FileClock) -> None:
    clock.set(kst(15, 10))

    def fail_at_half_past(at: datetime) -> str:
        if at == kst(15, 30):
            raise SourceDown("no answer")
        return "taken"

    assert run(operator(fail_at_half_past), context_of()) == {"taken": 2, "missed": [kst(15, 30).isoformat()]}


def test_a_session_without_one_tick_fails_and_announces_nothing(clock: FileClock) -> None:
    clock.set(kst(15, 40))

    def refuse(at: datetime) -> str:
        raise AuthRequired("no key")

    context = context_of()
    with pytest.raises(AirflowFailException, match=r"16:00.*16:30"):
        run(operator(refuse), context)
    assert not context["outlet_events"]


def test_the_trigger_survives_serialisation(clock: FileClock) -> None:
    trigger = MarketTickTrigger(kst(10).isoformat(), {"taken": 3})
    path, arguments = trigger.serialize()
    assert import_string(path) is MarketTickTrigger
    [event] = asyncio.run(_events(MarketTickTrigger(**arguments)))
    assert event.payload == {"tick": kst(10).isoformat(), "progress": {"taken": 3}}


@pytest.mark.parametrize("session", [EXAMINATION, date(2026, 1, 2), date(2026, 11, 18)])
def test_a_timetable_from_the_open_starts_with_the_session(session: date) -> None:
    timetable = SessionTimetable(timedelta(0), since="open")
    assert timetable.due(session) == trading_hours(session).open
    assert timetable.summary == "session open + 0:00 h"
    restored = SessionTimetable.deserialize(timetable.serialize())
    assert restored.due(session) == timetable.due(session)
    assert timetable.latest_due(pendulum.instance(trading_hours(session).open)) == session
