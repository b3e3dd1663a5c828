"""A small simulated market in marcap files, and the pipeline's way in for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest

from include.pipeline.backfill import backfill
from include.pipeline.report import BatchReport
from include.settings import Settings
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.marcap import FileFormat, Vintage, write_marcap_years
from include.warehouse.fingerprint import fingerprints


@pytest.fixture(scope="session")
def market() -> SimulatedMarket:
    """Forty symbols around a turn of the year, with a split or two."""
    return SimulatedMarket(seed=20, symbols=40, first=date(2022, 11, 1), last=date(2023, 2, 28))


@pytest.fixture(scope="session")
def marcap_folder(market: SimulatedMarket, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The market's yearly files."""
    folder = tmp_path_factory.mktemp("marcap")
    write_marcap_years(market, folder, FileFormat.CSV, Vintage.V2024)
    return folder


@pytest.fixture
def load(settings: Settings, marcap_folder: Path) -> Callable[..., list[BatchReport]]:
    """Loads what a folder of marcap files holds; by default the simulated market's."""

    def run(folder: Path = marcap_folder, first: date | None = None, last: date | None = None) -> list[BatchReport]:
        return backfill(settings, "daily_bar", first, last, source="marcap", path=str(folder))

    return run


def held_bars(dsn: str) -> pa.Table:
    """The fact table's business columns, in order of key."""
    with psycopg.connect(dsn) as connection:
        cursor = connection.execute(
            "SELECT symbol, session, open, high, low, close, volume, value_krw, market_cap_krw, listed_shares, change, "
            "base_price, fluctuation_code, market, halted FROM market.daily_bar "
            'ORDER BY session, symbol COLLATE "C"'
        )
        names = [column.name for column in cursor.description]
        return pa.table(dict(zip(names, zip(*cursor.fetchall(), strict=True), strict=True)))


def true_bars(market: SimulatedMarket) -> pa.Table:
    """What the simulator knows, in the same form."""
    truth = pa.concat_tables(market.session_table(session) for session in market.sessions)
    return truth.sort_by([("session", "ascending"), ("symbol", "ascending")])


def assert_holds(dsn: str, market: SimulatedMarket) -> None:
    """The fact table holds the simulator's truth, all of it and nothing else."""
    held, truth = held_bars(dsn), true_bars(market)
    for name in held.column_names:
        assert held[name].to_pylist() == truth[name].to_pylist(), name


def digests(dsn: str) -> dict[str, str]:
    """The content hash of each table."""
    return {each.table: each.digest for each in fingerprints(dsn)}
