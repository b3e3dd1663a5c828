"""Staging tables of chosen rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from itertools import count

import pyarrow as pa
import pytest

from include.datasets.daily_bar import DATASET
from include.warehouse.staging import stage

StageBars = Callable[..., tuple[str, int]]

BAR = {
    "symbol": "900010",
    "session": date(2024, 1, 2),
    "open": 1000,
    "high": 1100,
    "low": 990,
    "close": 1050,
    "volume": 10,
    "value_krw": 10_300,
    "market_cap_krw": 1_050_000,
    "listed_shares": 1000,
    "change": 50,
    "base_price": 1000,
    "fluctuation_code": 1,
    "market": "KOSPI",
    "venue": "KRX",
    "halted": False,
}
SCHEMA = pa.schema(
    [
        *((column.name, column.type) for column in DATASET.columns),
        ("row_number", pa.int64()),
        ("violated_rule", pa.string()),
    ]
)


@pytest.fixture
def stage_bars(warehouse: str) -> StageBars:
    """Stages clean bars, each with its changes; returns the staging table's name and the batch."""
    batches = count(1)

    def staged(changes: Sequence[Mapping[str, object]]) -> tuple[str, int]:
        batch_id = next(batches)
        rows = [
            {**BAR, "symbol": f"{number:06}", "row_number": number, "violated_rule": None, **change}
            for number, change in enumerate(changes, start=1)
        ]
        table = pa.Table.from_pylist(rows, schema=SCHEMA)
        return stage(warehouse, DATASET, batch_id, table), batch_id

    return staged
