"""A screen in SQL finds what the same conditions find row by row in Python."""

from __future__ import annotations

import operator
from datetime import date
from typing import Any

import hypothesis.strategies as st
import psycopg
from hypothesis import HealthCheck, given, settings
from psycopg.rows import dict_row

from include.screens.columns import COLUMNS
from include.screens.definition import (
    OPERATORS,
    Between,
    ColumnComparison,
    Comparison,
    Condition,
    Membership,
    Rank,
    Screen,
)
from include.screens.errors import NothingToScreenError
from include.screens.parse import parse_screen
from include.screens.screening import find
from tests.screens.filled import fill

Row = dict[str, Any]
_TESTS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_NUMBERS = sorted(name for name, column in COLUMNS.items() if not column.is_text)


def _holds(condition: Condition, row: Row) -> bool:
    """Without regard to ``sessions``; a missing value fulfils nothing."""
    value = row[condition.column]
    if value is None:
        return False
    match condition:
        case Comparison():
            return bool(_TESTS[condition.operator](float(value), condition.value))
        case ColumnComparison():
            other = row[condition.other]
            return other is not None and _TESTS[condition.operator](float(value), condition.factor * float(other))
        case Between():
            return condition.low <= float(value) <= condition.high
        case Membership():
            return (value in condition.values) != condition.negated


def _naive(screen: Screen, rows: list[Row], session: date) -> tuple[int, int, list[str]]:
    """Considered, hits and the symbols kept, in order."""
    histories: dict[str, list[Row]] = {}
    for row in rows:
        if row["traded"] and row["session"] <= session:
            histories.setdefault(row["symbol"], []).append(row)
    today = [history for history in histories.values() if history[-1]["session"] == session]
    considered = [each for each in today if all(each[-1][name] is not None for name in screen.columns)]
    hits = [
        each[-1]
        for each in considered
        if all(
            len(each) >= condition.sessions and all(_holds(condition, row) for row in each[-condition.sessions :])
            for condition in screen.conditions
        )
    ]
    hits.sort(key=lambda row: str(row["symbol"]))
    if screen.rank:
        rank = screen.rank
        hits.sort(key=lambda row: float(row[rank.column]), reverse=rank.descending)
    return len(considered), len(hits), [row["symbol"] for row in hits][: screen.limit]


def _conditions(rows: list[Row]) -> st.SearchStrategy[Condition]:
    """Random conditions; what is compared to is mostly a value that occurs, so that some rows pass and some do not."""
    occurring = {name: sorted({float(row[name]) for row in rows if row[name] is not None}) for name in _NUMBERS}
    numbers = st.sampled_from([name for name in _NUMBERS if occurring[name]])
    sessions = st.sampled_from([1, 1, 1, 2, 3, 9])
    operators = st.sampled_from(OPERATORS)

    def value(name: str) -> st.SearchStrategy[float]:
        least, greatest = COLUMNS[name].minimum, COLUMNS[name].maximum
        return st.sampled_from(occurring[name]) | st.floats(least, greatest, allow_nan=False, allow_infinity=False)

    def between(name: str) -> st.SearchStrategy[Condition]:
        bounds = st.tuples(value(name), value(name)).map(sorted)
        return st.builds(lambda pair, held: Between(name, pair[0], pair[1], held), bounds, sessions)

    def compared(name: str) -> st.SearchStrategy[Condition]:
        return st.builds(Comparison, st.just(name), operators, value(name), sessions)

    def against(name: str) -> st.SearchStrategy[Condition]:
        alike = [other for other in _NUMBERS if COLUMNS[other].unit == COLUMNS[name].unit and other != name]
        factor = st.sampled_from([1.0, 0.97, 2.5])
        return st.builds(ColumnComparison, st.just(name), operators, st.sampled_from(alike), factor, sessions)

    def member(name: str) -> st.SearchStrategy[Condition]:
        values = COLUMNS[name].values or ("시험1", "시험2", "'; DROP TABLE market.daily_bar; --")
        some = st.lists(st.sampled_from(values), min_size=1, unique=True).map(tuple)
        return st.builds(Membership, st.just(name), some, st.booleans(), sessions)

    texts = st.sampled_from([name for name, column in COLUMNS.items() if column.is_text])
    units = [column.unit for column in COLUMNS.values()]
    comparable = numbers.filter(lambda name: units.count(COLUMNS[name].unit) > 1)
    return numbers.flatmap(compared) | comparable.flatmap(against) | numbers.flatmap(between) | texts.flatmap(member)


def test_the_query_finds_what_python_finds(warehouse: str) -> None:
    days = fill(warehouse, symbols=40, sessions=330, kept=14, last=date(2024, 6, 28))
    with psycopg.connect(warehouse) as connection, connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SET ROLE analyst")
        rows = cursor.execute("SELECT * FROM mart.screenable ORDER BY symbol, session").fetchall()
        assert len(rows) == 40 * 14
        found_something = 0

        conditions_of = _conditions(rows)
        ranks = st.none() | st.builds(Rank, st.sampled_from(_NUMBERS), st.booleans())

        @given(st.data())
        @settings(max_examples=150, suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow])
        def law(data: st.DataObject) -> None:
            nonlocal found_something
            conditions = data.draw(st.lists(conditions_of, min_size=1, max_size=4))
            rank = data.draw(ranks)
            limit = data.draw(st.none() | st.integers(1, 5)) if rank else None
            screen = Screen("random", "Random", "Drawn at random", tuple(conditions), rank, limit)
            assert parse_screen(screen.document) == screen
            session = data.draw(st.sampled_from(days))
            considered, hits, symbols = _naive(screen, rows, session)
            found_something += hits > 0
            if not considered:
                try:
                    find(connection, screen, session)
                except NothingToScreenError:
                    return
                raise AssertionError("it had nothing to look at and did not say so")
            found = find(connection, screen, session)
            assert (found.considered, found.hits) == (considered, hits)
            assert [hit.symbol for hit in found.kept] == symbols
            assert [hit.rank for hit in found.kept] == list(range(1, len(symbols) + 1))
            today = {row["symbol"]: row for row in rows if row["session"] == session}
            for hit in found.kept:
                assert set(hit.values) == set(screen.columns)
                for name, value in hit.values.items():
                    expected = today[hit.symbol][name]
                    assert value == expected if COLUMNS[name].is_text else float(value) == float(expected)

        law()
        assert found_something > 20
