"""A web server that answers what a test tells it to, one answer after the other, and keeps what it was asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Answer:
    """``announced`` is the Content-Length where it is not the body's; a drip pauses before each byte, in seconds."""

    status: int = 200
    body: bytes = b"rows"
    headers: Mapping[str, str] = field(default_factory=dict)
    announced: int | None = None
    chunked: bool = False
    drip: float = 0.0
    silence: float = 0.0


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    client_port: int


class ScriptedServer:
    """A context manager. The last answer is given again and again."""

    def __init__(self, *script: Answer) -> None:
        self.asked: list[Asked] = []
        self.script = list(script) or [Answer()]
        self.stopped = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()


def _handler(script: ScriptedServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            script.asked.append(Asked(self.command, self.path, dict(self.headers), body, self.client_address[1]))
            answer = script.script.pop(0) if len(script.script) > 1 else script.script[0]
            script.stopped.wait(answer.silence)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.chunked:
                self.send_header("Transfer-Encoding", "chunked")
            else:
                self.send_header("Content-Length", str(answer.announced or len(answer.body)))
            self.end_headers()
            self._send(answer, self._write_chunk if answer.chunked else self.wfile.write)
            if answer.announced is not None:
                self.close_connection = True

        def do_POST(self) -> None:
            self.do_GET()

        def _send(self, answer: Answer, write: Callable[[bytes], object]) -> None:
            if answer.drip:
                for byte in answer.body:
                    time.sleep(answer.drip)
                    try:
                        write(bytes([byte]))
                    except OSError:  # the client had enough
                        return
            else:
                write(answer.body)
            if answer.chunked and answer.announced is None:
                self.wfile.write(b"0\r\n\r\n")

        def _write_chunk(self, data: bytes) -> None:
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

        def log_message(self, format: str, *args: object) -> None:
            """Not on the terminal."""

    return Handler
