"""A warehouse with something to screen: made-up bars with their indicators, fundamentals, holdings and flows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import psycopg
from psycopg import sql

from include.indicators.catalogue import COLUMNS
from include.indicators.compute import compute
from include.market.calendar import sessions_between
from tests.indicators.markets import market

_SOURCE = ("test", 1, "2024-01-01T09:00:00Z")
_KINDS = ("common", "preferred", "spac")
INVESTORS = ("individual", "foreign", "other_foreign", "institution", "pension")


def fill(dsn: str, *, symbols: int, sessions: int, kept: int, last: date, seed: int = 5) -> list[date]:
    """Fill the last ``kept`` of ``sessions`` sessions up to ``last``; returns these.

    Part of the issues lack fundamentals, holdings, flows or a master; some sessions are without trading, and some
    indicators are null besides those that warm up.
    """
    random = np.random.default_rng(seed)
    days = sessions_between(date(last.year - 3, 1, 1), last)[-sessions:]
    panel = market(seed, (sessions,) * symbols, halts=True)
    results = compute(panel).table().to_pydict()
    bars, indicators, fundamentals, holdings, flows = [], [], [], [], []
    for row in range(symbols * sessions):
        symbol, session = panel.symbols[row // sessions], days[row % sessions]
        if session < days[-kept]:
            continue
        traded = bool(panel.traded[row])
        key = (str(symbol), session)
        bars.append((*key, *_bar(random, traded, int(panel.close[row]) + 1)))
        values = [None if random.random() < 0.05 else results[column.name][row] for column in COLUMNS]
        indicators.append((*key, traded, min(row % sessions, 600), 0, *values))
        if random.random() < 0.8:
            fundamentals.append((*key, int(panel.close[row]) + 1, *_fundamentals(random), *_SOURCE))
        if random.random() < 0.8:
            shares = int(random.integers(0, 10**6))
            limit = None if random.random() < 0.5 else 10**6
            holdings.append((*key, shares, shares / 10**4, 10**6, limit, None, *_SOURCE))
        if random.random() < 0.8:
            flows += [(*key, who, *map(int, random.integers(-(10**6), 10**6, 2)), *_SOURCE) for who in INVESTORS]
    with psycopg.connect(dsn) as connection:
        _write(connection, "market.daily_bar", _BAR_COLUMNS, bars, days)
        _write(connection, "derived.indicator", ("symbol", "session", *_INDICATOR_COLUMNS), indicators, days)
        _write(connection, "market.fundamental", _FUNDAMENTAL_COLUMNS, fundamentals, days)
        _write(connection, "market.foreign_holding", _HOLDING_COLUMNS, holdings, days)
        _write(connection, "market.investor_flow", _FLOW_COLUMNS, flows, days)
        _write(connection, "market.listed_instrument", _MASTER_COLUMNS, _masters(panel.symbols, days[-1]), days)
        for number, symbol in enumerate(panel.symbols):
            connection.execute(
                "INSERT INTO market.instrument VALUES (%s, %s, %s, %s, 'KOSPI', '')",
                [str(symbol), days[0], days[-1], f"시험{number}"],
            )
    return list(days[-kept:])


def _write(
    connection: psycopg.Connection,
    table: str,
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    days: Sequence[date],
) -> None:
    connection.execute("SELECT ops.ensure_year_partitions(%s::regclass, %s, %s)", [table, days[0], days[-1]])
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(*table.split(".")), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


_PROVENANCE = ("source", "batch_id", "known_at")
_BAR_COLUMNS = (
    *("symbol", "session", "open", "high", "low", "close", "volume", "value_krw", "market_cap_krw", "listed_shares"),
    *("change", "base_price", "fluctuation_code", "market", "venue", "halted", *_PROVENANCE),
)
_INDICATOR_COLUMNS = ("traded", "traded_sessions", "flat", *(column.name for column in COLUMNS))
_FUNDAMENTAL_COLUMNS = (
    *("symbol", "session", "close", "eps_krw", "per", "bps_krw", "pbr", "dps_krw", "dividend_yield_pct", *_PROVENANCE),
)
_HOLDING_COLUMNS = (
    *("symbol", "session", "foreign_shares", "foreign_pct", "listed_shares", "limit_shares", "limit_used_pct"),
    *_PROVENANCE,
)
_FLOW_COLUMNS = ("symbol", "session", "investor", "net_shares", "net_krw", *_PROVENANCE)
_MASTER_COLUMNS = ("symbol", "session", "name", "market", "kind", "section", "listed_shares", *_PROVENANCE)


def _bar(random: np.random.Generator, traded: bool, close: int) -> tuple[Any, ...]:
    prices = (close, close + 5, max(close - 5, 1)) if traded else (0, 0, 0)
    volume = int(random.integers(1, 10**6)) if traded else 0
    shares = int(random.integers(10**5, 10**7))
    market = ("KOSPI", "KOSDAQ", "KOSDAQ GLOBAL", "KONEX")[random.integers(4)]
    change = int(random.integers(-close // 4, close // 4 + 1)) if traded else 0
    facts = (volume, volume * close, close * shares, shares, change, close - change, 1 if change > 0 else 3, market)
    return (*prices, close, *facts, "KRX", not traded, *_SOURCE)


def _fundamentals(random: np.random.Generator) -> tuple[Any, ...]:
    def perhaps(value: float) -> float | None:
        return None if random.random() < 0.3 else value

    per, pbr, dividend = (round(float(value), 2) for value in random.uniform(0, 20, 3))
    eps, bps, dps = (int(value) for value in random.integers(-1_000, 10_000, 3))
    return perhaps(eps), perhaps(per), perhaps(bps), perhaps(pbr), perhaps(abs(dps)), perhaps(dividend)


def _masters(symbols: Sequence[str], session: date) -> list[tuple[Any, ...]]:
    return [
        (str(symbol), session, "시험", "KOSPI", _KINDS[number % 4], "", 1_000, *_SOURCE)
        for number, symbol in enumerate(symbols)
        if number % 4 < 3
    ]
