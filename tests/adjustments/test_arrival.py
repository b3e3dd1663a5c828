"""Whatever order sessions, corrections and decisions arrive in, the same is held of actions and factors at the end."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, datetime, time, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from include.adjustments.refresh import refresh_adjustments
from include.market.calendar import KST
from include.warehouse.fingerprint import fingerprints
from tests.adjustments.loading import bar, load_bars, sessions_from, table

DAYS = sessions_from(date(2024, 3, 4), 24)
HELD = ("market.corporate_action", "market.base_rounding", "market.adjustment_factor", "market.total_return_factor")
Arrival = Callable[[str], None]


def published(chance: random.Random) -> dict[date, list[dict[str, object]]]:
    """Five issues: closes that wander within the limit, a reset or two each, some shares listed later."""
    rows: dict[date, list[dict[str, object]]] = {day: [] for day in DAYS}
    for symbol in ("000010", "000020", "000030", "000040", "000045"):
        close, shares = 10_000, 1_000_000
        for place, day in enumerate(DAYS):
            base = close
            if place and chance.random() < 0.08:
                base = close // chance.choice([2, 5])
            if chance.random() < 0.08:
                shares *= chance.choice([2, 5])
            close = max(round(base * chance.uniform(0.9, 1.1)) // 10 * 10, 10)
            rows[day].append(bar(symbol, day, close, base=base, shares=shares))
    return rows


def arrivals(chance: random.Random) -> list[Arrival]:
    """Loads of three sessions each, late corrections of whole sessions, decisions of an operator."""
    rows = published(chance)
    steps: list[Arrival] = []
    for start in range(0, len(DAYS), 3):
        some = [row for day in DAYS[start : start + 3] for row in rows[day]]
        steps.append(lambda dsn, some=some: load_bars(dsn, table(some)))  # type: ignore[misc]
    for number in range(3):
        day = chance.choice(DAYS[1:])
        wrong = chance.choice(rows[day])
        correct = bar(str(wrong["symbol"]), day, 7_000 + number, base=14_000, shares=3_000_000)
        whole = [correct if row is wrong else row for row in rows[day]]
        fetched = datetime.combine(DAYS[-1] + timedelta(days=5 + number), time(20), KST)
        steps.append(lambda dsn, whole=whole, fetched=fetched: load_bars(dsn, table(whole), fetched))  # type: ignore[misc]
    for number in range(3):
        decision = chance.choice(["confirm", "dismiss", "add"])
        told = ("merger", 0.5) if decision == "add" else (None, None)
        at = datetime.combine(DAYS[-1] + timedelta(days=9 + number), time(12), KST)
        entry = (chance.choice(["000010", "000020"]), chance.choice(DAYS), decision, *told, at)
        steps.append(lambda dsn, entry=entry: enter(dsn, entry))  # type: ignore[misc]
    return steps


def enter(dsn: str, entry: tuple[object, ...]) -> None:
    """A decision, as it is entered by SQL."""
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "INSERT INTO market.corporate_action_decision "
            "(symbol, ex_date, decision, kind, applied_ratio, decided_at, reason, decided_by) "
            "VALUES (%s, %s, %s, %s, %s, %s, 'made up', 'tester')",
            entry,
        )


@given(chance=st.randoms(use_true_random=False))
@settings(max_examples=3, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@pytest.mark.usefixtures("without_suites")
def test_order_does_not_matter(empty_warehouse_each_time: object, chance: random.Random) -> None:
    steps = arrivals(chance)
    held = []
    for _ in range(2):
        with empty_warehouse_each_time() as dsn:  # type: ignore[operator]
            for step in steps:
                step(dsn)
                if chance.random() < 0.4:
                    refresh_adjustments(dsn)
            refresh_adjustments(dsn)
            held.append({each.table: each.digest for each in fingerprints(dsn, list(HELD))})
            before = held[-1]
            refresh_adjustments(dsn, everything=True)
            assert {each.table: each.digest for each in fingerprints(dsn, list(HELD))} == before
        chance.shuffle(steps)
    assert held[0] == held[1]
