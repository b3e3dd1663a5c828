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
    columns_of,
)

_OPERATORS = {operator: sql.SQL(operator) for operator in OPERATORS}

# ``considered`` and ``hits`` are told even where there is no hit. Numbers are compared as double precision, whatever
# they are stored as.
_QUERY = sql.SQL("""
    WITH considered AS MATERIALIZED (
        SELECT symbol, session, {columns} FROM mart.screenable
        WHERE session = {session} AND traded AND {complete}
    ), candidate AS MATERIALIZED (
        SELECT * FROM considered WHERE {conditions}
    ), {past} hit AS MATERIALIZED (
        SELECT * FROM candidate WHERE {held}
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

# The past of those that fulfil all conditions on the session itself. A session without trading is skipped as if it
# were not there, as it is by the indicators: how far back an issue's last sessions reach is its own. OFFSET 0 keeps the
# planner from joining all of the past before it is asked for session by session.
_PAST = sql.SQL("""
    day AS MATERIALIZED (
        SELECT last.session, array_agg(candidate.symbol) AS symbols
        FROM candidate CROSS JOIN LATERAL (
            SELECT before.session FROM derived.indicator AS before
            WHERE before.symbol = candidate.symbol AND before.session <= {session} AND before.traded
            ORDER BY before.session DESC LIMIT {most}
        ) AS last
        GROUP BY last.session
    ), past AS MATERIALIZED (
        SELECT issue.*, row_number() OVER (PARTITION BY issue.symbol ORDER BY issue.session DESC) AS back
        FROM day CROSS JOIN LATERAL (
            SELECT symbol, session, {columns} FROM mart.screenable AS looked_up
            WHERE looked_up.session = day.session AND looked_up.symbol = ANY (day.symbols) OFFSET 0
        ) AS issue
    ), held AS MATERIALIZED (
        SELECT symbol FROM past GROUP BY symbol HAVING {conditions}
    ),
""")
_HELD = sql.SQL("count(*) FILTER (WHERE back <= {sessions} AND {condition}) = {sessions}")

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
        conditions=_all(_test(query, condition) for condition in screen.conditions),
        past=_past(query, screen, session),
        held=sql.SQL("symbol IN (SELECT symbol FROM held)" if _looking_back(screen) else "true"),
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


def _looking_back(screen: Screen) -> list[Condition]:
    return [condition for condition in screen.conditions if condition.sessions > 1]


def _past(query: Query, screen: Screen, session: date) -> sql.Composable:
    conditions = _looking_back(screen)
    if not conditions:
        return sql.SQL("")
    return _PAST.format(
        session=query.bind(session),
        most=query.bind(max(condition.sessions for condition in conditions)),
        columns=sql.SQL(", ").join(_column(name) for name in columns_of(conditions)),
        conditions=_all(
            _HELD.format(sessions=query.bind(condition.sessions), condition=_test(query, condition))
            for condition in conditions
        ),
    )


def _test(query: Query, condition: Condition) -> sql.Composed:
    match condition:
        case Comparison(column, operator, value):
            return _compared(_number(column), operator, query.bind(value))
        case ColumnComparison(column, operator, other, factor):
            product = sql.SQL("{} * {}").format(query.bind(factor), _number(other))
            return _compared(_number(column), operator, product)
        case Between(column, low, high):
            return sql.SQL("{} BETWEEN {} AND {}").format(_number(column), query.bind(low), query.bind(high))
        case Membership(column, values, negated):
            test = sql.SQL("{} <> ALL ({})") if negated else sql.SQL("{} = ANY ({})")
            return test.format(_column(column), query.bind(list(values)))


def _compared(left: sql.Composable, operator: Operator, right: sql.Composable) -> sql.Composed:
    return sql.SQL("{} {} {}").format(left, _OPERATORS[operator], right)


def _number(column: str) -> sql.Composed:
    return sql.SQL("{}::double precision").format(_column(column))


def _column(name: str) -> sql.Identifier:
    return sql.Identifier(COLUMNS[name].name)


def _all(tests: Iterable[sql.Composed]) -> sql.Composed:
    return sql.SQL(" AND ").join(sql.SQL("({})").format(test) for test in tests)
