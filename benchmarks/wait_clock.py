"""How long a process only waits for sources: a call or more is on its way, and the processor is not ours."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any
from unittest.mock import patch

import psycopg

from include.crawlers.transport import CallRecord, Transport
from include.pipeline import ledger


class WaitClock:
    """``calls`` and ``bytes`` of all attempts, and ``seconds`` of waiting for them, calls at the same time once."""

    def __init__(self) -> None:
        self.calls = 0
        self.bytes = 0
        self.seconds = 0.0
        self._on_their_way = 0
        self._since = 0.0
        self._lock = Lock()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Counts while open: from an attempt's start until it is to be entered in ``ops.source_call``."""
        attempt, record = Transport._attempt, ledger.record_call

        def attempted(transport: Transport, *arguments: Any) -> Any:
            self._begin()
            return attempt(transport, *arguments)

        def recorded(connection: psycopg.Connection, call: CallRecord) -> None:
            self._end(call)
            record(connection, call)

        with patch.object(Transport, "_attempt", attempted), patch.object(ledger, "record_call", recorded):
            yield

    def _begin(self) -> None:
        with self._lock:
            self._on_their_way += 1
            if self._on_their_way == 1:
                self._since = _idle()

    def _end(self, call: CallRecord) -> None:
        with self._lock:
            self.calls += 1
            self.bytes += call.bytes
            self._on_their_way -= 1
            if self._on_their_way == 0:
                self.seconds += max(_idle() - self._since, 0)  # two threads may use two processors


def _idle() -> float:
    """Seconds, from some start, in which this process did not use the processor."""
    return time.perf_counter() - time.process_time()
