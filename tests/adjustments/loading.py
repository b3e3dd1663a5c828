"""Bars loaded by the pipeline's own second half, fetched at a moment of the test's choosing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

import psycopg
import pyarrow as pa
import pyarrow.compute as pc

from include.crawlers.source import Chunk
from include.datasets.registry import Dataset, dataset_named
from include.market.calendar import KST
from include.pipeline import ledger
from include.pipeline.commit import commit_chunk
from include.pipeline.prepare import PreparedChunk
from include.quality.row_rules import mark_violations

DAILY_BAR = dataset_named("daily_bar")
SOURCE = "krx_openapi"


def evening_of(session: date) -> datetime:
    """When a session is collected."""
    return datetime.combine(session, time(19), KST)


def load_bars(dsn: str, rows: pa.Table, fetched_at: datetime | None = None) -> None:
    """Load ``rows``; by default as fetched on the evening of their last session."""
    load_rows(dsn, DAILY_BAR, SOURCE, rows, fetched_at)


def load_rows(dsn: str, dataset: Dataset, source: str, rows: pa.Table, fetched_at: datetime | None = None) -> None:
    """As :func:`load_bars`, of any dataset."""
    span = pc.min_max(rows["session"]).as_py()
    chunk = Chunk(span["min"], span["max"])
    prepared = PreparedChunk(chunk, mark_violations(rows, dataset), [], fetched_at or evening_of(chunk.last))
    with ledger.open_batch(dsn, dataset, source, chunk) as batch_id:
        report, _ = commit_chunk(dsn, dataset, source, batch_id, prepared, complete=False)
    assert report.rows_quarantined == 0
    assert not report.refused


def of_dataset(rows: pa.Table) -> pa.Table:
    """A simulated market's rows as a parser gives them."""
    rows = rows.append_column("venue", pa.array(["KRX"] * rows.num_rows))
    return rows.select(DAILY_BAR.parsed_schema.names).cast(DAILY_BAR.parsed_schema)


def bar(
    symbol: str,
    session: date,
    close: int,
    *,
    base: int | None = None,
    opened: int | None = None,
    shares: int = 1_000_000,
    halted: bool = False,
    market: str = "KOSDAQ",
    name: str = "시험전자",
) -> dict[str, object]:
    """A published row; ``base`` is the close unless given. A halted one has no prices but the close."""
    base = close if base is None else base
    opened = 0 if halted else close if opened is None else opened
    change = close - base
    volume = 0 if halted else 1_000 + session.toordinal() % 97  # no two sessions alike: one would be a stale copy
    return {
        "symbol": symbol,
        "session": session,
        "open": opened,
        "high": max(opened, close) if opened else 0,
        "low": min(opened, close) if opened else 0,
        "close": close,
        "volume": volume,
        "value_krw": volume * close,
        "market_cap_krw": close * shares,
        "listed_shares": shares,
        "change": change,
        "base_price": base,
        "fluctuation_code": 0 if halted else 1 if change > 0 else 2 if change < 0 else 3,
        "market": market,
        "venue": "KRX",
        "halted": halted,
        "name": name,
        "section": "",
    }


def table(rows: Sequence[dict[str, object]]) -> pa.Table:
    """Published rows as a table."""
    return pa.Table.from_pylist(list(rows), schema=DAILY_BAR.parsed_schema)


def sessions_from(first: date, count: int) -> list[date]:
    """Weekdays from ``first`` on: in the months the tests use, each is a session."""
    days = (first + timedelta(days=offset) for offset in range(2 * count + 7))
    return [day for day in days if day.weekday() < 5][:count]


def fetch(dsn: str, query: str, *parameters: object) -> list[tuple[object, ...]]:
    """The rows of a query."""
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode(), parameters).fetchall()
