"""KRX Open API over HTTP on loopback, served from a simulated world.

    GET /svc/apis/{sto|idx|etp}/{endpoint}?basDd=YYYYMMDD    header AUTH_KEY

As the real one: 401 without the right key; rows in ``OutBlock_1``, every value a string; a day without trading
answers 200 with ``-`` for every figure of a stock or product, and an empty list of indices; a session is published
at 08:00 KST of the next day and empty until then (so is a day outside the world's years); 10,000 calls a day, then
429.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from threading import Lock

from include.market.calendar import KST, is_session, previous_session
from include.simulator.servers.krx_open_api_rows import ENDPOINTS
from include.simulator.servers.krx_text import Row
from include.simulator.servers.web import Answer, Page, Request, Rows, SimulatedServer, View, json_answer
from include.simulator.world import World

SERVICE_PATH = "/svc/apis/"
PUBLISHED_AT = time_of_day(8, tzinfo=KST)
DAILY_QUOTA = 10_000


class KrxOpenApiServer(SimulatedServer):
    """KRX Open API, for callers that send ``auth_key``."""

    name = "krx_openapi"

    def __init__(
        self,
        world: World,
        auth_key: str,
        port: int = 0,
        now: Callable[[], datetime] = lambda: datetime.now(KST),
        daily_quota: int = DAILY_QUOTA,
    ) -> None:
        super().__init__(port, now)
        self._world = world
        self._auth_key = auth_key
        self._daily_quota = daily_quota
        self._used: Counter[date] = Counter()
        self._quota_lock = Lock()

    def endpoint_of(self, request: Request) -> str | None:
        """The last part of the path."""
        group, _, name = request.path.removeprefix(SERVICE_PATH).partition("/")
        known = request.method == "GET" and name in ENDPOINTS and ENDPOINTS[name].group == group
        return name if known else None

    def refusal(self, endpoint: str, request: Request) -> Answer | None:
        """401 for a wrong key, 429 when the day's calls are used up."""
        if request.headers.get("AUTH_KEY") != self._auth_key:
            return self.failure(401, "Unauthorized Key")
        with self._quota_lock:
            today = self.now().astimezone(KST).date()
            self._used[today] += 1
            if self._used[today] > self._daily_quota:
                return self.failure(429, "Daily call limit exceeded")
        return None

    def failure(self, status: int, message: str) -> Answer:
        """An error as JSON."""
        return json_answer({"respCode": str(status), "respMsg": message}, status)

    def answer(self, endpoint: str, request: Request, view: View) -> Page | Answer:
        """The rows of one endpoint and day."""
        text = request.params.get("basDd", "")
        try:
            day = datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a day, not a moment
        except ValueError:
            return self.failure(400, f"basDd must be YYYYMMDD, got {text!r}")
        kind = ENDPOINTS[endpoint]
        return Page(
            rows=self._rows(endpoint, view.figures_of(day), view.label_of(day)),
            render=_document,
            changed_layout=lambda rows: json.dumps({"data": {"list": list(rows)}}, ensure_ascii=False),
            renamed=kind.renamed,
            dropped=kind.dropped,
            measures=kind.measures,
        )

    def _rows(self, endpoint: str, day: date, label: date) -> list[Row]:
        sessions = self._world.sessions
        published = datetime.combine(day + timedelta(days=1), PUBLISHED_AT)
        if self.now() < published or not sessions[0] <= day <= sessions[-1]:
            return []
        kind = ENDPOINTS[endpoint]
        if is_session(day):
            return kind.rows(self._world, day, f"{label:%Y%m%d}")
        return kind.closed(kind.rows(self._world, previous_session(day), f"{label:%Y%m%d}"))


def _document(rows: Rows) -> str:
    return json.dumps({"OutBlock_1": list(rows)}, ensure_ascii=False)
