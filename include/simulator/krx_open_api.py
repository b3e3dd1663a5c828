"""KRX Open API's daily stock endpoints over HTTP on loopback, served from a simulated market.

    GET /svc/apis/sto/{stk,ksq,knx}_bydd_trd?basDd=YYYYMMDD    header AUTH_KEY

As the real one: 401 without the right key; rows in ``OutBlock_1``, every value a string; a day without
trading answers 200 with ``-`` for every figure; a session is published at 08:00 KST of the next day and empty
until then (so is a day outside the market's years); 10,000 calls a day, then 429.

For tests and demonstrations:

    POST   /control/fault   {"endpoint": "stk_bydd_trd" or "*", "kind": ..., "times": N or null, ...}
    DELETE /control/fault   switch all faults off
    GET    /control/calls   every call so far: endpoint, basDd, status, start, seconds; counts by endpoint
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa

from include.market.calendar import KST, is_session, previous_session
from include.simulator.faults import Fault, FaultBook, FaultKind, InvalidFaultError
from include.simulator.krx_rows import ENDPOINT_MARKETS, MEASURES, Row, closed_day_rows, session_rows
from include.simulator.market import SimulatedMarket

LOOPBACK = "127.0.0.1"
SERVICE_PATH = "/svc/apis/sto/"
PUBLISHED_AT = time_of_day(8, tzinfo=KST)
DAILY_QUOTA = 10_000
_KEPT_CALLS = 100_000
_DRIPS = 20
_MAINTENANCE = "<!DOCTYPE html><html><body><h1>시스템 점검 중입니다</h1></body></html>"


@dataclass(frozen=True)
class Call:
    """One request of a service endpoint: ``start`` in KST, ``seconds`` until the answer was ready.

    ``status`` is None when the server hung up without an answer.
    """

    endpoint: str
    bas_dd: str
    status: int | None
    start: str
    seconds: float


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; ``retry_after`` in seconds, None for no such header."""

    status: int
    body: bytes
    content_type: str = "application/json;charset=UTF-8"
    retry_after: int | None = None


class KrxOpenApiServer:
    """Serves ``market`` on loopback while its ``with`` block runs; ``port`` 0 takes a free one.

    ``now`` is the clock that decides what is published and when a day's quota starts again.
    """

    def __init__(
        self,
        market: SimulatedMarket,
        auth_key: str,
        port: int = 0,
        now: Callable[[], datetime] = lambda: datetime.now(KST),
        daily_quota: int = DAILY_QUOTA,
    ) -> None:
        self.faults = FaultBook()
        self._market = market
        self._market_lock = Lock()
        self._auth_key = auth_key
        self._now = now
        self._daily_quota = daily_quota
        self._calls: deque[Call] = deque(maxlen=_KEPT_CALLS)
        self._used: Counter[date] = Counter()
        self._book_lock = Lock()
        self._stopping = Event()
        self._server = _HttpServer((LOOPBACK, port), self)
        self._thread = Thread(target=self._server.serve_forever, name="krx-open-api", daemon=True)

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
        """The calls of service endpoints so far, in order of their answers; the latest hundred thousand."""
        with self._book_lock:
            return list(self._calls)

    def wait(self) -> None:
        """Wait until the server is stopped."""
        self._stopping.wait()

    def record(self, call: Call) -> None:
        """Keep ``call`` in the book."""
        with self._book_lock:
            self._calls.append(call)

    def hold(self, seconds: float) -> None:
        """Wait for ``seconds``, or until the server stops."""
        self._stopping.wait(seconds)

    def refusal(self, key: str | None) -> Answer | None:
        """The answer to a caller with a wrong ``key`` or no quota left; None lets the call pass."""
        if key != self._auth_key:
            return _refuse(401, "Unauthorized Key")
        with self._book_lock:
            today = self._now().astimezone(KST).date()
            self._used[today] += 1
            if self._used[today] > self._daily_quota:
                return _refuse(429, "Daily call limit exceeded")
        return None

    def answer(self, endpoint: str, bas_dd: str, fault: Fault | None) -> Answer:
        """The answer of ``endpoint`` for ``bas_dd``, spoilt as ``fault`` says."""
        if endpoint not in ENDPOINT_MARKETS:
            return _refuse(404, f"unknown service {endpoint}")
        try:
            day = datetime.strptime(bas_dd, "%Y%m%d").date()  # noqa: DTZ007 - a day, not a moment
        except ValueError:
            return _refuse(400, f"basDd must be YYYYMMDD, got {bas_dd!r}")
        if fault is None:
            return _json({"OutBlock_1": self._rows(endpoint, day)})
        match fault.kind:
            case FaultKind.HTTP_500:
                return _refuse(500, "Internal Server Error")
            case FaultKind.HTTP_429:
                return _refuse(429, "Too Many Requests", fault.retry_after)
            case FaultKind.MAINTENANCE_HTML:
                return Answer(200, _MAINTENANCE.encode(), "text/html;charset=UTF-8")
            case FaultKind.EMPTY_LIST:
                return _json({"OutBlock_1": []})
            case FaultKind.YESTERDAYS_DATA:
                return _json({"OutBlock_1": self._rows(endpoint, previous_session(day))})
            case FaultKind.STALE_COPY:
                rows = self._rows(endpoint, previous_session(day))
                return _json({"OutBlock_1": [row | {"BAS_DD": bas_dd} for row in rows]})
            case FaultKind.WRONG_ENCODING:
                body = json.dumps({"OutBlock_1": self._rows(endpoint, day)}, ensure_ascii=False)
                return Answer(200, body.encode("cp949"))
            case _:
                return _json({"OutBlock_1": _spoil(self._rows(endpoint, day), fault.kind)})

    def call_summary(self) -> dict[str, Any]:
        """What ``/control/calls`` answers."""
        calls = self.calls
        by_endpoint = Counter(call.endpoint for call in calls)
        return {"total": len(calls), "by_endpoint": by_endpoint, "calls": [asdict(call) for call in calls]}

    def _rows(self, endpoint: str, day: date) -> list[Row]:
        sessions = self._market.sessions
        published = datetime.combine(day + timedelta(days=1), PUBLISHED_AT)
        if self._now() < published or not sessions[0] <= day <= sessions[-1]:
            return []
        if is_session(day):
            return session_rows(self._bars(day), endpoint, day)
        return closed_day_rows(self._bars(previous_session(day)), endpoint, day)

    def _bars(self, session: date) -> pa.Table:
        with self._market_lock:
            return self._market.session_table(session)


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], service: KrxOpenApiServer) -> None:
        self.service = service
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that gave up is no error of the server's; anything else is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _HttpServer

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path.startswith(SERVICE_PATH):
            query = parse_qs(url.query)
            self._serve(url.path.removeprefix(SERVICE_PATH), query.get("basDd", [""])[0])
        elif url.path == "/control/calls":
            self._send(_json(self.server.service.call_summary()))
        else:
            self._send(_refuse(404, f"no such path {url.path}"))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != "/control/fault":
            self._send(_refuse(404, f"no such path {self.path}"))
            return
        try:
            fault = Fault.from_json(json.loads(body))
        except (InvalidFaultError, json.JSONDecodeError) as error:
            self._send(_refuse(400, str(error)))
            return
        self.server.service.faults.add(fault)
        self._send(_json({"added": asdict(fault)}))

    def do_DELETE(self) -> None:
        if self.path != "/control/fault":
            self._send(_refuse(404, f"no such path {self.path}"))
            return
        self.server.service.faults.clear()
        self._send(_json({"cleared": True}))

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: calls are in the book."""

    def _serve(self, endpoint: str, bas_dd: str) -> None:
        service = self.server.service
        start, clock = datetime.now(KST), time.perf_counter()
        answer = service.refusal(self.headers.get("AUTH_KEY"))
        fault = service.faults.take(endpoint) if answer is None else None
        if answer is None:
            answer = service.answer(endpoint, bas_dd, fault)
        hang_up = fault is not None and fault.kind is FaultKind.TIMEOUT
        # Recorded before it is sent, so that a caller who has the answer finds the call in the book.
        status = None if hang_up else answer.status
        service.record(Call(endpoint, bas_dd, status, start.isoformat(), time.perf_counter() - clock))
        if fault is not None and hang_up:
            service.hold(fault.seconds)
            self.close_connection = True
        else:
            self._send(answer, fault)

    def _send(self, answer: Answer, fault: Fault | None = None) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        if answer.retry_after is not None:
            self.send_header("Retry-After", str(answer.retry_after))
        self.end_headers()
        if fault is not None and fault.kind is FaultKind.TRUNCATED_BODY:
            self.wfile.write(answer.body[: len(answer.body) // 2])
            self.close_connection = True
        elif fault is not None and fault.kind is FaultKind.SLOW_DRIP:
            size = -(-len(answer.body) // _DRIPS)
            for position in range(0, len(answer.body), size):
                self.wfile.write(answer.body[position : position + size])
                self.server.service.hold(fault.seconds / _DRIPS)
        else:
            self.wfile.write(answer.body)


def _spoil(rows: list[Row], kind: FaultKind) -> list[Row]:
    match kind:
        case FaultKind.PARTIAL_MARKET:
            return rows[: len(rows) // 2]
        case FaultKind.RENAMED_COLUMN:
            return [{"CLSPRC" if name == "TDD_CLSPRC" else name: row[name] for name in row} for row in rows]
        case FaultKind.MISSING_COLUMN:
            return [{name: row[name] for name in row if name != "LIST_SHRS"} for row in rows]
        case FaultKind.COMMA_STRINGS:
            return [row | {name: _with_commas(row[name]) for name in MEASURES} for row in rows]
        case FaultKind.DUPLICATE_ROWS:
            return rows + rows[:1]
        case _:
            return rows


def _with_commas(text: str) -> str:
    return f"{int(text):,}" if text.lstrip("-").isdigit() else text


def _json(document: Any) -> Answer:
    return Answer(200, json.dumps(document, ensure_ascii=False).encode())


def _refuse(status: int, message: str, retry_after: int | None = None) -> Answer:
    body = json.dumps({"respCode": str(status), "respMsg": message}, ensure_ascii=False).encode()
    return Answer(status, body, retry_after=retry_after)
