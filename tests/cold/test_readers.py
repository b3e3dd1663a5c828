"""Cold storage is read without our code: DuckDB, pandas and polars see what the warehouse holds."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from include.cold.export import export_dataset
from include.settings import Settings
from tests.warehouse.bars import DAILY_BAR, made_up_bars

NAMES = [column.name for column in DAILY_BAR.table_columns]
KEY_ORDER = [(name, "ascending") for name in DAILY_BAR.key]


@pytest.fixture
def exported(filled: Settings) -> Path:
    """The root of a filled cold storage."""
    export_dataset(filled, "daily_bar")
    return filled.home / "cold"


def rows_of(table: pa.Table) -> list[dict[str, object]]:
    """Rows with the partition's year, checked against their session, in key order."""
    assert set(table["dataset"].to_pylist()) == {"daily_bar"}
    assert all(
        int(year) == session.year
        for year, session in zip(table["year"].to_pylist(), table["session"].to_pylist(), strict=True)
    )
    return table.select(NAMES).sort_by(KEY_ORDER).to_pylist()


EXPECTED = made_up_bars().sort_by(KEY_ORDER).to_pylist()


def test_duckdb(exported: Path) -> None:
    with duckdb.connect() as database:
        stored = database.sql(f"SELECT * FROM read_parquet('{exported}/**/*.parquet', hive_partitioning = true)")
        table = stored.to_arrow_table()
        of_2023 = stored.filter("year = 2023").count("*").fetchall()
    assert rows_of(table) == EXPECTED
    assert of_2023 == [(1_200,)]


def test_pandas(exported: Path) -> None:
    frame = pd.read_parquet(exported)
    assert rows_of(pa.Table.from_pandas(frame, preserve_index=False)) == EXPECTED


def test_polars(exported: Path) -> None:
    frame = pl.read_parquet(exported / "**/*.parquet", hive_partitioning=True)
    assert rows_of(frame.to_arrow()) == EXPECTED
