"""Processes that have ended, as opposed to those whose parent has not taken notice.

A process that ended stays a zombie until its parent waits for it; in a container whose first process does
not, for ever. Here a zombie counts as gone.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import psutil

POLL_SECONDS = 0.1


def is_alive(process: psutil.Process) -> bool:
    """Whether the process (not another with its number since) runs."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until_gone(processes: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until all ``processes`` have ended, at most ``seconds``, and return those that have not."""
    deadline = time.monotonic() + seconds
    while (alive := [process for process in processes if is_alive(process)]) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return alive
