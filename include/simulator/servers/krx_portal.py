"""The exchange's data portal over HTTP on loopback, served from a simulated world, close enough for pykrx 1.2.

    GET  /contents/MDC/COMS/client/MDCCOMS001.cmd          gives a session cookie
    GET  /contents/MDC/COMS/client/view/login.jsp
    POST /contents/MDC/COMS/client/MDCCOMS001D1.cmd        mbrId, pw, skipDup: the login
    POST /comm/bldAttendant/getJsonData.cmd                bld and the statistic's own fields

As the real one: without a login HTTP 400 and the body ``LOGOUT``; one login at a time, a second one is refused with
CD011 and, sent again with ``skipDup=Y``, evicts the first; JSON served as ``text/html``, numbers as text with
separators, ``CURRENT_DATETIME`` at the end. The code for a wrong password (CD002) is assumed.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from datetime import datetime
from threading import Lock

from include.market.calendar import KST
from include.simulator.servers import krx_portal_bars, krx_portal_flows, krx_portal_indices, krx_portal_masters
from include.simulator.servers.faults import FaultKind
from include.simulator.servers.krx_portal_query import InvalidFormError, Query
from include.simulator.servers.web import Answer, Page, Request, SimulatedServer, View
from include.simulator.world import World

STATISTICS = (
    krx_portal_bars.STATISTICS
    | krx_portal_flows.STATISTICS
    | krx_portal_indices.STATISTICS
    | krx_portal_masters.STATISTICS
)
_CLIENT = "/contents/MDC/COMS/client"
_ENTRIES = {
    ("GET", f"{_CLIENT}/MDCCOMS001.cmd"): "login_page",
    ("GET", f"{_CLIENT}/view/login.jsp"): "login_form",
    ("POST", f"{_CLIENT}/MDCCOMS001D1.cmd"): "login",
}
_DATA_PATH = "/comm/bldAttendant/getJsonData.cmd"
_COOKIE = "JSESSIONID"
_CONTENT_TYPE = "text/html; charset=utf-8"


class KrxPortalServer(SimulatedServer):
    """The portal, for the member ``login_id``."""

    name = "krx_portal"
    entry_endpoints = frozenset(_ENTRIES.values())
    secret_params = frozenset({"mbrId", "pw"})
    # Separators are how the portal writes numbers.
    impossible = frozenset({FaultKind.COMMA_STRINGS})

    def __init__(
        self,
        world: World,
        login_id: str,
        password: str,
        port: int = 0,
        now: Callable[[], datetime] = lambda: datetime.now(KST),
    ) -> None:
        super().__init__(port, now)
        self._world = world
        self._member = (login_id, password)
        self._logged_in: str | None = None
        self._login_lock = Lock()

    def endpoint_of(self, request: Request) -> str | None:
        """A page of the login, or the last part of the statistic's name."""
        if (request.method, request.path) == ("POST", _DATA_PATH):
            name = request.params.get("bld", "").rpartition("/")[2]
            return name if name in STATISTICS else None
        return _ENTRIES.get((request.method, request.path))

    def refusal(self, endpoint: str, request: Request) -> Answer | None:
        """``LOGOUT`` for whoever does not hold the login."""
        if endpoint in self.entry_endpoints:
            return None
        cookie = request.cookies.get(_COOKIE)
        return None if cookie is not None and cookie == self._logged_in else self.logged_out()

    def logged_out(self) -> Answer:
        """HTTP 400 and the word LOGOUT."""
        return Answer(400, b"LOGOUT", _CONTENT_TYPE)

    def answer(self, endpoint: str, request: Request, view: View) -> Page | Answer:
        """A page of the login or the rows of a statistic."""
        if endpoint == "login":
            return self._log_in(request)
        if endpoint in self.entry_endpoints:
            return _with_cookie(Answer(200, b"<html><body>KRX</body></html>", _CONTENT_TYPE), request)
        statistic = STATISTICS[endpoint]
        now = self.now().astimezone(KST)
        query = Query(self._world, request.params, view, now)
        try:
            rows = statistic.rows(query)
        except InvalidFormError as error:
            return self.failure(400, str(error))
        published = {"CURRENT_DATETIME": _portal_time(datetime.combine(view.label_of(now.date()), now.time()))}
        return Page(
            rows=rows,
            render=lambda rows: _json({statistic.block: list(rows)} | published),
            changed_layout=lambda rows: _json({"result": {"list": list(rows)}} | published),
            renamed=statistic.renamed,
            dropped=statistic.dropped,
            symbol=request.params.get(statistic.subject, "") if statistic.subject else None,
            content_type=_CONTENT_TYPE,
        )

    def _log_in(self, request: Request) -> Answer:
        if (request.params.get("mbrId"), request.params.get("pw")) != self._member:
            return _login_answer("CD002", "아이디 또는 비밀번호를 확인하세요.")
        session = request.cookies.get(_COOKIE) or secrets.token_hex(16)
        with self._login_lock:
            if self._logged_in not in {None, session} and request.params.get("skipDup") != "Y":
                return _login_answer("CD011", "중복 로그인입니다.")
            self._logged_in = session
        answer = _login_answer("CD001", "정상")
        return Answer(answer.status, answer.body, answer.content_type, {"Set-Cookie": f"{_COOKIE}={session}; Path=/"})


def _with_cookie(answer: Answer, request: Request) -> Answer:
    """``answer``, with a session for a caller that has none."""
    if _COOKIE in request.cookies:
        return answer
    cookie = f"{_COOKIE}={secrets.token_hex(16)}; Path=/; HttpOnly"
    return Answer(answer.status, answer.body, answer.content_type, {"Set-Cookie": cookie})


def _login_answer(code: str, message: str) -> Answer:
    return Answer(200, _json({"_error_code": code, "_error_message": message}).encode(), _CONTENT_TYPE)


def _portal_time(moment: datetime) -> str:
    """2026.01.25 PM 08:24:22."""
    return f"{moment:%Y.%m.%d} {'AM' if moment.hour < 12 else 'PM'} {moment:%I:%M:%S}"


def _json(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
