"""``krxw indicators``, as typed, on a few made-up bars."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from include.platform.postgres import PostgresServer
from include.settings import PROJECT_ROOT
from include.warehouse.migrations import migrate
from tests.adjustments.loading import bar, fetch, load_bars, sessions_from, table

SESSIONS = sessions_from(date(2024, 3, 4), 20)


@pytest.fixture(scope="module")
def dsn(postgres_server: PostgresServer) -> Iterator[str]:
    dsn = postgres_server.create_database("warehouse_of_indicators")
    migrate(dsn)
    rows = [
        bar(symbol, day, 20_000 + 10 * place, base=19_990 + 10 * place)
        for place, day in enumerate(SESSIONS)
        for symbol in ("100010", "200020")
    ]
    load_bars(dsn, table(rows))
    yield dsn
    postgres_server.drop_database("warehouse_of_indicators")


def krxw(dsn: str, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "include.cli", "indicators", *arguments],
        cwd=PROJECT_ROOT,
        env={**os.environ, "KRXW_HOME": str(home), "KRXW_WAREHOUSE_DSN": dsn, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_indicators_are_computed_once_and_all_of_them_when_asked(dsn: str, tmp_path: Path) -> None:
    first = krxw(dsn, tmp_path)
    assert first.returncode == 0, first.stderr
    assert "Indicators of 2 symbols computed from 2024-03-04 on: 40 rows written" in first.stdout
    assert "2/2 issues" in first.stdout
    assert fetch(dsn, "SELECT sma_5 FROM derived.indicator WHERE symbol = '100010' ORDER BY session DESC LIMIT 1") == [
        (20_000 + 10 * 17,)
    ]
    again = krxw(dsn, tmp_path)
    assert "Indicators are up to date: nothing they rest on has changed" in again.stdout
    everything = krxw(dsn, tmp_path, "--all")
    assert "40 rows written" in everything.stdout


def test_factors_come_first(dsn: str, tmp_path: Path) -> None:
    """A split by two on the session after."""
    [ex_date] = sessions_from(SESSIONS[-1], 2)[1:]
    rows = [
        bar("100010", ex_date, 10_100, base=10_095, shares=2_000_000),
        bar("200020", ex_date, 20_200, base=20_190),
    ]
    load_bars(dsn, table(rows))
    done = krxw(dsn, tmp_path)
    assert "22 rows written" in done.stdout, done.stderr
    adjusted = [(20_000 + 10 * place) / 2 for place in range(16, 20)]
    last = "SELECT sma_5 FROM derived.indicator WHERE symbol = '100010' ORDER BY session DESC LIMIT 1"
    assert fetch(dsn, last) == [(pytest.approx((sum(adjusted) + 10_100) / 5),)]


def test_without_bars_it_says_so(postgres_server: PostgresServer, tmp_path: Path) -> None:
    empty = postgres_server.create_database("warehouse_without_bars")
    migrate(empty)
    failed = krxw(empty, tmp_path)
    postgres_server.drop_database("warehouse_without_bars")
    assert failed.returncode == 1
    assert "the warehouse holds no daily bars" in failed.stderr


def test_without_a_warehouse_it_says_so(tmp_path: Path) -> None:
    failed = krxw("postgresql://nobody@127.0.0.1:1/none", tmp_path)
    assert failed.returncode == 1
    assert "cannot reach the warehouse" in failed.stderr
