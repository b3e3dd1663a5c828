from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
import pytest

from include.platform import companions
from include.platform.companions import companion_log, companion_runs, start_companion, stop_companion
from include.platform.local import stop_platform
from include.settings import Settings, load_settings

NAME = "source"
SLEEPS = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)"]
REFUSES_TO_STOP = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(60)",
]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"KRXW_HOME": str(tmp_path)})


def wait_until_it_says_something(settings: Settings) -> None:
    while not companion_log(settings, NAME).read_text():
        assert companion_runs(settings, NAME)


def test_stops_with_the_platform(settings: Settings) -> None:
    start_companion(settings, NAME, SLEEPS, os.environ)
    assert companion_runs(settings, NAME)
    stop_platform(settings, report=lambda step: None)
    assert not companion_runs(settings, NAME)


def test_another_start_takes_the_place_of_the_first(settings: Settings) -> None:
    start_companion(settings, NAME, SLEEPS, os.environ)
    first = companions._process(settings, NAME)
    assert first is not None
    try:
        start_companion(settings, NAME, SLEEPS, os.environ)
        second = companions._process(settings, NAME)
        assert second is not None
        assert second.pid != first.pid
        assert not first.is_running() or first.status() == psutil.STATUS_ZOMBIE
    finally:
        stop_companion(settings, NAME)


def test_one_that_does_not_listen_is_killed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(companions, "STOP_SECONDS", 0.5)
    start_companion(settings, NAME, REFUSES_TO_STOP, os.environ)
    wait_until_it_says_something(settings)
    stop_companion(settings, NAME)
    assert not companion_runs(settings, NAME)


def test_one_that_never_ran_is_stopped_without_complaint(settings: Settings) -> None:
    stop_companion(settings, NAME)
    assert not companion_runs(settings, NAME)


def test_a_reused_process_number_is_not_taken_for_it(settings: Settings) -> None:
    start_companion(settings, NAME, SLEEPS, os.environ)
    record = companions._record(settings, NAME)
    kept = record.read_text()
    record.write_text(f"[{os.getpid()}, 1.0]")
    assert not companion_runs(settings, NAME)
    stop_companion(settings, NAME)
    record.write_text(kept)
    stop_companion(settings, NAME)
