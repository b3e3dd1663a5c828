"""Logging in to the portal and asking it, by pykrx's own session and requests, through our transport."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs

import requests

from include.crawlers.source import RawBody
from include.crawlers.transport import SourceLimits, Transport
from include.outcomes import AuthRequired, Malformed, SourceDown, SourceNotConfiguredError

SOURCE = "krx_portal"
# One login at a time, and the portfolios of all funds take twenty minutes: others wait for them.
LIMITS = SourceLimits(calls_per_second=1, slots=1, slot_wait=45 * 60.0)

_CREDENTIALS_OF_PYKRX = ("KRX_ID", "KRX_PW")


@dataclass(frozen=True)
class Question:
    """What is asked of one of the portal's screens: its ``bld`` and the fields of its form."""

    bld: str
    form: Mapping[str, str]


class Portal:
    """The portal as one login sees it, for as long as ``transport`` lasts."""

    def __init__(self, transport: Transport, base_url: str | None, login: tuple[str, str]) -> None:
        self._bodies: list[bytes] = []
        self._adapter = transport.adapter(
            SOURCE, LIMITS, base_url=base_url, on_body=lambda _, body: self._bodies.append(body), endpoint=_screen_of
        )
        self._login = login

    def log_in(self) -> None:
        """Make pykrx's requests those of a new login.

        Raises:
            AuthRequired: the portal refuses the login.
            Malformed: its answer is not that of a login.
            CollectionOutcome: as ``Transport.get``.
        """
        auth, _ = _pykrx()
        session = requests.Session()
        session.mount("https://", self._adapter)
        session.mount("http://", self._adapter)
        try:
            with redirect_stdout(io.StringIO()):  # it prints the login's name
                accepted = auth.login_krx(*self._login, session)
        except (ValueError, AttributeError) as error:
            raise Malformed(f"KRX portal: the login's answer is not what pykrx expects ({error})") from None
        if not accepted:
            raise AuthRequired(
                "the KRX portal refuses the login: check KRXW_KRX_PORTAL_ID and KRXW_KRX_PORTAL_PASSWORD, and log in "
                "once in a browser, where it may ask for a new password"
            )
        cookies = {cookie.name: {"value": cookie.value} for cookie in session.cookies}
        # Never expiring for pykrx, which would renew it past the transport: what has ended answers LOGOUT.
        auth.set_auth_session(
            auth.KRXSession(session=session, is_authenticated=True, expiry_time=math.inf, cookies=cookies)
        )

    def ask(self, questions: Iterable[Question]) -> list[RawBody]:
        """The bodies of the answers, whatever they are. A login that has ended is renewed, once.

        Raises:
            CollectionOutcome: as ``Transport.get``; SourceDown also where no answer came with status 200.
        """
        bodies: list[RawBody] = []
        renewed = False
        for question in questions:
            try:
                content = self._read(question)
            except AuthRequired:
                if renewed:
                    raise
                renewed = True
                self.log_in()
                content = self._read(question)
            request = {"bld": question.bld, **question.form}
            bodies.append(RawBody(content, request, datetime.now(UTC), ".json"))
        return bodies

    def _read(self, question: Question) -> bytes:
        _, request_class = _pykrx()
        screen = type("Screen", (request_class,), {"bld": question.bld})()
        self._bodies.clear()
        with suppress(ValueError):  # an answer that is not JSON: parse says so of the landed bytes
            screen.read(**question.form)
        if not self._bodies:
            raise SourceDown(f"KRX portal {question.bld}: no answer with status 200")
        return self._bodies[-1]


def logged_in(transport: Transport, environment: Mapping[str, str]) -> Portal:
    """The portal, logged in to with the account in ``environment``: once for all that goes through ``transport``.

    Raises:
        SourceNotConfiguredError: the portal is not opted in to, or there is no account.
        CollectionOutcome: see ``Portal.log_in``.
    """
    if environment.get("KRXW_KRX_PORTAL") != "1":
        raise SourceNotConfiguredError(
            "the KRX portal is asked only where that is wanted: its terms object to automated collection. Set "
            "KRXW_KRX_PORTAL=1 with KRXW_KRX_PORTAL_ID and KRXW_KRX_PORTAL_PASSWORD"
        )
    login = (environment.get("KRXW_KRX_PORTAL_ID", ""), environment.get("KRXW_KRX_PORTAL_PASSWORD", ""))
    if not all(login):
        raise SourceNotConfiguredError(
            "the KRX portal needs a login: set KRXW_KRX_PORTAL_ID and KRXW_KRX_PORTAL_PASSWORD (register at "
            "data.krx.co.kr)"
        )
    return _portal(transport, environment.get("KRXW_KRX_PORTAL_URL") or None, login)


@lru_cache(maxsize=1)  # pykrx, too, knows one login a process
def _portal(transport: Transport, base_url: str | None, login: tuple[str, str]) -> Portal:
    portal = Portal(transport, base_url, login)
    portal.log_in()
    return portal


def _pykrx() -> tuple[Any, Any]:
    """pykrx's module of logins and its class of requests, imported so that it does not log in by itself."""
    hidden = {name: os.environ.pop(name) for name in _CREDENTIALS_OF_PYKRX if name in os.environ}
    try:
        with redirect_stdout(io.StringIO()):
            from pykrx.website.comm import auth
            from pykrx.website.krx.krxio import KrxWebIo
    finally:
        os.environ.update(hidden)
    return auth, KrxWebIo


def _screen_of(request: requests.PreparedRequest) -> str:
    """The screen's code, or the path of a page that is none."""
    form = request.body if isinstance(request.body, str) else ""
    bld = parse_qs(form).get("bld")
    return bld[0].rpartition("/")[2] if bld else request.path_url.partition("?")[0]
