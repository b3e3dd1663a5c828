"""Screens in the warehouse: kept by version, run once per session, what they found stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import psycopg
import pytest

from include.screens.definition import ColumnComparison, Screen
from include.screens.errors import (
    DuplicateScreenError,
    FailedScreensError,
    IndicatorsBehindError,
    InvalidScreenError,
    NothingToScreenError,
    SlowScreenError,
    UnknownScreenError,
)
from include.screens.parse import parse_screen
from include.screens.run import ScreenReport, run_screen, run_screens
from include.screens.screening import Found, find
from include.screens.table import SCREENED_DATASETS, add_screen, read_screens, remove_screen, screen_named
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

FUNDS = parse_screen(
    {
        "name": "funds",
        "title": "Funds",
        "meaning": "Exchange traded funds",
        "conditions": [{"column": "kind", "op": "in", "value": ["etf"]}],
    }
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


def found_only(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Without when a session was run last."""
    return [row if len(row) == 7 and isinstance(row[3], str) else row[:5] for row in rows]


def load(dsn: str, dataset: str, first: date, last: date, *, derived: bool = True) -> None:
    """Enter a batch that was loaded just now, and with ``derived`` that what rests on it was brought up to date."""
    with psycopg.connect(dsn) as connection:
        [[batch]] = connection.execute(
            "INSERT INTO ops.batch (dataset, source, first_session, last_session, status, finished_at) "
            "VALUES (%s, 'test', %s, %s, 'loaded', clock_timestamp()) RETURNING batch_id",
            [dataset, first, last],
        ).fetchall()
        for table in ("adjusted_batch", "indicated_batch") if derived else ():
            connection.execute(f"INSERT INTO ops.{table} VALUES (%s)".encode(), [batch])


def days_run(report: ScreenReport) -> list[int]:
    return [run.found.session.day for run in report.runs]


def delete_session(dsn: str, session: date) -> None:
    with psycopg.connect(dsn) as connection:
        for table in ("screen_run", "screen_result"):
            connection.execute(f"DELETE FROM derived.{table} WHERE session = %s".encode(), [session])


def test_templates_are_in_every_warehouse_and_can_be_run(filled: str) -> None:
    with psycopg.connect(filled) as connection:
        kept, invalid = read_screens(connection)
    assert invalid == []
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
    assert found_only(results(filled)) == found_only(after)

    delete_session(filled, date(2024, 6, 26))
    assert {run.found.session.day for run in run_screens(filled).runs} == {26}
    assert [row[:5] for row in results(filled)] == [row[:5] for row in after]


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
    with pytest.raises(FailedScreensError, match=r'(?s)screen old, version 1: .*got "gone".*krxw screen remove old'):
        run_screens(filled)
    assert fetch(filled, "SELECT screen FROM mart.screen_run ORDER BY screen") == [(name,) for name in TEMPLATES]
    with psycopg.connect(filled) as connection, pytest.raises(InvalidScreenError, match="screen old, version 1"):
        screen_named(connection, "old")
    assert add_screen(filled, CHEAP) == 1
    remove_screen(filled, "old")
    assert "cheap" in {run.screen for run in run_screens(filled).runs}


def test_what_the_server_cannot_compute_is_an_error_of_data(filled: str) -> None:
    unbounded = replace(IMPOSSIBLE, conditions=(ColumnComparison("close", ">", "high", 1e308),))
    with psycopg.connect(filled) as connection, pytest.raises(psycopg.DataError):
        find(connection, unbounded, LAST)


def test_a_screen_that_fails_is_named_and_the_others_are_run(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for failure in (psycopg.errors.NumericValueOutOfRange("value out of range"), SlowScreenError("was broken off")):
        with psycopg.connect(filled) as connection:
            connection.execute("DELETE FROM derived.screen_run")

        def failing(connection: psycopg.Connection, screen: Screen, session: date, why: Exception = failure) -> Found:
            if screen.name == "oversold_rebound":
                raise why
            return find(connection, screen, session)

        monkeypatch.setattr("include.screens.run.find", failing)
        named = rf"(?s)^screen oversold_rebound, version 1, on {LAST}: .*{failure}.*the others: 3 runs"
        with pytest.raises(FailedScreensError, match=named):
            run_screens(filled)
        done = fetch(filled, "SELECT screen FROM mart.screen_run ORDER BY screen")
        assert done == [(name,) for name in TEMPLATES if name != "oversold_rebound"]


def test_a_screen_that_takes_too_long_is_broken_off(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("include.screens.screening.LONGEST", "100ms")
    with psycopg.connect(filled) as other, psycopg.connect(filled) as connection:
        other.execute("LOCK TABLE market.daily_bar IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(SlowScreenError, match=r"cheap was broken off on 2024-06-28: .*timeout"):
            find(connection, replace(CHEAP, conditions=(ColumnComparison("close", "<", "high"),)), LAST)


def test_what_is_loaded_after_a_session_was_run_makes_it_due_again(filled: str) -> None:
    """Bars of funds come in a DAG of their own, after those of stocks."""
    add_screen(filled, FUNDS)
    with psycopg.connect(filled) as connection:
        [[symbol]] = connection.execute("SELECT max(symbol) FROM market.listed_instrument").fetchall()
        assert run_screen(filled, "funds", LAST).hits == 0
        run_screens(filled)
        before = fetch(filled, "SELECT max(known_at) FROM mart.screen_run")[0][0]
        connection.execute("UPDATE market.listed_instrument SET kind = 'etf' WHERE symbol = %s", [symbol])
        connection.execute(
            "UPDATE derived.indicator SET traded = true WHERE symbol = %s AND session = %s", [symbol, LAST]
        )
    assert run_screens(filled).runs == ()
    load(filled, "etp_daily_bar", LAST, LAST)
    report = run_screens(filled)
    assert {run.found.session for run in report.runs} == {LAST}
    assert sorted(run.screen for run in report.runs) == sorted([*TEMPLATES, "funds"])
    assert fetch(filled, "SELECT symbol FROM mart.screen_result WHERE screen = 'funds'") == [(symbol,)]
    assert fetch(filled, "SELECT min(known_at) > %s FROM mart.screen_run", before) == [(True,)]
    assert run_screens(filled).runs == ()


def test_only_the_last_sessions_are_due_again(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TEMPLATES[1:]:
        remove_screen(filled, name)
    run_screens(filled, date(2024, 6, 24))
    run_screens(filled)
    monkeypatch.setattr("include.screens.table.OPEN_SESSIONS", 3)
    for dataset in SCREENED_DATASETS:
        load(filled, dataset, date(2024, 1, 2), date(2024, 6, 27))
        assert days_run(run_screens(filled)) == [26, 27]
    load(filled, "etf_holding", LAST, LAST)
    assert days_run(run_screens(filled)) == []


def test_sessions_run_by_an_earlier_version_are_final(filled: str) -> None:
    add_screen(filled, CHEAP)
    run_screens(filled, date(2024, 6, 27))
    run_screens(filled)
    add_screen(filled, replace(CHEAP, limit=1), replace=True)
    load(filled, "fundamental", date(2024, 6, 27), LAST)
    runs = [(run.version, run.found.session.day) for run in run_screens(filled).runs if run.screen == "cheap"]
    assert runs == [(2, 28)]


def test_a_run_waits_for_indicators_of_what_was_loaded(filled: str) -> None:
    """A batch is in ``ops.indicator_due`` only once the DAG ``indicators`` has looked at it."""
    load(filled, "etp_daily_bar", LAST, LAST, derived=False)
    report = run_screens(filled)
    assert report.runs == ()
    assert len(report.waiting) == 1
    assert f"indicators of {LAST} do not have all of etp_daily_bar yet" in report.summary()
    with pytest.raises(IndicatorsBehindError, match="krxw indicators"):
        run_screen(filled, "stable_trend", LAST)
    assert run_screen(filled, "stable_trend", date(2024, 6, 27)).considered > 0
    with psycopg.connect(filled) as connection:
        connection.execute("INSERT INTO ops.indicated_batch SELECT batch_id FROM ops.batch")
    assert run_screens(filled).runs == ()
    with psycopg.connect(filled) as connection:
        connection.execute("INSERT INTO ops.adjusted_batch SELECT batch_id FROM ops.batch")
    assert len(run_screens(filled).runs) == len(TEMPLATES)


def test_a_run_waits_for_indicators_of_other_factors(filled: str) -> None:
    with psycopg.connect(filled) as connection:
        connection.execute(
            "INSERT INTO derived.indicator_state (symbol, factor_digest, formula_digest) "
            "VALUES ('000010', 'of factors that are gone', '')"
        )
    with pytest.raises(NothingToScreenError, match="indicators of 1 issues are yet to be computed"):
        run_screens(filled)


def test_a_run_by_hand_leaves_the_schedule_as_it_is(filled: str) -> None:
    add_screen(filled, CHEAP)
    run_screen(filled, "cheap", date(2024, 6, 24))
    run_screen(filled, "cheap", LAST)
    cheap = [run.found.session for run in run_screens(filled).runs if run.screen == "cheap"]
    assert cheap == [LAST]
    run_screen(filled, "cheap", LAST)
    assert run_screens(filled).runs == ()
    assert fetch(filled, "SELECT session FROM mart.screen_run WHERE screen = 'cheap' ORDER BY 1") == [
        (date(2024, 6, 24),),
        (LAST,),
    ]


def test_a_run_waits_while_indicators_are_written(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c lock_timeout=100ms")
    with psycopg.connect(filled) as indicators:
        indicators.execute("SELECT pg_advisory_lock(hashtext('refresh indicators'))")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            run_screen(filled, "stable_trend", LAST)
        with pytest.raises(psycopg.errors.LockNotAvailable):
            run_screens(filled)
    assert run_screen(filled, "stable_trend", LAST).considered > 0


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
