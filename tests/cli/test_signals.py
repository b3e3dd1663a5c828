"""``krxw signals`` as typed, on a few made-up bars."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from include.adjustments.refresh import refresh_adjustments
from include.indicators.table import refresh_indicators
from include.platform.postgres import PostgresServer
from include.settings import PROJECT_ROOT
from include.warehouse.migrations import migrate
from tests.adjustments.loading import bar, load_bars, sessions_from, table

Run = Callable[..., subprocess.CompletedProcess[str]]

# A fall on each session but the last: RSI is below 30 once it has warmed up, and the last session turns it up.
SESSIONS = sessions_from(date(2024, 3, 4), 25)
FALLS, STANDS = "100010", "200020"


@pytest.fixture(scope="module")
def dsn(postgres_server: PostgresServer) -> Iterator[str]:
    """A warehouse with indicators of one share that falls and one that does not move."""
    dsn = postgres_server.create_database("warehouse_of_signals")
    migrate(dsn)
    rows = []
    for place, session in enumerate(SESSIONS):
        close = 20_000 - 200 * place if session != SESSIONS[-1] else 18_000
        before = 20_000 - 200 * (place - 1) if place else 20_000
        rows.append(bar(FALLS, session, close, base=before, opened=before, name="하락[red]전자"))
        rows.append(bar(STANDS, session, 10_000, name="보합전자"))
    load_bars(dsn, table(rows))
    refresh_adjustments(dsn)
    refresh_indicators(dsn)
    yield dsn
    postgres_server.drop_database("warehouse_of_signals")


@pytest.fixture
def krxw(dsn: str, tmp_path: Path) -> Run:
    def run(*arguments: str, dsn: str = dsn) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "include.cli", "signals", *arguments],
            cwd=PROJECT_ROOT,
            env={**os.environ, "KRXW_HOME": str(tmp_path), "KRXW_WAREHOUSE_DSN": dsn, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_signals_are_brought_up_to_date_and_listed(krxw: Run) -> None:
    before = krxw("list")
    assert "Were they looked for? krxw signals refresh" in before.stdout
    first = krxw("refresh")
    assert first.returncode == 0, first.stderr
    assert "Signals of 2 symbols" in first.stdout
    assert "evaluated over all history" in first.stdout
    assert "Signals are up to date" in krxw("refresh").stdout
    assert "Signals of 2 symbols: 0 new, 0 changed, 0 withdrawn" in krxw("refresh", "--all").stdout

    today = krxw("list")
    assert str(SESSIONS[-1]) in today.stdout
    assert "oversold_rebound" in today.stdout
    assert "after RSI 0.0" in today.stdout
    assert STANDS not in today.stdout
    assert "하락[red]전자" in today.stdout  # as it is, not as the terminal's mark-up
    of_issue = krxw("list", "--symbol", FALLS)
    assert of_issue.stdout.count(FALLS) == today.stdout.count(FALLS) == 3
    assert "There are no such signals" in krxw("list", "--symbol", STANDS).stdout
    assert "there are more: --limit" in krxw("list", "--symbol", FALLS, "--limit", "1").stdout


def test_a_warehouse_without_indicators_is_told(krxw: Run, postgres_server: PostgresServer) -> None:
    empty = postgres_server.create_database("warehouse_without_indicators")
    try:
        migrate(empty)
        refused = krxw("refresh", dsn=empty)
    finally:
        postgres_server.drop_database("warehouse_without_indicators")
    assert refused.returncode == 1
    assert "no indicators are in the warehouse" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_strategy_that_is_not_there_is_told_with_those_that_are_close(krxw: Run) -> None:
    wrong = krxw("list", "--strategy", "golden_cross_5_25")
    assert wrong.returncode == 1
    assert "no strategy is called 'golden_cross_5_25'; did you mean golden_cross_5_20" in wrong.stderr


def test_strategies_are_listed_in_words(krxw: Run) -> None:
    listed = krxw("strategies")
    assert listed.returncode == 0, listed.stderr
    assert "desk_buy" in listed.stdout
    assert "rsi_14 is below 30 and sma_20 above sma_50" in listed.stdout
