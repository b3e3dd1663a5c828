"""The suite is the registry's, finds every broken row under the right name, and stays one scan of the rows."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pyarrow as pa
import pytest
import sqlalchemy
from psycopg.rows import dict_row

from include.datasets.daily_bar import DATASET
from include.datasets.registry import Column, RowRule
from include.quality.suite import build_suite
from include.quality.validate import SuiteNotRunError, SuiteReport, run_suite, store_results
from include.settings import PROJECT_ROOT
from include.warehouse.connection import WarehouseUnreachableError, connect

NOT_NULL = "expect_column_values_to_not_be_null"
MINIMUM = "expect_column_values_to_be_between"
PATTERN = "expect_column_values_to_match_regex"
VALUES = "expect_column_values_to_be_in_set"
TYPE = "expect_column_values_to_be_of_type"
RULE = "expect_column_values_to_not_be_in_set"
COLUMNS = "expect_table_columns_to_match_ordered_list"
ROW_COUNT = "expect_table_row_count_to_be_between"

RULES = [
    *(rule.name for rule in DATASET.row_rules),
    *("missing_value", "duplicate_row", "duplicate_key"),
    *("not_a_session", "not_published", "malformed", "coverage_drop"),
]


def ways_to_break(column: Column) -> Iterator[tuple[str, object]]:
    """Each promise of the column, and a value that breaks this one and no other."""
    if not column.nullable:
        yield NOT_NULL, None
    if column.minimum is not None:
        yield MINIMUM, column.minimum - 1
    if column.pattern is not None:
        yield PATTERN, "12-45"
    if column.values is not None:
        yield VALUES, 99 if pa.types.is_integer(column.type) else "none of them"


BROKEN = [
    (expectation, column.name, value) for column in DATASET.columns for expectation, value in ways_to_break(column)
]


def failures(report: SuiteReport) -> dict[tuple[str, str], int | None]:
    return {
        (result.expectation, result.target): result.unexpected_count for result in report.results if not result.success
    }


def expectations(dataset: Any) -> set[tuple[str, str]]:
    configurations = build_suite(dataset).expectation_configurations
    return {
        (configuration.type, configuration.meta.get("rule") or configuration.kwargs.get("column", "table"))
        for configuration in configurations
    }


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    statements: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", count)
    try:
        yield statements
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", count)


def test_clean_rows_pass(warehouse, stage_bars) -> None:
    table, batch_id = stage_bars([{}] * 50)
    with counted_statements() as statements:
        report = run_suite(warehouse, DATASET, table, batch_id)
    assert report.success
    assert failures(report) == {}
    assert {(result.expectation, result.target) for result in report.results} == expectations(DATASET)
    on_rows = [result for result in report.results if result.element_count is not None]
    assert {(result.element_count, result.unexpected_count) for result in on_rows} == {(50, 0)}
    # The rows are read twice: to count them, and to count all that is wrong with them.
    assert sum(table in statement for statement in statements) == 2
    assert len(statements) <= 8


def test_each_broken_promise_is_counted_under_its_name(warehouse, stage_bars) -> None:
    planted = {(expectation, column): rows for rows, (expectation, column, _) in enumerate(BROKEN, start=1)}
    changes = [{column: value} for expectation, column, value in BROKEN for _ in range(planted[expectation, column])]
    report = run_suite(warehouse, DATASET, *stage_bars([{}] * 10 + changes))
    assert failures(report) == planted


def test_each_rule_is_counted_under_its_name(warehouse, stage_bars) -> None:
    planted = {(RULE, rule): rows for rows, rule in enumerate(RULES, start=1)}
    changes = [{"violated_rule": rule} for _, rule in planted for _ in range(planted[RULE, rule])]
    report = run_suite(warehouse, DATASET, *stage_bars([{}] * 10 + changes))
    assert failures(report) == planted
    [first] = [result for result in report.results if result.target == RULES[0]]
    assert first.observed["unexpected_percent"] == pytest.approx(100 / (10 + len(changes)))
    assert first.observed["partial_unexpected_index_list"] == [
        {"symbol": "000011", "session": "2024-01-02", "row_number": 11, "violated_rule": RULES[0]}
    ]


def test_a_rule_nobody_declared_is_noticed(warehouse, stage_bars) -> None:
    report = run_suite(warehouse, DATASET, *stage_bars([{}, {"violated_rule": "undeclared"}]))
    assert failures(report) == {(VALUES, "violated_rule"): 1}


def test_a_failure_names_no_more_than_a_sample(warehouse, stage_bars) -> None:
    report = run_suite(warehouse, DATASET, *stage_bars([{"high": -1}] * 500))
    [result] = [result for result in report.results if not result.success]
    assert result.unexpected_count == 500
    assert len(result.observed["partial_unexpected_index_list"]) == 20


def test_an_empty_table_fails(warehouse, stage_bars) -> None:
    assert failures(run_suite(warehouse, DATASET, *stage_bars([]))) == {(ROW_COUNT, "table"): None}


@pytest.mark.parametrize(
    ("change", "failure"),
    [
        ("DROP COLUMN open", (COLUMNS, "table")),
        ("RENAME COLUMN open TO opened", (COLUMNS, "table")),
        ("ADD COLUMN extra text", (COLUMNS, "table")),
        ("ALTER COLUMN open TYPE text", (TYPE, "open")),
        ("ALTER COLUMN open TYPE integer", (TYPE, "open")),
        ("ALTER COLUMN session TYPE timestamp", (TYPE, "session")),
    ],
)
def test_a_table_of_another_shape_is_called_that(warehouse, stage_bars, change, failure) -> None:
    table, batch_id = stage_bars([{}])
    with connect(warehouse, "etl") as connection:
        connection.execute(f"ALTER TABLE staging.{table} {change}")
    report = run_suite(warehouse, DATASET, table, batch_id)
    assert not report.success
    assert failures(report) == {failure: None}


def test_results_are_kept(warehouse, stage_bars) -> None:
    report = run_suite(warehouse, DATASET, *stage_bars([{}, {"high": -1, "violated_rule": "negative_price"}]))
    with connect(warehouse, "etl") as connection:
        store_results(connection, 1, report)
    with psycopg.connect(warehouse, row_factory=dict_row) as connection:
        kept = connection.execute("SELECT * FROM ops.quality_result WHERE batch_id = 1").fetchall()
    assert {(row["suite"], row["checked_at"]) for row in kept} == {("daily_bar", report.checked_at)}
    columns = ("expectation", "target", "success", "element_count", "unexpected_count", "observed")
    assert sorted(tuple(row[name] for name in columns[:2]) for row in kept) == sorted(expectations(DATASET))
    by_name = {(row["expectation"], row["target"]): row for row in kept}
    for result in report.results:
        row = by_name[result.expectation, result.target]
        assert tuple(row[name] for name in columns) == tuple(getattr(result, name) for name in columns)


def test_a_table_that_is_not_there_is_an_error_and_no_result(warehouse) -> None:
    with pytest.raises(SuiteNotRunError, match=r"daily_bar.*staging\.daily_bar_7 at 127\.0\.0\.1"):
        run_suite(warehouse, DATASET, "daily_bar_7", 7)


def test_an_unreachable_warehouse_is_called_that(unused_port) -> None:
    dsn = f"postgresql://krxw:hunter2@127.0.0.1:{unused_port}/warehouse"
    with pytest.raises(WarehouseUnreachableError) as raised:
        run_suite(dsn, DATASET, "daily_bar_1", 1)
    assert "hunter2" not in str(raised.value)


def test_nothing_is_reported_to_anyone(warehouse, stage_bars, monkeypatch) -> None:
    def refuse(_socket: object, address: object) -> None:
        pytest.fail(f"a connection to {address}")

    table, batch_id = stage_bars([{}])
    monkeypatch.setattr(socket.socket, "connect", refuse)  # the warehouse's own goes through libpq
    assert run_suite(warehouse, DATASET, table, batch_id).success


RUN_IN_A_TASK = """
import logging, sys
logging.basicConfig(level=logging.INFO)
from include.datasets.daily_bar import DATASET
from include.quality.validate import run_suite
assert run_suite(sys.argv[1], DATASET, sys.argv[2], int(sys.argv[3])).success
logging.info("the end")
"""


def test_the_log_of_a_task_is_not_filled_with_what_the_library_tells(warehouse, stage_bars) -> None:
    table, batch_id = stage_bars([{}])
    command = [sys.executable, "-c", RUN_IN_A_TASK, warehouse, table, str(batch_id)]
    ran = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert ran.stderr == "INFO:root:the end\n"


def test_another_column_or_rule_brings_its_own_expectations() -> None:
    weight = Column("weight", pa.int64(), "A weight", minimum=0, values=(1, 2))
    optional = Column("note", pa.string(), "A note", nullable=True, pattern="^a$")
    heavy = RowRule("heavy", "weight > 1", "Nothing is heavy")
    widened = replace(DATASET, columns=(*DATASET.columns, weight, optional), row_rules=(*DATASET.row_rules, heavy))
    assert expectations(widened) - expectations(DATASET) == {
        (TYPE, "weight"),
        (NOT_NULL, "weight"),
        (MINIMUM, "weight"),
        (VALUES, "weight"),
        (TYPE, "note"),
        (PATTERN, "note"),
        (RULE, "heavy"),
    }


def test_every_expectation_says_what_it_is_about() -> None:
    for configuration in build_suite(DATASET).expectation_configurations:
        assert configuration.notes or configuration.description, configuration
