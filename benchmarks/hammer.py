"""A server that notes when calls arrive, and processes that call it as fast as they may.

python -m benchmarks.hammer DSN URL SOURCE CALLS_PER_SECOND PRIORITY CALLS
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from include.crawlers.limits.rate_limit import SharedLimiter
from include.crawlers.limits.shared_state import open_shared_state
from include.crawlers.transport import CallRecord, Priority, SourceLimits, Transport
from include.settings import PROJECT_ROOT


@dataclass(frozen=True)
class Arrival:
    """``moment`` is in seconds of a clock that only goes forward."""

    moment: float
    path: str


class ArrivalServer:
    """A context manager: answers every GET at once, and remembers it."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self._arrived = threading.Condition()
        note = self._note

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                note(Arrival(time.monotonic(), self.path))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, format: str, *args: object) -> None:
                """Not on the terminal."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """Without a path."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def wait_for(self, calls: int) -> None:
        """Until so many have arrived."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.arrivals) >= calls, timeout=60)

    def _note(self, arrival: Arrival) -> None:
        with self._arrived:
            self.arrivals.append(arrival)
            self._arrived.notify_all()

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class Caller:
    """A process of its own that is ready to make ``calls`` calls, one after the other, as soon as it is told."""

    def __init__(
        self, dsn: str, url: str, source: str, calls_per_second: float, priority: Priority, calls: int
    ) -> None:
        arguments = [dsn, url, source, str(calls_per_second), priority.name, str(calls)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.hammer", *arguments],
            cwd=PROJECT_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_ready(self) -> None:
        """Until its modules are loaded."""
        assert self._process.stdout
        assert self._process.stdout.readline() == "ready\n"

    def start(self) -> None:
        """Let it call."""
        assert self._process.stdin
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def wait(self, seconds: float) -> None:
        """Until all calls are made."""
        _, _ = self._process.communicate(timeout=seconds)
        assert self._process.returncode == 0

    def stop(self) -> None:
        """Kill it, where it still runs."""
        self._process.kill()
        self._process.communicate()


def hammer(dsn: str, server: ArrivalServer, calls_per_second: float, processes: int, calls: int) -> list[float]:
    """The moments ``calls`` calls of each of the processes arrived, all in competition for one source."""
    callers = [
        Caller(dsn, f"{server.url}/{number}", "hammered", calls_per_second, Priority.SESSION, calls)
        for number in range(processes)
    ]
    try:
        for caller in callers:
            caller.wait_ready()
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.wait(60 + 2 * processes * calls / calls_per_second)
    finally:
        for caller in callers:
            caller.stop()
    return sorted(arrival.moment for arrival in server.arrivals)


def worst_second(moments: Sequence[float]) -> int:
    """The most calls within any one second; ``moments`` are in order."""
    first, most = 0, 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def _call(dsn: str, url: str, source: str, calls_per_second: str, priority: str, calls: str) -> None:
    def ignore(call: CallRecord) -> None:
        """The server keeps the record here."""

    limits = SourceLimits(float(calls_per_second))
    with (
        open_shared_state(dsn) as shared,
        closing(SharedLimiter(shared)) as limiter,
        closing(Transport(limiter, ignore, priority=Priority[priority])) as transport,
    ):
        print("ready", flush=True)
        sys.stdin.readline()
        for _ in range(int(calls)):
            transport.get(source, url, limits)


if __name__ == "__main__":
    _call(*sys.argv[1:])
