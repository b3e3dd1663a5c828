"""As it was known: for any day, the full warehouse asked as of it says what the warehouse held when that day ended."""

from __future__ import annotations

import hashlib
import random
from datetime import date, datetime, time, timedelta

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from include.adjustments.refresh import refresh_adjustments
from include.market.calendar import KST
from include.simulator.exchange.market import SimulatedMarket
from tests.adjustments.loading import (
    DAILY_BAR,
    bar,
    evening_of,
    fetch,
    load_bars,
    load_rows,
    of_dataset,
    sessions_from,
    table,
)

pytestmark = pytest.mark.usefixtures("without_suites")
VIEWS = {
    "mart.daily_bar": "mart.daily_bar_asof",
    "mart.adjusted_daily_bar": "mart.adjusted_daily_bar_asof",
}
ACTIONS = (
    "SELECT symbol, ex_date, kind, status, base_ratio, share_ratio, applied_ratio, applied_basis, confidence, "
    "evidence, decided_by FROM {} ORDER BY symbol, ex_date"
)


def digest(dsn: str, relation: str) -> str:
    """A hash of all rows of a view or function, in order of key."""
    text = fetch(dsn, f"SELECT md5(string_agg(row::text, chr(10) ORDER BY symbol, session)) FROM {relation} AS row")
    return hashlib.sha256(str(text).encode()).hexdigest()


def held_now(dsn: str) -> dict[str, object]:
    """What the warehouse says today."""
    known: dict[str, object] = {view: digest(dsn, view) for view in VIEWS}
    return {**known, "actions": fetch(dsn, ACTIONS.format("mart.corporate_action"))}


def held_as_of(dsn: str, day: date) -> dict[str, object]:
    """What it says was known at the end of a day."""
    known: dict[str, object] = {view: digest(dsn, f"{function}('{day}')") for view, function in VIEWS.items()}
    return {**known, "actions": fetch(dsn, ACTIONS.format(f"mart.corporate_action_asof('{day}')"))}


def corrected(rows: pa.Table, chance: random.Random) -> pa.Table:
    """A session's rows, some with another base, close or share count, as a source may correct them late."""
    published = rows.to_pylist()
    for row in chance.sample([row for row in published if row["open"]], 3):
        what = chance.choice(["base", "close", "shares"])
        if what == "base":
            row["base_price"] = max(row["base_price"] // 2, 1)
        elif what == "close":
            row["close"] = chance.choice([row["high"], row["low"]])
        else:
            row["listed_shares"] *= 2
        row["change"] = row["close"] - row["base_price"]
        row["fluctuation_code"] = 1 if row["change"] > 0 else 2 if row["change"] < 0 else 3
        row["market_cap_krw"] = row["close"] * row["listed_shares"]
    return pa.Table.from_pylist(published, schema=rows.schema)


@given(chance=st.randoms(use_true_random=False))
@settings(max_examples=2, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
def test_the_past_is_what_it_was(empty_warehouse_each_time: object, chance: random.Random) -> None:
    """Sessions, late corrections of earlier ones and operators' decisions, day by day; then every day asked again."""
    market = SimulatedMarket(seed=chance.randrange(1_000), symbols=16, first=date(2023, 12, 1), last=date(2024, 3, 8))
    rows = of_dataset(pa.concat_tables(market.iter_blocks()))
    with empty_warehouse_each_time() as dsn:  # type: ignore[operator]
        told: dict[date, dict[str, object]] = {}
        start = len(market.sessions) - 16
        load_bars(dsn, rows.filter(pa.array([day < market.sessions[start] for day in rows["session"].to_pylist()])))
        for place, session in enumerate(market.sessions[start:], start):
            load_bars(dsn, rows.filter(pa.array([day == session for day in rows["session"].to_pylist()])))
            if chance.random() < 0.5:
                late = market.sessions[chance.randrange(place - 20, place)]
                of_day = rows.filter(pa.array([day == late for day in rows["session"].to_pylist()]))
                load_bars(dsn, corrected(of_day, chance), datetime.combine(session, time(20), KST))
            if chance.random() < 0.4:
                decide_something(dsn, datetime.combine(session, time(21), KST), chance)
            refresh_adjustments(dsn)
            told[session] = held_now(dsn)
        assert fetch(dsn, "SELECT count(*) > 0 FROM market.corporate_action_revision") == [(True,)]
        for session, known in told.items():
            assert held_as_of(dsn, session) == known, session


def decide_something(dsn: str, at: datetime, chance: random.Random) -> None:
    """An operator's decision about an action there is, or about none."""
    known = fetch(dsn, "SELECT symbol, ex_date FROM market.corporate_action ORDER BY 1, 2")
    if not known:
        return
    symbol, ex_date = chance.choice(known)
    decision = chance.choice(["confirm", "correct", "dismiss", "withdraw", "add"])
    if decision == "add":
        ex_date += timedelta(days=-1)  # type: ignore[operator]
    told = decision in {"correct", "add"}
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "INSERT INTO market.corporate_action_decision "
            "(symbol, ex_date, decision, kind, applied_ratio, reason, decided_by, decided_at) "
            "VALUES (%s, %s, %s, %s, %s, 'made up', 'tester', %s)",
            [symbol, ex_date, decision, "merger" if told else None, chance.choice([0.5, 2.0]) if told else None, at],
        )


def test_an_action_is_known_from_its_session_on_and_its_kind_when_the_shares_move(warehouse: str) -> None:
    days = sessions_from(date(2024, 3, 4), 10)
    shares = [1_000_000] * 6 + [2_000_000] * 4
    closes = [10_000, 10_000, 5_000, 5_100, 5_000, 5_050, 5_000, 5_100, 5_000, 5_050]
    load_bars(
        warehouse,
        table(
            [
                bar("123450", day, close, base=5_000 if place == 2 else closes[max(place - 1, 0)], shares=shares[place])
                for place, (day, close) in enumerate(zip(days, closes, strict=True))
            ]
        ),
    )
    refresh_adjustments(warehouse)

    def as_of(day: date) -> list[tuple[object, ...]]:
        return fetch(warehouse, "SELECT kind, applied_ratio, share_ratio FROM mart.corporate_action_asof(%s)", day)

    assert as_of(days[1]) == []
    assert as_of(days[2]) == [("bonus_issue", 0.5, None)]
    assert as_of(days[6]) == [("bonus_issue", 0.5, 2.0)]
    before = "SELECT close FROM mart.adjusted_daily_bar_asof(%s) WHERE session = %s"
    assert fetch(warehouse, before, days[1], days[1]) == [(10_000.0,)]
    assert fetch(warehouse, before, days[2], days[1]) == [(5_000.0,)]


def test_a_correction_and_a_decision_count_from_when_they_came(warehouse: str) -> None:
    days = sessions_from(date(2024, 3, 4), 6)
    load_bars(warehouse, table([bar("123450", days[0], 10_000), bar("123450", days[1], 10_100, base=10_000)]))
    late = datetime.combine(days[3], time(20), KST)
    load_bars(warehouse, table([bar("123450", days[1], 10_100, base=5_000)]), late)
    with psycopg.connect(warehouse) as connection:
        connection.execute(
            "INSERT INTO market.corporate_action_decision (symbol, ex_date, decision, reason, decided_at) "
            "VALUES ('123450', %s, 'dismiss', 'a slip of the source', %s)",
            [days[1], datetime.combine(days[4], time(12), KST)],
        )
    refresh_adjustments(warehouse)
    status = "SELECT status, applied_ratio FROM mart.corporate_action_asof(%s)"
    assert fetch(warehouse, status, days[2]) == []
    assert fetch(warehouse, status, days[3]) == [("applied", 0.5)]
    assert fetch(warehouse, status, days[4]) == [("dismissed", 1.0)]
    change = "SELECT change FROM mart.daily_bar_asof(%s) WHERE session = %s"
    assert fetch(warehouse, change, days[2], days[1]) == [(100,)]
    assert fetch(warehouse, change, days[3], days[1]) == [(5_100,)]


def test_a_row_that_vanished_and_came_back_was_there_once_at_any_time(warehouse: str) -> None:
    [session] = sessions_from(date(2024, 3, 4), 1)
    kept, coming_and_going = bar("000010", session, 10_000), bar("000020", session, 5_000)
    arrivals = (("kis", [kept, coming_and_going]), ("krx_openapi", [kept]), ("krx_openapi", [kept, coming_and_going]))
    for days_later, (source, rows) in enumerate(arrivals):
        load_rows(warehouse, DAILY_BAR, source, table(rows), evening_of(session + timedelta(days=days_later)))
    counts = [
        fetch(
            warehouse,
            "SELECT count(*) FROM mart.daily_bar_asof(%s) WHERE symbol = '000020'",
            session + timedelta(days=days_later),
        )[0][0]
        for days_later in range(len(arrivals))
    ]
    assert counts == [1, 0, 1]


def test_roles_that_read_the_mart_may_ask_about_the_past(warehouse: str) -> None:
    load_bars(warehouse, table([bar("123450", day, 10_000) for day in sessions_from(date(2024, 3, 4), 2)]))
    with psycopg.connect(warehouse) as connection:
        for role in ("analyst", "grafana"):
            connection.execute(f"SET ROLE {role}".encode())
            asked = connection.execute("SELECT count(*) FROM mart.adjusted_daily_bar_asof('2024-03-04')").fetchone()
            assert asked == (1,)
            connection.execute("RESET ROLE")
