"""kill -9 at any point, then a second run: the same tables as if nothing had happened."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from include.pipeline.report import BatchReport
from include.settings import PROJECT_ROOT, Settings
from include.simulator.exchange.market import SimulatedMarket
from tests.pipeline.conftest import assert_holds, digests

KILLS = 2


def _start(settings: Settings, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "include.cli", "backfill", "daily_bar", "--source", "marcap", "--path", str(folder)],
        cwd=PROJECT_ROOT,
        env={**os.environ, "KRXW_HOME": str(settings.home), "KRXW_WAREHOUSE_DSN": settings.warehouse_dsn},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@pytest.mark.timeout(600)
def test_killed_at_random_points_and_run_again(
    settings: Settings, warehouse: str, marcap_folder: Path, market: SimulatedMarket
) -> None:
    started = time.monotonic()
    assert _start(settings, marcap_folder).wait(120) == 0
    whole_run = time.monotonic() - started
    expected = digests(warehouse)
    moments = random.Random(7)
    for _ in range(KILLS):
        _empty(warehouse)
        process = _start(settings, marcap_folder)
        try:
            process.wait(moments.uniform(0.3, 1.0) * whole_run)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        assert _start(settings, marcap_folder).wait(120) == 0
        assert digests(warehouse) == expected
        assert _leftovers(warehouse) == []
    assert_holds(warehouse, market)


def _empty(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "TRUNCATE market.daily_bar, market.instrument, market.instrument_observation, market.corporate_action, "
            "market.adjustment_factor, ops.session_outcome"
        )


def _leftovers(dsn: str) -> list[tuple[str, ...]]:
    """Staging tables and batches that claim to be running."""
    with psycopg.connect(dsn) as connection:
        return connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'staging' "
            "UNION ALL SELECT status FROM ops.batch WHERE status = 'running'"
        ).fetchall()


@pytest.mark.parametrize("step", ["stage", "run_suite", "load_staged", "record_observations", "close_batch"])
def test_dying_within_any_step_of_the_load_leaves_nothing_half_done(
    step: str,
    load: Callable[..., list[BatchReport]],
    warehouse: str,
    market: SimulatedMarket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from include.pipeline import commit, ledger
    from include.warehouse import staging

    place = {"stage": staging, "close_batch": ledger}.get(step, commit)
    real = getattr(place, step)

    def die_after(*arguments: object, **options: object) -> object:
        real(*arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(place, step, die_after)
    with pytest.raises(KeyboardInterrupt):
        load()
    monkeypatch.undo()
    with psycopg.connect(warehouse) as connection:
        [count] = connection.execute("SELECT count(*) FROM market.daily_bar").fetchone()
    assert count == 0
    load()
    assert_holds(warehouse, market)
    assert _leftovers(warehouse) == []
