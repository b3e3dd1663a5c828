"""A source dies in the middle of a run: the next one answers, people are told, and nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time

import psycopg
import pytest

from include.crawlers.transport import SourceLimits
from include.datasets.registry import dataset_named
from include.market.calendar import KST
from include.outcomes import NotPublished
from include.pipeline import job
from include.pipeline.due import collect
from include.settings import Settings
from include.simulator.servers.faults import ANY_ENDPOINT, Fault, FaultKind
from include.simulator.sources import SimulatedSources
from include.simulator.world import World
from tests.faults.clock import Clock
from tests.faults.conftest import ImpatientTransport, Warehouses

FIRST, SESSION, NEXT = date(2025, 6, 25), date(2025, 6, 26), date(2025, 6, 27)
COLUMNS = dataset_named("daily_bar").column_names


@pytest.fixture
def settings(warehouses: Warehouses) -> Iterator[Settings]:
    with warehouses() as settings:
        yield settings


class AsPatientAsEver(ImpatientTransport):
    """As many attempts as in earnest, still without a pause."""

    def _limits(self, source: str, limits: SourceLimits) -> SourceLimits:
        return limits


@pytest.fixture(autouse=True)
def _all_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "Transport", AsPatientAsEver)


def fetch(settings: Settings, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(settings.warehouse_dsn, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


def held(settings: Settings) -> list[tuple[object, ...]]:
    return fetch(settings, f"SELECT {', '.join(COLUMNS)} FROM market.daily_bar ORDER BY symbol, session")


def truth(world: World, *sessions: date) -> list[tuple[object, ...]]:
    tables = (world.table("daily_bar", session).select(COLUMNS) for session in sessions)
    return sorted(tuple(row.values()) for table in tables for row in table.to_pylist())


def test_the_next_source_answers_and_the_better_one_takes_over_again(
    settings: Settings, sources: SimulatedSources, world: World, clock: Clock, environment: dict[str, str]
) -> None:
    for session in (FIRST, SESSION):
        clock.set_morning_after(session)
        if session == SESSION:
            # Two of its three markets have answered when it dies.
            sources.servers["krx_openapi"].faults.add(Fault("knx_bydd_trd", FaultKind.HTTP_500))
        collect(settings, "daily_bar", session, environment)
    assert held(settings) == truth(world, FIRST, SESSION)
    assert fetch(settings, "SELECT DISTINCT session, source FROM market.daily_bar ORDER BY session") == [
        (FIRST, "krx_openapi"),
        (SESSION, "krx_portal"),
    ]
    assert fetch(settings, "SELECT source, state FROM ops.source_breaker WHERE state <> 'closed'") == [
        ("krx_openapi", "open")
    ]
    assert fetch(settings, "SELECT kind, closed_at IS NULL FROM ops.alarm ORDER BY kind") == [
        ("circuit_open", False),
        ("fallback", True),
        ("source_down", False),
    ]

    sources.servers["krx_openapi"].faults.clear()
    fetch(settings, "DELETE FROM ops.source_breaker")
    clock.set_morning_after(NEXT)
    collect(settings, "daily_bar", NEXT, environment)
    assert held(settings) == truth(world, FIRST, SESSION, NEXT)
    assert fetch(settings, "SELECT session, source FROM ops.session_outcome ORDER BY session") == [
        (session, "krx_openapi") for session in (FIRST, SESSION, NEXT)
    ]
    assert fetch(settings, "SELECT kind FROM ops.alarm WHERE closed_at IS NULL") == []
    assert fetch(settings, "SELECT count(*) FROM market.daily_bar_revision") == [(0,)]


def test_a_better_source_that_publishes_later_is_nothing_to_be_told(
    settings: Settings, world: World, clock: Clock, environment: dict[str, str]
) -> None:
    clock.set(datetime.combine(FIRST, time(18, 30), KST))
    assert collect(settings, "daily_bar", FIRST, environment).report.source == "krx_portal"
    assert fetch(settings, "SELECT kind, closed_at IS NULL FROM ops.alarm") == [("not_published", False)]
    clock.set_morning_after(SESSION)
    assert collect(settings, "daily_bar", SESSION, environment).late == ()
    assert held(settings) == truth(world, FIRST, SESSION)


def test_a_part_is_an_alarm_though_the_better_source_only_publishes_later(
    settings: Settings, sources: SimulatedSources, clock: Clock, environment: dict[str, str]
) -> None:
    clock.set_morning_after(SESSION)
    sources.servers["krx_portal"].faults.add(Fault("MDCSTAT05001", FaultKind.EMPTY_LIST))
    assert collect(settings, "etf_holding", SESSION, environment).report.source == "naver"
    sources.servers["krx_portal"].faults.clear()
    assert fetch(settings, "SELECT kind FROM ops.alarm WHERE closed_at IS NULL") == [("fallback",)]


def test_the_only_source_there_is_falls_back_for_none(
    settings: Settings, clock: Clock, environment: dict[str, str]
) -> None:
    clock.set_morning_after(SESSION)
    only_naver = {name: value for name, value in environment.items() if not name.startswith("KRXW_KRX_PORTAL")}
    assert collect(settings, "etf_holding", SESSION, only_naver).report.source == "naver"
    assert fetch(settings, "SELECT kind FROM ops.alarm") == []


def test_an_alarm_says_what_is_wrong_with_each_source(
    settings: Settings, sources: SimulatedSources, clock: Clock, environment: dict[str, str]
) -> None:
    clock.set_morning_after(SESSION)
    for _ in range(2):
        for source in ("krx_openapi", "krx_portal"):
            sources.servers[source].faults.add(Fault(ANY_ENDPOINT, FaultKind.EMPTY_LIST))
        with pytest.raises(NotPublished):
            collect(settings, "daily_bar", SESSION, environment)
        [(message,)] = fetch(settings, "SELECT message FROM ops.alarm WHERE kind = 'not_published'")
        assert [line.split(":")[0] for line in str(message).splitlines()] == ["krx_openapi", "krx_portal"]
    for source in ("krx_openapi", "krx_portal"):
        sources.servers[source].faults.clear()
