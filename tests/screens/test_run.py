"""Screens in the warehouse: kept by version, run once per session, what they found stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import psycopg
import pytest

from include.screens.errors import DuplicateScreenError, InvalidScreenError, NothingToScreenError, UnknownScreenError
from include.screens.parse import parse_screen
from include.screens.run import run_screen, run_screens
from include.screens.table import add_screen, read_screens, remove_screen, screen_named
from tests.screens.filled import fill

TEMPLATES = ["momentum_breakout", "oversold_rebound", "stable_trend", "value_with_foreign_buying"]
LAST = date(2024, 6, 28)
CHEAP = parse_screen(
    {
        "name": "cheap",
        "title": "Cheap",
        "meaning": "Below ten times its book value",
        "conditions": [{"column": "pbr", "op": "<", "value": 10}],
        "rank": {"column": "pbr", "order": "ascending"},
        "limit": 3,
    }
)
IMPOSSIBLE = replace(
    parse_screen(
        CHEAP.document
        | {"name": "impossible", "conditions": [{"column": "close", "op": ">", "other": "high", "factor": 1.5}]}
    ),
    rank=None,
    limit=None,
)


@pytest.fixture
def filled(warehouse: str) -> str:
    """A warehouse whose last five sessions can be screened."""
    fill(warehouse, symbols=40, sessions=260, kept=5, last=LAST)
    return warehouse


def fetch(dsn: str, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode(), parameters).fetchall()


def results(dsn: str) -> list[tuple[Any, ...]]:
    """All that is kept, with when it was known."""
    found = fetch(dsn, "SELECT * FROM derived.screen_result ORDER BY screen, version, session, rank")
    return found + fetch(dsn, "SELECT * FROM derived.screen_run ORDER BY screen, version, session")


def delete_session(dsn: str, session: date) -> None:
    with psycopg.connect(dsn) as connection:
        for table in ("screen_run", "screen_result"):
            connection.execute(f"DELETE FROM derived.{table} WHERE session = %s".encode(), [session])


def test_templates_are_in_every_warehouse_and_can_be_run(filled: str) -> None:
    with psycopg.connect(filled) as connection:
        kept = read_screens(connection)
    assert [(each.screen.name, each.version, each.created_by) for each in kept] == [
        (name, 1, "krx-warehouse") for name in TEMPLATES
    ]
    for each in kept:
        assert parse_screen(each.screen.document) == each.screen
    report = run_screens(filled)
    assert sorted(run.screen for run in report.runs) == TEMPLATES
    assert report.waiting == ()
    assert all(run.found.session == LAST and run.found.considered > 0 for run in report.runs)
    assert report.summary().startswith(f"4 runs over 1 sessions up to {LAST}: ")


def test_the_best_by_rank_are_kept_with_their_values(filled: str) -> None:
    assert add_screen(filled, CHEAP) == 1
    report = run_screens(filled)
    [run] = [run for run in report.runs if run.screen == "cheap"]
    expected = fetch(
        filled,
        "SELECT row_number() OVER (ORDER BY pbr, symbol), symbol, name, pbr FROM mart.screenable "
        "WHERE session = %s AND traded AND pbr < 10 ORDER BY pbr, symbol",
        LAST,
    )
    assert run.found.hits == len(expected) >= 3
    found = fetch(filled, "SELECT rank, symbol, name, values, version FROM mart.screen_result WHERE screen = 'cheap'")
    assert sorted(found, key=lambda row: int(row[0])) == [
        (rank, symbol, name, {"pbr": float(pbr)}, 1) for rank, symbol, name, pbr in expected[:3]
    ]


def test_no_hit_is_a_result(filled: str) -> None:
    add_screen(filled, IMPOSSIBLE)
    run_screens(filled)
    [[considered, hits]] = fetch(filled, "SELECT considered, hits FROM mart.screen_run WHERE screen = 'impossible'")
    assert considered > 0
    assert hits == 0
    assert fetch(filled, "SELECT FROM mart.screen_result WHERE screen = 'impossible'") == []


def test_running_again_changes_nothing_and_sessions_since_are_caught_up(filled: str) -> None:
    run_screens(filled, date(2024, 6, 24))
    before = results(filled)
    report = run_screens(filled)
    assert sorted({run.found.session.day for run in report.runs}) == [25, 26, 27, 28]
    after = results(filled)
    assert [row for row in before if row not in after] == []
    assert run_screens(filled).runs == ()
    run_screens(filled, date(2024, 6, 26))
    assert results(filled) == after

    delete_session(filled, date(2024, 6, 26))
    assert {run.found.session.day for run in run_screens(filled).runs} == {26}
    known = [row[:-1] for row in after]
    assert [row[:-1] for row in results(filled)] == known


def test_what_is_no_longer_a_hit_goes_when_a_session_is_run_again(filled: str) -> None:
    add_screen(filled, CHEAP)
    run_screens(filled)
    [[gone]] = fetch(filled, "SELECT symbol FROM mart.screen_result WHERE screen = 'cheap' AND rank = 1")
    with psycopg.connect(filled) as connection:
        connection.execute("UPDATE market.fundamental SET pbr = 19 WHERE symbol = %s AND session = %s", [gone, LAST])
    run_screens(filled, LAST)
    assert (gone,) not in fetch(filled, "SELECT symbol FROM mart.screen_result WHERE screen = 'cheap'")
    assert len(fetch(filled, "SELECT FROM mart.screen_result WHERE screen = 'cheap'")) == 3


def test_past_sessions_stay_as_they_were_when_a_definition_changes(filled: str) -> None:
    add_screen(filled, CHEAP)
    run_screens(filled, date(2024, 6, 27))
    run_screens(filled)
    before = results(filled)
    changed = replace(CHEAP, limit=1)
    with pytest.raises(DuplicateScreenError, match=r"'cheap' is there, version 1 .*--replace"):
        add_screen(filled, changed)
    assert add_screen(filled, CHEAP, replace=True) == 1
    assert add_screen(filled, changed, replace=True) == 2

    report = run_screens(filled)
    assert [(run.screen, run.version, run.found.session) for run in report.runs] == [("cheap", 2, LAST)]
    assert [row for row in before if row not in results(filled)] == []
    shown = fetch(
        filled,
        "SELECT session, version, count(*) FROM mart.screen_result WHERE screen = 'cheap' GROUP BY 1, 2 ORDER BY 1",
    )
    assert shown == [(date(2024, 6, 27), 1, 3), (LAST, 2, 1)]
    assert fetch(filled, "SELECT version FROM mart.screen_run WHERE screen = 'cheap' ORDER BY session") == [(1,), (2,)]


def test_a_removed_screen_is_run_no_more_and_leaves_its_results(filled: str) -> None:
    add_screen(filled, CHEAP)
    run_screens(filled, date(2024, 6, 27))
    remove_screen(filled, "cheap")
    assert "cheap" not in {run.screen for run in run_screens(filled).runs}
    assert fetch(filled, "SELECT count(*) FROM mart.screen_result WHERE screen = 'cheap'") == [(3,)]
    with psycopg.connect(filled) as connection, pytest.raises(UnknownScreenError, match="no screen is called 'cheap'"):
        screen_named(connection, "cheap")
    with psycopg.connect(filled) as connection, pytest.raises(UnknownScreenError, match="did you mean stable_trend"):
        screen_named(connection, "stabel_trend")
    assert add_screen(filled, CHEAP) == 2


def test_a_screen_waits_for_what_comes_later_than_bars(filled: str) -> None:
    run_screens(filled, date(2024, 6, 26))
    with psycopg.connect(filled) as connection:
        connection.execute("CREATE TEMP TABLE late AS SELECT * FROM market.fundamental WHERE session > '2024-06-26'")
        connection.execute("DELETE FROM market.fundamental WHERE session > '2024-06-26'")
        connection.commit()
        report = run_screens(filled)
        assert {run.screen for run in report.runs} == {*TEMPLATES} - {"value_with_foreign_buying"}
        assert len(report.waiting) == 2
        assert "none has pbr, per, dividend_yield_pct" in report.waiting[0]
        assert "waiting: value_with_foreign_buying has nothing to look at on 2024-06-27" in report.summary()
        connection.execute("INSERT INTO market.fundamental SELECT * FROM late")
    report = run_screens(filled)
    assert [(run.screen, run.found.session.day) for run in report.runs] == [
        ("value_with_foreign_buying", 27),
        ("value_with_foreign_buying", 28),
    ]


def test_a_screen_that_cannot_be_run_any_more_is_named_and_can_be_removed(filled: str) -> None:
    with psycopg.connect(filled) as connection:
        connection.execute(
            "INSERT INTO derived.screen (name, version, title, meaning, definition) VALUES ('old', 1, 'Old', 'Old', "
            """'{"conditions": [{"column": "gone", "op": "<", "value": 1}]}')"""
        )
    with pytest.raises(InvalidScreenError, match=r'(?s)screen old, version 1: .*got "gone".*krxw screen remove old'):
        run_screens(filled)
    assert add_screen(filled, CHEAP) == 1
    remove_screen(filled, "old")
    assert "cheap" in {run.screen for run in run_screens(filled).runs}


def test_sessions_whose_indicators_are_not_all_computed_are_not_screened(filled: str) -> None:
    with psycopg.connect(filled) as connection:
        connection.execute("INSERT INTO ops.indicator_due SELECT symbol, '2024-06-28' FROM market.instrument LIMIT 7")
    with pytest.raises(NothingToScreenError, match="indicators of 7 issues are yet to be computed on 2024-06-28"):
        run_screens(filled)
    with pytest.raises(NothingToScreenError, match="run the DAG indicators"):
        run_screen(filled, "stable_trend", LAST)
    assert run_screen(filled, "stable_trend", date(2024, 6, 27)).considered > 0


def test_having_nothing_to_look_at_is_an_error(filled: str, empty_warehouse: str) -> None:
    with pytest.raises(NothingToScreenError, match="no indicators are in the warehouse"):
        run_screens(empty_warehouse)
    with pytest.raises(NothingToScreenError, match=r"on 2024-06-22: no issue that traded has indicators"):
        run_screens(filled, date(2024, 6, 22))
    for name in TEMPLATES:
        remove_screen(filled, name)
    assert run_screens(filled).summary() == "no screen was due"
    add_screen(filled, CHEAP)
    with psycopg.connect(filled) as connection:
        connection.execute("UPDATE market.fundamental SET pbr = NULL")
    with pytest.raises(NothingToScreenError, match=r"cheap has nothing to look at on 2024-06-28: .* none has pbr"):
        run_screens(filled)
    assert results(filled) == []


@pytest.fixture
def empty_warehouse(server: Any, migrated_template: str) -> Iterator[str]:
    """A second one, without anything."""
    yield server.create_database("nothing_to_screen", template=migrated_template)
    server.drop_database("nothing_to_screen")
