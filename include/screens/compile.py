"""From a screen to one query: identifiers of known columns and bound parameters, never text put together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from psycopg import sql

from include.screens.columns import COLUMNS
from include.screens.definition import (
    OPERATORS,
    Between,
    ColumnComparison,
    Comparison,
    Condition,
    Membership,
    Operator,
    Screen,
)

_OPERATORS = {operator: sql.SQL(operator) for operator in OPERATORS}

# ``considered`` and ``hits`` are told even where there is no hit. Numbers are compared as double precision, whatever
# they are stored as.
_QUERY = sql.SQL("""
    WITH considered AS MATERIALIZED (
        SELECT symbol, session, {columns} FROM mart.screenable
        WHERE session = {session} AND traded AND {complete}
    ), hit AS MATERIALIZED (
        SELECT * FROM considered WHERE {conditions}
    ), ranked AS (
        SELECT row_number() OVER (ORDER BY {order}) AS rank, symbol,
            to_jsonb(hit) - '{{symbol,session}}'::text[] AS values
        FROM hit
    )
    SELECT counted.considered, counted.hits, ranked.rank, ranked.symbol, issue.name, ranked.values
    FROM (SELECT (SELECT count(*) FROM considered) AS considered, (SELECT count(*) FROM hit) AS hits) AS counted
    LEFT JOIN ranked ON ranked.rank <= coalesce({limit}::bigint, ranked.rank)
    LEFT JOIN market.instrument AS issue ON issue.symbol = ranked.symbol
    ORDER BY ranked.rank
""")

# A session without trading is skipped as if it were not there, as it is by the indicators. OFFSET 0 keeps the planner
# from joining the past of all issues: it is looked up row by row, for the few that fulfil the other conditions.
_HELD = sql.SQL("""
    (SELECT count(*)
     FROM (SELECT symbol, session FROM derived.indicator AS before
           WHERE before.symbol = considered.symbol AND before.session <= considered.session AND before.traded
           ORDER BY before.session DESC LIMIT {sessions}) AS last
     CROSS JOIN LATERAL (
         SELECT * FROM mart.screenable AS looked_up
         WHERE looked_up.symbol = last.symbol AND looked_up.session = last.session OFFSET 0
     ) AS past
     WHERE {condition}) = {sessions}
""")

_PRESENT = sql.SQL("SELECT count(*), {counts} FROM mart.screenable WHERE session = {session} AND traded")


@dataclass
class Query:
    """SQL with the parameters it is to be run with."""

    statement: sql.Composed = field(init=False)
    parameters: dict[str, Any] = field(default_factory=dict)

    def bind(self, value: object) -> sql.Placeholder:
        """A place in the statement for ``value``."""
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return sql.Placeholder(name)


def compile_screen(screen: Screen, session: date) -> Query:
    """The query for what ``screen`` finds on ``session``.

    Rows of considered, hits, rank, symbol, name and values, by rank; one row with nulls where nothing is found. Run
    as a role that reads ``derived`` and ``mart``.
    """
    query = Query()
    order = [sql.Identifier("symbol")]
    ranked: list[sql.Composable] = []
    if screen.rank:
        direction = sql.SQL("DESC" if screen.rank.descending else "ASC")
        ranked.append(sql.SQL("{} {}").format(_number(screen.rank.column), direction))
    query.statement = _QUERY.format(
        columns=sql.SQL(", ").join(_column(name) for name in screen.columns),
        complete=_all(sql.SQL("{} IS NOT NULL").format(_column(name)) for name in screen.columns),
        conditions=_all(_condition(query, condition) for condition in screen.conditions),
        order=sql.SQL(", ").join([*ranked, *order]),
        session=query.bind(session),
        limit=query.bind(screen.limit),
    )
    return query


def compile_presence(screen: Screen, session: date) -> Query:
    """The query for how many issues traded on ``session``, and how many of them have a value, column by column."""
    query = Query()
    counts = (sql.SQL("count({})").format(_column(name)) for name in screen.columns)
    query.statement = _PRESENT.format(counts=sql.SQL(", ").join(counts), session=query.bind(session))
    return query


def _condition(query: Query, condition: Condition) -> sql.Composed:
    if condition.sessions == 1:
        return _test(query, condition)
    return _HELD.format(sessions=query.bind(condition.sessions), condition=_test(query, condition, "past"))


def _test(query: Query, condition: Condition, row: str | None = None) -> sql.Composed:
    match condition:
        case Comparison(column, operator, value):
            return _compared(_number(column, row), operator, query.bind(value))
        case ColumnComparison(column, operator, other, factor):
            product = sql.SQL("{} * {}").format(query.bind(factor), _number(other, row))
            return _compared(_number(column, row), operator, product)
        case Between(column, low, high):
            return sql.SQL("{} BETWEEN {} AND {}").format(_number(column, row), query.bind(low), query.bind(high))
        case Membership(column, values, negated):
            test = sql.SQL("{} <> ALL ({})") if negated else sql.SQL("{} = ANY ({})")
            return test.format(_column(column, row), query.bind(list(values)))


def _compared(left: sql.Composable, operator: Operator, right: sql.Composable) -> sql.Composed:
    return sql.SQL("{} {} {}").format(left, _OPERATORS[operator], right)


def _number(column: str, row: str | None = None) -> sql.Composed:
    return sql.SQL("{}::double precision").format(_column(column, row))


def _column(name: str, row: str | None = None) -> sql.Identifier:
    column = COLUMNS[name].name
    return sql.Identifier(row, column) if row else sql.Identifier(column)


def _all(tests: Iterable[sql.Composed]) -> sql.Composed:
    return sql.SQL(" AND ").join(sql.SQL("({})").format(test) for test in tests)
