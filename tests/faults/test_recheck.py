"""What a source said and cannot be told from the truth is asked for again, and nobody is alarmed if that fails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta

import psycopg
import pytest

from include.datasets.registry import dataset_named
from include.market.calendar import KST
from include.outcomes import NotPublished
from include.pipeline import due
from include.pipeline.due import collect
from include.settings import Settings
from include.simulator.servers.faults import ANY_ENDPOINT, Fault, FaultKind
from include.simulator.sources import SimulatedSources
from include.simulator.world import World
from tests.faults.clock import Clock
from tests.faults.conftest import Warehouses
from tests.faults.truth import assert_same, held_rows, true_rows

SESSIONS = [date(2025, 6, day) for day in (23, 24, 25, 26, 27)]


@pytest.fixture
def settings(warehouses: Warehouses) -> Iterator[Settings]:
    with warehouses() as settings:
        yield settings


def fetch(settings: Settings, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(settings.warehouse_dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def test_a_lie_about_a_session_that_would_not_be_rechecked_any_more_is_found_out(
    settings: Settings,
    sources: SimulatedSources,
    world: World,
    clock: Clock,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(due, "dataset_named", lambda name: replace(dataset_named(name), recheck=2))
    *honest, lying, last = SESSIONS
    for session in honest:
        clock.set_morning_after(session)
        collect(settings, "global_bar", session, environment)
    clock.set_morning_after(lying)
    sources.servers["yfinance"].faults.add(Fault(ANY_ENDPOINT, FaultKind.STALE_COPY))
    collect(settings, "global_bar", lying, environment)
    sources.servers["yfinance"].faults.clear()
    believed = held_rows(settings.warehouse_dsn, "global_bar", honest[1], honest[1])
    assert believed != true_rows(world, "global_bar", honest[1], honest[1])

    clock.set_morning_after(last)
    report = collect(settings, "global_bar", last, environment).report
    assert {*honest[1:], lying, last} <= {*report.sessions}
    before = world.sessions[0], last - timedelta(days=1)
    true = true_rows(world, "global_bar", *before)
    held = held_rows(settings.warehouse_dsn, "global_bar", *before)
    assert_same(held, {key: row for key, row in true.items() if key in held}, "global_bar")
    assert true_rows(world, "global_bar", SESSIONS[0], before[1]).items() <= held.items()


def test_a_recheck_that_finds_nothing_new_is_told_of_no_session(
    settings: Settings, clock: Clock, environment: dict[str, str]
) -> None:
    for session in SESSIONS[:3]:
        clock.set_morning_after(session)
        report = collect(settings, "instrument", session, environment).report
        assert (report.first, report.sessions) == (SESSIONS[0], (session,))


def test_a_run_that_is_tried_again_does_not_recheck_again(
    settings: Settings, clock: Clock, environment: dict[str, str]
) -> None:
    before, session = SESSIONS[:2]
    openapi_only = {name: value for name, value in environment.items() if "PORTAL" not in name}
    clock.set_morning_after(before)
    collect(settings, "instrument", before, openapi_only)
    clock.set(datetime.combine(session, time(18, 12), KST))
    with pytest.raises(NotPublished):
        collect(settings, "instrument", session, openapi_only)
    clock.set_morning_after(session)
    assert collect(settings, "instrument", session, openapi_only).report.first == session
    spans = "SELECT first_session, last_session, status FROM ops.batch ORDER BY batch_id"
    assert fetch(settings, spans) == [
        (before, before, "loaded"),
        (before, session, "unchanged"),
        (session, session, "loaded"),
    ]


def test_what_a_source_does_not_hold_any_more_stays_without_an_alarm(
    settings: Settings, clock: Clock, environment: dict[str, str]
) -> None:
    portal_only = {name: value for name, value in environment.items() if not name.startswith("KRXW_KRX_OPENAPI")}
    for session in SESSIONS[:2]:
        clock.set_morning_after(session)
        report = collect(settings, "instrument", session, portal_only).report
        assert (report.source, report.sessions) == ("krx_portal", (session,))
    assert report.refused.keys() == {SESSIONS[0]}
    assert fetch(settings, "SELECT kind FROM ops.alarm") == []
    assert fetch(settings, "SELECT session, outcome FROM ops.session_outcome ORDER BY session") == [
        (session, "loaded") for session in SESSIONS[:2]
    ]
