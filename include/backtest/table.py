"""The tables ``derived.backtest``, ``derived.backtest_portfolio`` and ``derived.backtest_equity``: the latest run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple
from datetime import date, datetime
from typing import Any

import numpy as np
import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from include.backtest.results import PortfolioResult, SliceResult
from include.warehouse.connection import connect

_SLICE_COLUMNS = (
    "strategy",
    "strategy_version",
    "horizon",
    "slice_by",
    "slice",
    "first_session",
    "last_session",
    "signals",
    "unfilled",
    "pending",
    "results",
    "success_rate",
    "success_rate_low",
    "success_rate_high",
    "mean_return",
    "mean_return_low",
    "mean_return_high",
    "median_return",
    "mean_excess",
    "sharpe_ratio",
    "max_drawdown",
    "profit_factor",
    "computed_at",
)
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


def write_results(
    dsn: str,
    span: tuple[date, date],
    slices: Iterable[SliceResult],
    portfolios: Sequence[PortfolioResult],
    computed_at: datetime,
) -> None:
    """Replace what an earlier run found, in one transaction.

    Raises:
        WarehouseUnreachableError: the warehouse does not answer.
    """
    with connect(dsn, "etl") as connection:
        for table in ("backtest", "backtest_portfolio", "backtest_equity"):
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier("derived", table)))
        rows = (_slice_row(found, span, computed_at) for found in slices)
        _copy(connection, "backtest", _SLICE_COLUMNS, rows)
        columns = ("strategy", "strategy_version", "first_session", "last_session", "equity_krw", *_PORTFOLIO_FIGURES)
        portfolio_rows = (_portfolio_row(found, computed_at) for found in portfolios)
        _copy(connection, "backtest_portfolio", (*columns, "rules", "computed_at"), portfolio_rows)
        _copy(
            connection,
            "backtest_equity",
            ("strategy", "session", "equity_krw", "index_close"),
            (
                (found.strategy, session, float(equity), None if np.isnan(index) else float(index))
                for found in portfolios
                for session, equity, index in zip(found.sessions, found.equity_krw, found.index_close, strict=True)
            ),
        )


def _slice_row(found: SliceResult, span: tuple[date, date], computed_at: datetime) -> tuple[Any, ...]:
    key = found.strategy, found.strategy_version, found.horizon, found.slice_by, found.slice
    return (*key, *span, found.signals, found.unfilled, found.pending, *astuple(found.statistics), computed_at)


def _portfolio_row(found: PortfolioResult, computed_at: datetime) -> tuple[Any, ...]:
    figures = (getattr(found, name) for name in _PORTFOLIO_FIGURES)
    span = found.sessions[0], found.sessions[-1]
    last = float(found.equity_krw[-1])
    return (found.strategy, found.strategy_version, *span, last, *figures, Jsonb(found.rules), computed_at)


def _copy(connection: psycopg.Connection, table: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier("derived", table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
