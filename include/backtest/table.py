"""The tables ``derived.backtest``, ``derived.backtest_portfolio`` and ``derived.backtest_equity``: the latest run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import date, datetime
from typing import Any

import numpy as np
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from include.backtest.results import PortfolioResult, SliceResult
from include.backtest.statistics import Statistics
from include.signals.strategy import Strategy
from include.signals.table import register_strategies
from include.warehouse.connection import connect

_KEY = ("strategy", "strategy_version", "horizon", "slice_by", "slice")
_COUNTS = ("signals", "unfilled", "pending")
# The number of results is called results where there are signals beside them.
_FIGURES = tuple(field.name for field in fields(Statistics) if field.name != "count")
_PORTFOLIO_FIGURES = (
    "capital_krw",
    "total_return",
    "annual_return",
    "annual_volatility",
    "sharpe_ratio",
    "max_drawdown",
    "index_return",
    "trades",
    "win_rate",
    "fees_krw",
    "taxes_krw",
    "unfilled_orders",
)


def replace_results(
    dsn: str,
    span: tuple[date, date],
    strategies: Sequence[Strategy],
    slices: Iterable[SliceResult],
    portfolios: Sequence[PortfolioResult],
    computed_at: datetime,
) -> None:
    """Replace what an earlier run found of whichever strategies by what this one found of ``strategies``.

    It is one transaction.

    Raises:
        WarehouseUnreachableError: the warehouse does not answer.
    """
    with connect(dsn, "etl") as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('backtests'))")
        register_strategies(connection, strategies)
        for table in ("backtest", "backtest_portfolio", "backtest_equity"):
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier("derived", table)))
        rows = (_slice_row(found, span, computed_at) for found in slices)
        slice_columns = (*_KEY, "first_session", "last_session", *_COUNTS, "results", *_FIGURES, "computed_at")
        _copy(connection, "backtest", slice_columns, rows)
        columns = ("strategy", "strategy_version", "first_session", "last_session", "equity_krw", *_PORTFOLIO_FIGURES)
        portfolio_rows = (_portfolio_row(found, computed_at) for found in portfolios)
        _copy(connection, "backtest_portfolio", (*columns, "rules", "computed_at"), portfolio_rows)
        _copy(
            connection,
            "backtest_equity",
            ("strategy", "session", "equity_krw", "index_close"),
            (
                (found.strategy, session, int(equity), None if np.isnan(index) else float(index))
                for found in portfolios
                for session, equity, index in zip(found.sessions, found.equity_krw, found.index_close, strict=True)
            ),
        )


def _slice_row(found: SliceResult, span: tuple[date, date], computed_at: datetime) -> tuple[Any, ...]:
    key = (getattr(found, name) for name in _KEY)
    counts = (getattr(found, name) for name in _COUNTS)
    figures = (getattr(found.statistics, name) for name in _FIGURES)
    return (*key, *span, *counts, found.statistics.count, *figures, computed_at)


def _portfolio_row(found: PortfolioResult, computed_at: datetime) -> tuple[Any, ...]:
    figures = (getattr(found, name) for name in _PORTFOLIO_FIGURES)
    span = found.sessions[0], found.sessions[-1]
    last = int(found.equity_krw[-1])
    return (found.strategy, found.strategy_version, *span, last, *figures, Jsonb(found.rules), computed_at)


def _copy(connection: psycopg.Connection, table: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier("derived", table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
