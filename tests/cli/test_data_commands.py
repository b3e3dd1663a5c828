"""The commands that load and read, as a newcomer types them, on a small simulated market."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from include.settings import PROJECT_ROOT, Settings
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.marcap import FileFormat, Vintage, write_marcap_years

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    market = SimulatedMarket(seed=2, symbols=20, first=date(2023, 12, 1), last=date(2024, 1, 31))
    folder = tmp_path_factory.mktemp("marcap")
    write_marcap_years(market, folder, FileFormat.PARQUET, Vintage.V2026)
    return folder


@pytest.fixture
def krxw(settings: Settings) -> Run:
    """Runs the command against an empty warehouse."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "include.cli", *arguments],
            cwd=PROJECT_ROOT,
            env={
                **os.environ,
                "KRXW_HOME": str(settings.home),
                "KRXW_WAREHOUSE_DSN": settings.warehouse_dsn,
                "COLUMNS": "200",
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_load_ask_export_verify(krxw: Run, folder: Path) -> None:
    loaded = krxw("backfill", "daily_bar", "--source", "marcap", "--path", str(folder))
    assert loaded.returncode == 0, loaded.stderr
    assert "rows read" in loaded.stdout

    asked = krxw("query", "--csv", "SELECT session, count(*) AS bars FROM market.daily_bar GROUP BY 1 ORDER BY 1")
    rows = list(csv.DictReader(io.StringIO(asked.stdout)))
    assert rows[0]["session"] == "2023-12-01"
    total = sum(int(row["bars"]) for row in rows)

    before = krxw("fingerprint")
    assert f"{total:,}" in before.stdout
    again = krxw("backfill", "daily_bar", "--source", "marcap", "--path", str(folder))
    assert "No row changed" in again.stdout
    assert krxw("fingerprint").stdout == before.stdout

    assert krxw("export").returncode == 0
    assert krxw("verify").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("backfill", "weekly_bar", "--source", "marcap"), "no dataset is called 'weekly_bar'"),
        (("backfill", "daily_bar", "--source", "nowhere"), "'nowhere' is not a source of daily_bar"),
        (("backfill", "daily_bar", "--source", "marcap"), "KRXW_MARCAP_PATH"),
        (("backfill", "daily_bar", "--source", "marcap", "--from", "2024-13-01"), "expected YYYY-MM-DD"),
        (("ingest", "daily_bar", "--session", "2024-01-06"), "2024-01-06 is not a session"),
        (("query", "DELETE FROM market.daily_bar"), "read-only transaction"),
        (("query", "SELECT * FROM ops.batch"), "permission denied"),
        (("fingerprint", "market.nothing"), "market.nothing"),
        (("export",), "daily_bar"),
    ],
)
def test_a_mistake_is_explained_without_a_traceback(
    krxw: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.delenv("KRXW_MARCAP_PATH", raising=False)
    answer = krxw(*arguments)
    assert answer.returncode != 0
    assert message in answer.stderr
    assert "Traceback" not in answer.stderr
