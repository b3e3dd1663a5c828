"""Background processes that accompany the platform without being part of it, and stop when it does.

A simulated source is one: the demo starts it, Airflow asks it for data for as long as the platform runs.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from include.platform.processes import is_alive, wait_until_gone
from include.settings import Settings

STOP_SECONDS = 10


def start_companion(settings: Settings, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Start ``command`` in the background under ``name``; what it says goes to :func:`companion_log`.

    One that runs under the same name is stopped first.
    """
    stop_companion(settings, name)
    _folder(settings).mkdir(parents=True, exist_ok=True)
    with companion_log(settings, name).open("w") as log:
        process = subprocess.Popen(  # noqa: S603
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _record(settings, name).write_text(json.dumps([process.pid, psutil.Process(process.pid).create_time()]))


def companion_runs(settings: Settings, name: str) -> bool:
    """Whether the companion was started and has not ended."""
    return _process(settings, name) is not None


def stop_companion(settings: Settings, name: str) -> None:
    """Stop the companion: ask first, kill it if it has not stopped after ``STOP_SECONDS``."""
    process = _process(settings, name)
    if process is not None:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
        for stubborn in wait_until_gone([process], STOP_SECONDS):
            with suppress(psutil.NoSuchProcess):
                stubborn.kill()
        wait_until_gone([process], STOP_SECONDS)
    _record(settings, name).unlink(missing_ok=True)


def stop_companions(settings: Settings) -> None:
    """Stop every companion of this home."""
    for record in _folder(settings).glob("*.json"):
        stop_companion(settings, record.stem)


def companion_log(settings: Settings, name: str) -> Path:
    """Where what the companion says is kept."""
    return _folder(settings) / f"{name}.log"


def _folder(settings: Settings) -> Path:
    return settings.home / "companions"


def _record(settings: Settings, name: str) -> Path:
    return _folder(settings) / f"{name}.json"


def _process(settings: Settings, name: str) -> psutil.Process | None:
    record = _record(settings, name)
    if not record.is_file():
        return None
    pid, created = json.loads(record.read_text())
    try:
        process = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None
    return process if process.create_time() == created and is_alive(process) else None
