"""What every simulated source's web server has in common: HTTP on loopback, a call book, faults.

A source is a subclass of :class:`SimulatedServer` that says which endpoint a request is for, whom it refuses,
and answers with a :class:`Page`: rows, and how they are written down. Faults then work without its help, because
they spoil the rows, the way they are written, or the bytes on the wire.

Every server has, for tests and demonstrations:

    POST   /control/fault   {"endpoint": a name or "*", "kind": ..., "times": N or null, ...}
    DELETE /control/fault   switch all faults off
    GET    /control/calls   every call so far: endpoint, params, status, start, seconds; counts by endpoint
"""

from __future__ import annotations

import json
import re
import sys
import time
import zlib
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from decimal import Decimal
from email.message import Message
from enum import Enum
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.parse import parse_qsl, urlsplit

from include.market.calendar import KST, previous_session
from include.simulator.servers.faults import ANY_ENDPOINT, Fault, FaultBook, FaultKind, InvalidFaultError

LOOPBACK = "127.0.0.1"
JSON_TYPE = "application/json;charset=UTF-8"
HTML_TYPE = "text/html;charset=UTF-8"
_CONTROL = "/control/"
_KEPT_CALLS = 100_000
_DRIPS = 20
_STOP_POLL_SECONDS = 0.05
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_MAINTENANCE = "<!DOCTYPE html><html><body><h1>시스템 점검 중입니다</h1></body></html>"

Row = dict[str, Any]
Rows = Sequence[Row]


class View(Enum):
    """Which session's figures a page shows for a day, and under which date. Days before the market are empty."""

    TRUE = "true"
    YESTERDAYS = "yesterdays"
    STALE = "stale"

    def figures_of(self, day: date) -> date:
        """The day whose figures stand where those of ``day`` belong."""
        return day if self is View.TRUE else previous_session(day)

    def label_of(self, day: date) -> date:
        """The date written where ``day`` belongs."""
        return previous_session(day) if self is View.YESTERDAYS else day


_VIEWS = {FaultKind.YESTERDAYS_DATA: View.YESTERDAYS, FaultKind.STALE_COPY: View.STALE}


@dataclass(frozen=True)
class Request:
    """A request: ``params`` are the fields of its query, its form or its JSON object; ``path`` has no query."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Message

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies sent, by name."""
        return {name: morsel.value for name, morsel in SimpleCookie(self.headers.get("Cookie", "")).items()}


@dataclass(frozen=True)
class Answer:
    """An HTTP answer as it goes on the wire."""

    status: int
    body: bytes
    content_type: str = JSON_TYPE
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """What an endpoint publishes, before it is written down.

    ``render`` writes rows as the source does and must take field names from the rows themselves, and an empty
    sequence for "nothing"; ``changed_layout`` says the same in a shape no reader of the source expects. ``renamed``
    is a field and its new name, ``dropped`` the field that goes missing; ``measures`` are the fields that hold
    plain numbers. ``symbol`` is set where a page is about one symbol of many.
    """

    rows: Rows
    render: Callable[[Rows], str]
    changed_layout: Callable[[Rows], str]
    renamed: tuple[str, str]
    dropped: str
    measures: Collection[str] = ()
    symbol: str | None = None
    content_type: str = JSON_TYPE
    encoding: str = "utf-8"


@dataclass(frozen=True)
class Call:
    """One request of an endpoint: ``params`` without secrets, ``start`` in KST, ``seconds`` until the answer was ready.

    ``status`` is None when the server hung up without an answer.
    """

    endpoint: str
    params: Mapping[str, str]
    status: int | None
    start: str
    seconds: float


def json_answer(document: Any, status: int = 200) -> Answer:
    """``document`` as JSON."""
    return Answer(status, json.dumps(document, ensure_ascii=False).encode())


class SimulatedServer(ABC):
    """A source on loopback while its ``with`` block runs; ``port`` 0 takes a free one.

    ``now`` is the clock that decides what is published and when quotas start again. ``latency`` is how many seconds
    every answer takes at least.
    """

    name: ClassVar[str]
    """The source's name in the registry."""
    entry_endpoints: ClassVar[frozenset[str]] = frozenset()
    """Endpoints of the login: a fault at ``*`` spares them."""
    secret_params: ClassVar[frozenset[str]] = frozenset()
    """Fields that never enter the call book."""
    impossible: ClassVar[frozenset[FaultKind]] = frozenset({FaultKind.LOGOUT})
    """Faults that mean nothing here."""

    def __init__(self, port: int = 0, now: Callable[[], datetime] = lambda: datetime.now(KST)) -> None:
        self.faults = FaultBook()
        self.now = now
        self.latency = 0.0
        self._calls: deque[Call] = deque(maxlen=_KEPT_CALLS)
        self._lock = Lock()
        self._stopping = Event()
        self._server = _HttpServer((LOOPBACK, port), self)
        self._thread = Thread(
            target=self._server.serve_forever, args=(_STOP_POLL_SECONDS,), name=self.name, daemon=True
        )

    @abstractmethod
    def endpoint_of(self, request: Request) -> str | None:
        """The name of the endpoint that ``request`` is for, as faults and the call book know it; None: 404."""

    @abstractmethod
    def answer(self, endpoint: str, request: Request, view: View) -> Page | Answer:
        """What ``endpoint`` publishes for ``request``; an :class:`Answer` where it is no page of rows.

        For each day a page is about it shows the figures of ``view.figures_of(day)`` dated ``view.label_of(day)``.
        """

    def refusal(self, endpoint: str, request: Request) -> Answer | None:
        """The answer to a caller without a right to one, or with no quota left; None lets the call pass."""
        return None

    def failure(self, status: int, message: str) -> Answer:
        """How the source writes an error."""
        return Answer(status, f"<html><body><h1>{status}</h1><p>{message}</p></body></html>".encode(), HTML_TYPE)

    def logged_out(self) -> Answer:
        """What a caller gets whose login has ended; asked only where ``logout`` is possible."""
        return self.failure(401, "Unauthorized")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    @property
    def base_url(self) -> str:
        """The address in place of the real service's host, without a trailing slash."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def calls(self) -> list[Call]:
        """The calls of endpoints so far, in order of their answers; the latest hundred thousand."""
        with self._lock:
            return list(self._calls)

    def call_summary(self) -> dict[str, Any]:
        """What ``/control/calls`` answers."""
        calls = self.calls
        by_endpoint = Counter(call.endpoint for call in calls)
        return {"total": len(calls), "by_endpoint": by_endpoint, "calls": [asdict(call) for call in calls]}

    def hold(self, seconds: float) -> None:
        """Wait for ``seconds``, or until the server stops."""
        self._stopping.wait(seconds)

    def serve(self, endpoint: str, request: Request) -> tuple[Answer, Fault | None]:
        """The answer to ``request``, entered in the call book, and the fault the wire has still to show."""
        start, clock = datetime.now(KST), time.perf_counter()
        self.hold(self.latency)
        answer = self.refusal(endpoint, request)
        fault = None
        if answer is None:
            everywhere = () if endpoint in self.entry_endpoints else (ANY_ENDPOINT,)
            fault = self.faults.take(endpoint, *everywhere)
            answer = self._faulty_answer(endpoint, request, fault)
        hang_up = fault is not None and fault.kind is FaultKind.TIMEOUT
        params = {name: value for name, value in request.params.items() if name not in self.secret_params}
        status = None if hang_up else answer.status
        # Recorded before it is sent, so that a caller who has the answer finds the call in the book.
        with self._lock:
            self._calls.append(Call(endpoint, params, status, start.isoformat(), time.perf_counter() - clock))
        return answer, fault

    def _faulty_answer(self, endpoint: str, request: Request, fault: Fault | None) -> Answer:
        if fault is None:
            return _written(self.answer(endpoint, request, View.TRUE), None)
        match fault.kind:
            case FaultKind.HTTP_500:
                return self.failure(500, "Internal Server Error")
            case FaultKind.HTTP_429:
                refused = self.failure(429, "Too Many Requests")
                headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
                return Answer(429, refused.body, refused.content_type, headers)
            case FaultKind.MAINTENANCE_HTML:
                return Answer(200, _MAINTENANCE.encode(), HTML_TYPE)
            case FaultKind.LOGOUT:
                return self.logged_out()
            case _:
                view = _VIEWS.get(fault.kind, View.TRUE)
                return _written(self.answer(endpoint, request, view), fault.kind)


def _written(page: Page | Answer, fault: FaultKind | None) -> Answer:
    """``page`` as an answer, its rows and their form spoilt as ``fault`` says."""
    if isinstance(page, Answer):
        return page
    write = page.changed_layout if fault is FaultKind.LAYOUT_CHANGED else page.render
    text = write(_spoilt(page, fault))
    body = text.encode(page.encoding)
    if fault is FaultKind.WRONG_ENCODING:
        body = _in_another_encoding(text, body)
    return Answer(200, body, page.content_type)


def _in_another_encoding(text: str, body: bytes) -> bytes:
    """``text`` as bytes that its readers cannot take for the ``body`` they expect."""
    others = (text.encode(encoding, errors="replace") for encoding in ("cp949", "utf-8", "utf-16"))
    return next(other for other in others if other != body)


def _spoilt(page: Page, fault: FaultKind | None) -> Rows:
    rows = page.rows
    match fault:
        case FaultKind.EMPTY_LIST:
            return []
        case FaultKind.PARTIAL_MARKET if page.symbol is not None:
            return rows if zlib.crc32(page.symbol.encode()) % 2 else []
        case FaultKind.PARTIAL_MARKET:
            return rows[: len(rows) // 2]
        case FaultKind.RENAMED_COLUMN:
            old, new = page.renamed
            return [{new if name == old else name: row[name] for name in row} for row in rows]
        case FaultKind.MISSING_COLUMN:
            return [{name: row[name] for name in row if name != page.dropped} for row in rows]
        case FaultKind.COMMA_STRINGS:
            return [row | {name: _with_commas(row[name]) for name in page.measures if name in row} for row in rows]
        case FaultKind.DUPLICATE_ROWS:
            return [*rows, *rows[:1]]
        case _:
            return rows


def _with_commas(value: Any) -> Any:
    text = str(value)
    return f"{Decimal(text):,}" if _NUMBER.fullmatch(text) else value


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], service: SimulatedServer) -> None:
        self.service = service
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that gave up is no error of the server's; anything else is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body are two writes: without this the second waits for the caller's delayed acknowledgement.
    disable_nagle_algorithm = True
    server: _HttpServer

    def do_GET(self) -> None:
        self._dispatch()

    def do_POST(self) -> None:
        self._dispatch()

    def do_DELETE(self) -> None:
        self._dispatch()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: calls are in the book."""

    def _dispatch(self) -> None:
        service = self.server.service
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if url.path.startswith(_CONTROL):
            self._send(self._control(url.path, body))
            return
        params = dict(parse_qsl(url.query, keep_blank_values=True)) | self._fields(body)
        request = Request(self.command, url.path, params, self.headers)
        endpoint = service.endpoint_of(request)
        if endpoint is None:
            self._send(service.failure(404, f"no such path: {self.command} {url.path}"))
            return
        answer, fault = service.serve(endpoint, request)
        if fault is not None and fault.kind is FaultKind.TIMEOUT:
            service.hold(fault.seconds)
            self.close_connection = True
        else:
            self._send(answer, fault)

    def _fields(self, body: bytes) -> dict[str, str]:
        """The fields of a form or of a JSON object; anything else has none."""
        kind = self.headers.get_content_type()
        if kind == "application/x-www-form-urlencoded":
            return dict(parse_qsl(body.decode(), keep_blank_values=True))
        if kind != "application/json":
            return {}
        try:
            document = json.loads(body)
        except ValueError:
            return {}
        return {name: str(value) for name, value in document.items()} if isinstance(document, dict) else {}

    def _control(self, path: str, body: bytes) -> Answer:
        service = self.server.service
        match self.command, path.removeprefix(_CONTROL):
            case "GET", "calls":
                return json_answer(service.call_summary())
            case "DELETE", "fault":
                service.faults.clear()
                return json_answer({"cleared": True})
            case "POST", "fault":
                return self._add_fault(body)
            case _:
                return json_answer({"error": f"no such control: {self.command} {path}"}, 404)

    def _add_fault(self, body: bytes) -> Answer:
        service = self.server.service
        try:
            fault = Fault.from_json(json.loads(body))
        except (InvalidFaultError, json.JSONDecodeError) as error:
            return json_answer({"error": str(error)}, 400)
        if fault.kind in service.impossible:
            return json_answer({"error": f"{fault.kind} means nothing at {service.name}"}, 400)
        service.faults.add(fault)
        return json_answer({"added": asdict(fault)})

    def _send(self, answer: Answer, fault: Fault | None = None) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if fault is not None and fault.kind is FaultKind.TRUNCATED_BODY:
            self.wfile.write(answer.body[: len(answer.body) // 2])
            self.close_connection = True
        elif fault is not None and fault.kind is FaultKind.SLOW_DRIP:
            size = max(-(-len(answer.body) // _DRIPS), 1)
            for position in range(0, len(answer.body), size):
                self.wfile.write(answer.body[position : position + size])
                self.server.service.hold(fault.seconds / _DRIPS)
        else:
            self.wfile.write(answer.body)
