"""Asking KRX Open API, and what all its answers have in common."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, ClassVar

import pyarrow as pa

from include.crawlers.published_rows import Row
from include.crawlers.source import Chunk, RawBody
from include.crawlers.transport import SourceLimits, Transport
from include.outcomes import Malformed, NotASession, NotPublished, SourceNotConfiguredError

SOURCE = "krx_openapi"
REAL_SERVICE = "https://data-dbg.krx.co.kr"
LIMITS = SourceLimits(calls_per_second=5, calls_per_day=10_000)

_CLOSED = "-"


@dataclass(frozen=True)
class Endpoint:
    """One table of the service. ``since`` is the day its market opened: nothing is asked for days before."""

    path: str
    since: date = date.min

    @property
    def name(self) -> str:
        """The path's last part."""
        return self.path.rpartition("/")[2]


ETF_BARS = Endpoint("etp/etf_bydd_trd")
ETN_BARS = Endpoint("etp/etn_bydd_trd", since=date(2014, 11, 17))
KONEX_OPENED = date(2013, 7, 1)


class SessionCrawler(ABC):
    """A dataset whose session is the rows of some endpoints."""

    endpoints: ClassVar[tuple[Endpoint, ...]]

    def held(self, environment: Mapping[str, str]) -> list[Chunk]:
        """Unknown: a range has to be given."""
        raise SourceNotConfiguredError("KRX Open API answers one session a call: say which with --from and --to")

    def split(self, sessions: Sequence[date]) -> list[Chunk]:
        """One chunk per session: the service knows no ranges."""
        return [Chunk(session, session) for session in sessions]

    def fetch(self, chunk: Chunk, transport: Transport, environment: Mapping[str, str]) -> list[RawBody]:
        """One body per endpoint."""
        key = environment.get("KRXW_KRX_OPENAPI_KEY")
        if not key:
            raise SourceNotConfiguredError(
                "KRX Open API needs a key: set KRXW_KRX_OPENAPI_KEY (apply for one, and for each service, at the "
                "exchange's Open API site)"
            )
        service = environment.get("KRXW_KRX_OPENAPI_URL", REAL_SERVICE).rstrip("/")
        asked = [endpoint for endpoint in self.endpoints if endpoint.since <= chunk.first]
        return [_ask(transport, service, endpoint, chunk.first, key) for endpoint in asked]

    @abstractmethod
    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """All endpoints' rows of the chunk's one session."""


def rows_by_endpoint(bodies: Sequence[RawBody]) -> dict[str, list[Row]]:
    """The rows of each body.

    Raises:
        Malformed: an answer is not JSON, or not of the service's form.
    """
    return {body.request["endpoint"]: _rows(body) for body in bodies}


def require_rows(rows: Mapping[str, Sequence[Row]], session: date) -> None:
    """Every endpoint has rows.

    Raises:
        NotPublished: none has.
        Malformed: some have none.
    """
    if not any(rows.values()):
        raise NotPublished(f"KRX Open API holds nothing for {session} yet")
    empty = [endpoint for endpoint, listed in rows.items() if not listed]
    if empty:
        raise Malformed(f"KRX Open API: {', '.join(empty)} is empty for {session} while other endpoints have rows")


def place_of(endpoint: str, session: date) -> str:
    """How messages name an answer."""
    return f"KRX Open API {endpoint} {session:%Y%m%d}"


def require_open(rows: Sequence[Row], session: date) -> None:
    """Some of ``rows`` has a closing price.

    Raises:
        NotASession: there are rows, and all closes are ``-``.
    """
    if rows and all(row["TDD_CLSPRC"] == _CLOSED for row in rows):
        raise NotASession(f"{session}: KRX Open API shows every price as '-', the exchange was closed")


def require_session(rows: Sequence[Row], session: date) -> None:
    """All rows say they are of ``session``.

    Raises:
        Malformed: one is of another day.
    """
    strange = {str(row["BAS_DD"]) for row in rows} - {f"{session:%Y%m%d}"}
    if strange:
        raise Malformed(f"KRX Open API: asked for {session}, got rows of {', '.join(sorted(strange))}")


def _ask(transport: Transport, service: str, endpoint: Endpoint, session: date, key: str) -> RawBody:
    url = f"{service}/svc/apis/{endpoint.path}"
    params = {"basDd": f"{session:%Y%m%d}"}
    content = transport.get(SOURCE, url, LIMITS, params=params, headers={"AUTH_KEY": key})
    return RawBody(content, {"endpoint": endpoint.name, **params}, datetime.now(UTC), ".json")


def _rows(body: RawBody) -> list[Row]:
    where = f"KRX Open API {body.request['endpoint']} {body.request['basDd']}"
    try:
        answer: Any = json.loads(body.content.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise Malformed(f"{where}: expected JSON in UTF-8, got {body.content[:60]!r}...") from error
    if not isinstance(answer, dict) or not isinstance(answer.get("OutBlock_1"), list):
        raise Malformed(f"{where}: expected an object with the list OutBlock_1, got {str(answer)[:80]}")
    rows: list[Row] = answer["OutBlock_1"]
    return rows
