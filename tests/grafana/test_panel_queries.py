"""Every query of every dashboard, as Grafana sends it, as the role `grafana`, against both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import errors, sql

from include.grafana.build import dashboard_files
from include.warehouse.connection import connect
from tests.grafana.conftest import LONG_AGO, SESSIONS, SYMBOL
from tests.grafana.macros import expand

SEOUL = ZoneInfo("Asia/Seoul")
# From the first moment of the first session's day to the first of the last day that has an outcome.
FIRST, LAST = datetime(2024, 5, 2, tzinfo=SEOUL), datetime(2024, 5, 11, tzinfo=SEOUL)

NUMBERS = {"int2", "int4", "int8", "float4", "float8", "numeric"}
WORDS = {"text"}
CANDLE = ["open", "high", "low", "close", "volume"]


@dataclass(frozen=True)
class Query:
    """One panel's query, or a variable's."""

    title: str
    kind: str
    format: str
    sql: str

    @property
    def expanded(self) -> str:
        return expand(self.sql, FIRST, LAST, {"symbol": SYMBOL})


@dataclass(frozen=True)
class Result:
    """Names and types of the columns, and the rows."""

    columns: list[tuple[str, str]]
    rows: list[tuple[Any, ...]]


def queries() -> Iterator[Query]:
    for text in dashboard_files().values():
        board = json.loads(text)
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                yield Query(panel["title"], panel["type"], target["format"], target["rawSql"])
        for variable in board["templating"]["list"]:
            yield Query(variable["name"], "variable", "table", variable["query"])


QUERIES = list(queries())
every_query = pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.title)
every_query_of_a_range = pytest.mark.parametrize(
    "query", [query for query in QUERIES if "$__timeFrom" in query.sql], ids=lambda query: query.title
)


def of_kind(*kinds: str) -> pytest.MarkDecorator:
    chosen = [query for query in QUERIES if query.kind in kinds]
    return pytest.mark.parametrize("query", chosen, ids=lambda query: query.title)


def run(dsn: str, query: Query) -> Result:
    with connect(dsn, "grafana") as connection:
        cursor = connection.execute(sql.SQL(query.expanded))
        types = [psycopg.adapters.types[column.type_code].name for column in cursor.description or []]
        names = [column.name for column in cursor.description or []]
        return Result(list(zip(names, types, strict=True)), cursor.fetchall())


def test_the_dashboard_has_queries_of_every_kind() -> None:
    assert {query.kind for query in QUERIES} == {"stat", "table", "timeseries", "candlestick", "variable"}
    assert len(QUERIES) == 23


@every_query
def test_a_query_answers_with_rows(filled_warehouse: str, query: Query) -> None:
    result = run(filled_warehouse, query)
    assert result.rows
    assert all(any(value is not None for value in column) for column in zip(*result.rows, strict=True))


@of_kind("timeseries", "candlestick")
def test_a_time_series_has_ascending_times_and_numbers(filled_warehouse: str, query: Query) -> None:
    result = run(filled_warehouse, query)
    assert query.format == "time_series"
    assert result.columns[0] == ("time", "timestamptz")
    values = [column for column in result.columns[1:] if column[0] != "metric"]
    assert values
    assert all(type_ in NUMBERS for _, type_ in values)
    if ("metric", "text") in result.columns:
        assert len(values) == 1, "with more values Grafana names series by label and value"
    times = [row[0] for row in result.rows]
    assert times == sorted(times)
    assert None not in times


@of_kind("timeseries", "candlestick")
def test_sessions_are_drawn_at_their_midnight_in_seoul_and_within_the_range(
    filled_warehouse: str, query: Query
) -> None:
    drawn = {row[0].astimezone(SEOUL) for row in run(filled_warehouse, query).rows}
    assert drawn == {datetime(day.year, day.month, day.day, tzinfo=SEOUL) for day in SESSIONS}


@of_kind("candlestick")
def test_candles_have_the_fields_the_panel_maps(filled_warehouse: str, query: Query) -> None:
    result = run(filled_warehouse, query)
    assert [name for name, _ in result.columns[1:]] == CANDLE
    halted = [row for row in result.rows if row[1] is None]
    assert [row[1:4] for row in halted] == [(None, None, None)]
    before, after = result.rows[0], result.rows[-1]
    assert before[4] == pytest.approx(0.2 * 10_000, rel=0.3), "adjusted before the reset"
    assert after[4] == pytest.approx(10_000, rel=0.3)


@of_kind("stat")
def test_a_stat_is_one_row(filled_warehouse: str, query: Query) -> None:
    result = run(filled_warehouse, query)
    assert len(result.rows) == 1
    assert all(type_ in NUMBERS | WORDS for _, type_ in result.columns)


@of_kind("table")
def test_a_table_shows_sessions_as_days(filled_warehouse: str, query: Query) -> None:
    """A date would be shown as an instant in the viewer's time zone, which may be of the day before."""
    shown = NUMBERS | WORDS | {"timestamptz"}
    assert all(type_ in shown for _, type_ in run(filled_warehouse, query).columns)


@of_kind("variable")
def test_the_variable_finds_an_issue_by_name_and_by_code(filled_warehouse: str, query: Query) -> None:
    result = run(filled_warehouse, query)
    assert result.columns == [("__text", "text"), ("__value", "text")]
    assert ("Made-up 0004Y0 (0004Y0)", "0004Y0") in result.rows


def test_the_findings_are_those_of_the_last_session(filled_warehouse: str) -> None:
    by_title = {query.title: run(filled_warehouse, query).rows for query in QUERIES}
    last = SESSIONS[-1].isoformat()
    assert [row[:5] for row in by_title["Signals of the last session"]] == [
        (last, "000002", "Made-up 000002", "sell", 80),
        (last, SYMBOL, f"Made-up {SYMBOL}", "buy", 60),
    ]
    assert [row[:4] for row in by_title["Top of the screens"]] == [(last, "Stable trend", 1, SYMBOL)]


def test_the_market_panels_count_what_was_filled_in(filled_warehouse: str) -> None:
    by_title = {query.title: run(filled_warehouse, query).rows for query in QUERIES}
    assert by_title["Last session"] == [(SESSIONS[-1].isoformat(),)]
    assert by_title["Open matters"] == [(1, 1, 1)]
    markets = {row[0]: row[1:7] for row in by_title["Markets in the last session"]}
    assert markets["KOSDAQ"][0] == 1
    assert markets["KOSPI"][0] == 2
    counted = [sum(column) for column in zip(*markets.values(), strict=True)]
    issues, *rest = counted
    advances, declines, unchanged, upper, lower, halted = by_title["Breadth of the last session"][0]
    assert rest == [advances, declines, upper, lower, halted]
    assert issues == advances + declines + unchanged == 3


@every_query_of_a_range
def test_a_query_reads_only_the_chunks_of_its_range(filled_warehouse: str, query: Query) -> None:
    with connect(filled_warehouse) as connection:
        chunks = dict(
            connection.execute(
                "SELECT relname, max(session) FROM market.daily_bar AS bar "
                "JOIN pg_class ON pg_class.oid = bar.tableoid GROUP BY relname"
            ).fetchall()
        )
    outside = {name for name, newest in chunks.items() if newest <= LONG_AGO[-1]}
    assert outside
    with connect(filled_warehouse, "grafana") as connection:
        plan = connection.execute(sql.SQL("EXPLAIN (ANALYZE, FORMAT JSON) " + query.expanded)).fetchone()
    assert plan is not None
    assert not outside & set(tables_read(plan[0][0]["Plan"]))


def tables_read(node: dict[str, Any]) -> Iterator[str]:
    if "Relation Name" in node and node["Actual Loops"] > 0:
        yield node["Relation Name"]
    yield from chain.from_iterable(tables_read(child) for child in node.get("Plans", []))


def test_the_role_reads_mart_and_ops_and_nothing_else(filled_warehouse: str) -> None:
    with connect(filled_warehouse) as connection:
        readable = connection.execute(
            "SELECT DISTINCT nspname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "
            "WHERE relkind IN ('r', 'v', 'm', 'p') AND nspname IN "
            "('market', 'derived', 'mart', 'ops', 'staging', 'public') "
            "AND has_schema_privilege('grafana', pg_namespace.oid, 'USAGE') "
            "AND has_table_privilege('grafana', pg_class.oid, 'SELECT')"
        ).fetchall()
    assert sorted(readable) == [("mart",), ("ops",)]


@pytest.mark.parametrize("table", ["market.daily_bar", "market.instrument", "market.session"])
def test_the_role_cannot_read_facts_directly(filled_warehouse: str, table: str) -> None:
    with connect(filled_warehouse, "grafana") as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(f"SELECT FROM {table} LIMIT 1")


def test_the_role_writes_nowhere(filled_warehouse: str) -> None:
    with connect(filled_warehouse) as connection:
        writable = connection.execute(
            "SELECT pg_class.oid::regclass::text FROM pg_class "
            "JOIN pg_namespace ON pg_namespace.oid = relnamespace "
            "WHERE relkind IN ('r', 'v', 'm', 'p') AND nspname NOT LIKE 'pg\\_%' "
            "AND nspname NOT LIKE '\\_timescaledb%' AND nspname <> 'information_schema' "
            "AND has_table_privilege('grafana', pg_class.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')"
        ).fetchall()
        creates_in = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE has_schema_privilege('grafana', oid, 'CREATE')"
        ).fetchall()
    assert writable == []
    assert creates_in == []


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM ops.alarm",
        "UPDATE ops.quarantine SET released_by = 1",
        "INSERT INTO ops.alarm (dataset, kind, message) VALUES ('a', 'b', 'c')",
        "CREATE TABLE mart.mine ()",
    ],
)
def test_writing_is_refused(filled_warehouse: str, statement: str) -> None:
    with connect(filled_warehouse, "grafana") as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(statement)
