"""A small market as its sources publish it, with indices, flows and foreign holdings; and the table made of it."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator
from datetime import date, datetime
from decimal import Decimal
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from include.datasets.registry import dataset_named
from include.indicators.catalogue import COLUMNS
from include.market.calendar import sessions_between
from include.warehouse.reading import read_batches
from tests.adjustments.loading import bar, load_bars, load_rows, table

SESSIONS = sessions_between(date(2020, 1, 2), date(2023, 3, 31))
FLOWS_SINCE = date(2022, 9, 1)
SPLIT, SPLIT_ON = "000010", date(2023, 3, 8)
MOVED, MOVED_ON = "000020", date(2023, 1, 10)
PROMOTED, PROMOTED_ON = "000030", date(2022, 3, 2)
HALTED = "000040"
LISTED, LISTED_ON = "000050", date(2023, 2, 1)
DELISTED, DELISTED_AFTER = "000060", date(2022, 11, 30)
# A session with a twentieth fewer issues than the one before would be refused.
SYMBOLS = tuple(f"{number:05d}0" for number in range(1, 23))


@cache
def bars() -> pa.Table:
    """Bars of ``SYMBOLS`` on ``SESSIONS``, as published; what befalls some of them is said above."""
    rows = [row for symbol in SYMBOLS for row in _history(symbol)]
    return table(sorted(rows, key=lambda row: (str(row["session"]), str(row["symbol"]))))


def _history(symbol: str) -> Iterator[dict[str, object]]:
    random = np.random.default_rng(int(symbol))
    close, shares = int(random.integers(20_000, 90_000)), 1_000_000
    halts = random.random(len(SESSIONS)) < (0.3 if symbol == HALTED else 0.01)
    for day, halted in zip(SESSIONS, halts.tolist(), strict=True):
        if (symbol == LISTED and day < LISTED_ON) or (symbol == DELISTED and day > DELISTED_AFTER):
            continue
        base = close
        if symbol == SPLIT and day == SPLIT_ON:
            base, shares, halted = close // 5, 5 * shares, False
        if not halted:
            close = max(round(base * random.uniform(0.95, 1.05)), 100)
        market = "KOSPI" if symbol == MOVED and day >= MOVED_ON else "KOSDAQ"
        if symbol == PROMOTED and day < PROMOTED_ON:
            market = "KONEX"
        row = bar(symbol, day, close, base=base, opened=base, shares=shares, halted=halted, market=market)
        if not halted:
            volume = int(random.integers(1, 1_000_000))
            high, low = max(base, close) + int(random.integers(0, 300)), min(base, close) - int(random.integers(0, 50))
            row |= {"volume": volume, "value_krw": volume * close, "high": high, "low": low}
        yield row


def of_sessions(rows: pa.Table, sessions: Collection[date]) -> pa.Table:
    """The rows of some sessions."""
    return rows.filter(pc.is_in(rows["session"], pa.array(list(sessions), pa.date32())))


def index_rows(sessions: Collection[date], version: int = 1) -> pa.Table:
    """Closes of both indices, and of one that nothing is measured against."""
    rows: list[dict[str, object]] = [
        {
            "index_name": name,
            "family": family,
            "session": day,
            "close": Decimal(level + _number(name, day, version) % 30_000) / 100,
        }
        for day in sorted(sessions)
        for name, family, level in (("코스피", "KOSPI", 250_000), ("코스닥", "KOSDAQ", 80_000), ("통합", "KRX", 1_000))
    ]
    return _published(dataset_named("index_bar").parsed_schema, rows)


def flow_rows(of: pa.Table) -> pa.Table:
    """What three classes bought net of each issue in ``of``; of some sessions one class is not known."""
    rows = [
        {
            "symbol": symbol,
            "session": day,
            "investor": investor,
            "net_krw": None if number % 53 == 0 else number % 2_000_001 - 1_000_000,
            "net_shares": number % 2_001 - 1_000,
        }
        for symbol, day in _keys(of)
        for investor in ("foreign", "other_foreign", "institution")
        for number in [_number(symbol, investor, day)]
    ]
    return _published(dataset_named("investor_flow").parsed_schema, rows)


def holding_rows(of: pa.Table) -> pa.Table:
    """What foreigners hold of each issue in ``of``."""
    rows = [
        {
            "symbol": symbol,
            "session": day,
            "foreign_shares": number % 1_000_000,
            "foreign_pct": Decimal(number % 10_000) / 100,
        }
        for symbol, day in _keys(of)
        for number in [_number(symbol, "held", day)]
    ]
    return _published(dataset_named("foreign_holding").parsed_schema, rows)


def load_all(dsn: str, rows: pa.Table) -> None:
    """Bars, their sessions' indices, and from ``FLOWS_SINCE`` on flows and holdings, each as published that evening."""
    load_bars(dsn, rows)
    load_index(dsn, pc.unique(rows["session"]).to_pylist())
    load_flows(dsn, rows.filter(pc.greater_equal(rows["session"], FLOWS_SINCE)))


def load_index(dsn: str, sessions: Collection[date], version: int = 1, fetched_at: datetime | None = None) -> None:
    """The indices of some sessions; another ``version`` gives other closes."""
    load_rows(dsn, dataset_named("index_bar"), "krx_openapi", index_rows(sessions, version), fetched_at)


def load_flows(dsn: str, of: pa.Table) -> None:
    """Flows and holdings of the issues and sessions in ``of``."""
    if of.num_rows:
        load_rows(dsn, dataset_named("investor_flow"), "naver", flow_rows(of))
        load_rows(dsn, dataset_named("foreign_holding"), "naver", holding_rows(of))


def stored(dsn: str) -> pa.Table:
    """``derived.indicator`` with the adjusted close of each row, by symbol and session."""
    query = sql.SQL(
        "SELECT stored.*, bar.close FROM derived.indicator AS stored "
        "LEFT JOIN mart.adjusted_daily_bar AS bar USING (symbol, session) ORDER BY stored.symbol, stored.session"
    )
    with read_batches(dsn, query) as batches:
        return pa.Table.from_batches(list(batches))


def versions(dsn: str) -> dict[tuple[str, date], int]:
    """What changes when a row is written again, by symbol and session."""
    query = sql.SQL("SELECT symbol, session, xmin::text::bigint AS version FROM derived.indicator")
    with read_batches(dsn, query) as batches:
        rows = pa.Table.from_batches(list(batches))
    return {(row["symbol"], row["session"]): row["version"] for row in rows.to_pylist()}


def assert_same(found: pa.Table, expected: pa.Table) -> None:
    """The same rows, nulls and reasons, and values alike to 1e-9 as ``compute`` says."""
    for name in ("symbol", "session", "traded", "traded_sessions", "flat"):
        assert found[name].combine_chunks().equals(expected[name].combine_chunks()), name
    close = expected["close"].to_numpy()
    for column in COLUMNS:
        left, right = found[column.name].to_numpy(), expected[column.name].to_numpy()
        np.testing.assert_array_equal(np.isnan(left), np.isnan(right), column.name)
        scale = {"KRW": close, "percent": 100.0, "ratio": 1.0}.get(column.unit, 0.0)
        wrong = np.abs(left - right) > 1e-9 * np.maximum(np.abs(right), scale)
        assert not wrong.any(), f"{column.name}: {left[wrong][:3]} and {right[wrong][:3]}"


def _keys(rows: pa.Table) -> list[tuple[str, date]]:
    return sorted(zip(rows["symbol"].to_pylist(), rows["session"].to_pylist(), strict=True))


def _number(*of: object) -> int:
    """A number as if by chance, always the same for the same."""
    return zlib.crc32(" ".join(map(str, of)).encode())


def _published(schema: pa.Schema, rows: list[dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=schema)
