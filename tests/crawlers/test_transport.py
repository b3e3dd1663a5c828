"""What the transport makes of a source's answers, against a real server on loopback."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests

from include.crawlers.transport import CallRecord, Priority, SourceLimits, Transport
from include.outcomes import AuthRequired, CollectionOutcome, Malformed, RateLimited, SourceDown
from tests.crawlers.scripted_server import Answer, ScriptedServer

LIMITS = SourceLimits(calls_per_second=1_000, connect=1, read=0.4, total=1.0, max_bytes=10_000)
KEY = "key-that-must-not-leak"
OK = Answer()


class Recording:
    """A transport's limiter, its record of calls and its clock, all for tests to look at."""

    def __init__(self) -> None:
        self.acquired: list[tuple[str, str, Priority]] = []
        self.calls: list[CallRecord] = []
        self.waits: list[float] = []

    def acquire(self, source: str, endpoint: str, limits: SourceLimits, priority: Priority) -> None:
        self.acquired.append((source, endpoint, priority))

    @contextmanager
    def transport(self) -> Iterator[Transport]:
        with closing(Transport(self, self.calls.append, self.waits.append)) as transport:
            yield transport

    def get(self, server: ScriptedServer, limits: SourceLimits = LIMITS) -> bytes:
        with self.transport() as transport:
            return transport.get(
                "source", f"{server.url}/rows", limits, params={"crtfc_key": KEY}, headers={"AUTH_KEY": KEY}
            )


@pytest.fixture
def recording() -> Recording:
    return Recording()


@pytest.mark.parametrize(
    ("answer", "outcome", "attempts"),
    [
        (Answer(500), SourceDown, 4),
        (Answer(404), Malformed, 1),
        (Answer(302, headers={"Location": "http://127.0.0.1:1/"}), SourceDown, 4),
        (Answer(429), RateLimited, 4),
        (Answer(429, headers={"Retry-After": "31"}), RateLimited, 1),
        (Answer(401), AuthRequired, 1),
        (Answer(403), AuthRequired, 1),
        (Answer(400, b"LOGOUT"), AuthRequired, 1),
        (Answer(400, b"<a>LOGOUT</a>"), Malformed, 1),
        (Answer(body=b"rows", announced=100), SourceDown, 4),
        (Answer(body=b"rows", announced=100, chunked=True), SourceDown, 4),
        (Answer(body=b"x" * 10_001), SourceDown, 4),
    ],
    ids=lambda value: f"{value.status}-{len(value.body)}" if isinstance(value, Answer) else None,
)
def test_a_lasting_fault_ends_in_its_outcome_and_leaks_nothing(
    recording: Recording, answer: Answer, outcome: type[CollectionOutcome], attempts: int
) -> None:
    with ScriptedServer(answer) as server, pytest.raises(outcome) as caught:
        recording.get(server)
    assert len(server.asked) == len(recording.calls) == len(recording.acquired) == attempts
    assert {call.outcome for call in recording.calls} == {outcome.outcome}
    assert {call.status for call in recording.calls} == {answer.status}
    assert KEY not in f"{caught.value!r} {caught.value} {recording.calls}"


@pytest.mark.parametrize(
    "fault",
    [
        Answer(silence=0.8),
        Answer(body=b"x" * 8, drip=0.3),
        Answer(body=b"x" * 8, drip=0.3, chunked=True),
    ],
    ids=["silence", "drip", "chunked drip"],
)
def test_a_slow_answer_is_cut_off_in_time(recording: Recording, fault: Answer) -> None:
    with ScriptedServer(fault) as server, pytest.raises(SourceDown):
        recording.get(server, replace(LIMITS, attempts=1))
    [call] = recording.calls
    assert call.bytes < len(fault.body)


def test_a_passing_fault_is_outlived_with_growing_pauses(recording: Recording) -> None:
    with ScriptedServer(Answer(500), Answer(429), Answer(announced=9), OK) as server:
        assert recording.get(server) == b"rows"
    assert [call.outcome for call in recording.calls] == ["source_down", "rate_limited", "source_down", "ok"]
    assert [call.attempt for call in recording.calls] == [1, 2, 3, 4]
    first, second, third = recording.waits
    assert 0.5 <= first <= 1.0 <= second <= 1.5 < third <= 2.5


def test_retry_after_is_heeded_in_both_forms(recording: Recording) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    script = [Answer(429, headers={"Retry-After": "3"}), Answer(429, headers={"Retry-After": moment}), OK]
    with ScriptedServer(*script) as server:
        recording.get(server)
    seconds, until = recording.waits
    assert seconds == 3
    assert 15 < until <= 20


def test_a_call_is_recorded_with_what_came(recording: Recording) -> None:
    with ScriptedServer(Answer(body=b"x" * 1_234)) as server:
        recording.get(server)
    [call] = recording.calls
    assert (call.source, call.endpoint, call.status, call.bytes) == ("source", "/rows", 200, 1_234)
    assert call.latency > 0


def test_the_endpoint_given_stands_for_the_path(recording: Recording) -> None:
    with ScriptedServer() as server, recording.transport() as transport:
        transport.get("naver", f"{server.url}/api/stock/069500/etfAnalysis", LIMITS, endpoint="etfAnalysis")
    assert recording.acquired == [("naver", "etfAnalysis", Priority.SESSION)]
    assert recording.calls[0].endpoint == "etfAnalysis"


def test_compressed_bodies_arrive_whole(recording: Recording) -> None:
    body = b"rows " * 1_000
    answer = Answer(body=gzip.compress(body), headers={"Content-Encoding": "gzip"})
    with ScriptedServer(answer) as server:
        assert recording.get(server) == body


def test_a_small_body_that_unpacks_too_large_is_refused(recording: Recording) -> None:
    answer = Answer(body=gzip.compress(bytes(10_000_000)), headers={"Content-Encoding": "gzip"})
    with ScriptedServer(answer) as server, pytest.raises(SourceDown, match="more than 10,000 bytes"):
        recording.get(server, replace(LIMITS, attempts=1))


def test_connections_are_reused(recording: Recording) -> None:
    with ScriptedServer(OK, Answer(chunked=True), OK) as server, recording.transport() as transport:
        for _ in range(4):
            transport.get("source", server.url, LIMITS)
    assert len({asked.client_port for asked in server.asked}) == 1


def test_forms_and_objects_are_posted(recording: Recording) -> None:
    with ScriptedServer() as server, recording.transport() as transport:
        transport.post("source", server.url, LIMITS, data={"bld": "MDCSTAT01501"})
        transport.post("source", server.url, LIMITS, json={"appkey": KEY}, headers={"tr_id": "ka10081"})
    form, document = server.asked
    assert (form.method, form.body) == ("POST", b"bld=MDCSTAT01501")
    assert (document.body, document.headers["tr_id"]) == (b'{"appkey": "%s"}' % KEY.encode(), "ka10081")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "not a url", "http://[/"])
def test_an_address_nobody_answers_is_down(recording: Recording, url: str) -> None:
    with recording.transport() as transport, pytest.raises(SourceDown):
        transport.get("source", url, LIMITS, headers={"AUTH_KEY": KEY})


@pytest.mark.parametrize(("mistake", "outcome"), [("\n", SourceDown), ("\u200b", AuthRequired)])
def test_a_header_that_cannot_be_sent_is_told_without_its_value(
    recording: Recording, mistake: str, outcome: type[CollectionOutcome]
) -> None:
    with ScriptedServer() as server, recording.transport() as transport, pytest.raises(outcome) as caught:
        transport.get("source", server.url, LIMITS, headers={"AUTH_KEY": KEY + mistake})
    assert KEY not in str(caught.value)
    assert server.asked == []


class TestAdapter:
    """A client library's session, which knows nothing of us."""

    def session(self, transport: Transport, server: ScriptedServer, **options: object) -> requests.Session:
        session = requests.Session()
        adapter = transport.adapter("portal", LIMITS, base_url=server.url, **options)  # type: ignore[arg-type]
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session

    def test_requests_go_to_the_base_url_under_the_limits(self, recording: Recording) -> None:
        bodies: list[tuple[str | None, bytes]] = []
        with ScriptedServer(Answer(body=b'{"a": 1}')) as server, recording.transport() as transport:
            session = self.session(transport, server, on_body=lambda request, body: bodies.append((request.url, body)))
            answer = session.post("https://data.krx.co.kr/comm/getJsonData.cmd?x=1", data={"bld": "a"})
        url = "https://data.krx.co.kr/comm/getJsonData.cmd?x=1"
        assert (answer.json(), answer.url, answer.request.url) == ({"a": 1}, url, url)
        assert (server.asked[0].path, server.asked[0].body) == ("/comm/getJsonData.cmd?x=1", b"bld=a")
        assert bodies == [(url, b'{"a": 1}')]
        assert recording.acquired == [("portal", "/comm/getJsonData.cmd", Priority.SESSION)]
        assert [call.outcome for call in recording.calls] == ["ok"]

    def test_its_cookies_stay_with_the_sources_host_and_in_its_session(self, recording: Recording) -> None:
        script = Answer(headers={"Set-Cookie": "JSESSIONID=1; Path=/"})
        with ScriptedServer(script) as server, recording.transport() as transport:
            session = self.session(transport, server)
            for _ in range(2):
                session.get("http://data.krx.co.kr/")
            transport.get("portal", server.url, LIMITS)
        assert [asked.headers.get("Cookie") for asked in server.asked] == [None, "JSESSIONID=1", None]
        assert session.cookies.list_domains() == ["data.krx.co.kr"]

    def test_redirects_and_client_errors_are_its_own_to_read(self, recording: Recording) -> None:
        script = [Answer(302, headers={"Location": "/there"}), Answer(404, b"nothing here")]
        bodies: list[bytes] = []
        with ScriptedServer(*script) as server, recording.transport() as transport:
            session = self.session(transport, server, on_body=lambda _, body: bodies.append(body))
            answer = session.get("https://fc.yahoo.com/here")
        assert (answer.status_code, answer.text, answer.url) == (404, "nothing here", "https://fc.yahoo.com/there")
        assert [asked.path for asked in server.asked] == ["/here", "/there"]
        assert bodies == []

    @pytest.mark.parametrize(
        ("answer", "outcome"),
        [(Answer(500), SourceDown), (Answer(429), RateLimited), (Answer(400, b"LOGOUT"), AuthRequired)],
        ids=["500", "429", "LOGOUT"],
    )
    def test_it_sees_typed_outcomes(
        self, recording: Recording, answer: Answer, outcome: type[CollectionOutcome]
    ) -> None:
        with ScriptedServer(answer) as server, recording.transport() as transport, pytest.raises(outcome):
            self.session(transport, server).get("https://data.krx.co.kr/")

    def test_a_request_names_its_endpoint(self, recording: Recording) -> None:
        with ScriptedServer() as server, recording.transport() as transport:
            session = self.session(transport, server, endpoint=lambda request: "chart")
            session.get("https://query2.finance.yahoo.com/v8/finance/chart/005930.KS")
        assert [call.endpoint for call in recording.calls] == ["chart"]


def test_a_source_that_explains_its_errors_is_heard(recording: Recording) -> None:
    def refusal(status: int, head: bytes) -> CollectionOutcome | None:
        return AuthRequired("the token has ended") if b"ENDED" in head else None

    with ScriptedServer(Answer(500, b"ENDED"), Answer(500, b"other"), OK) as server, recording.transport() as transport:
        with pytest.raises(AuthRequired, match="the token has ended"):
            transport.get("source", f"{server.url}/rows", LIMITS, refusal=refusal)
        assert transport.get("source", f"{server.url}/rows", LIMITS, refusal=refusal) == b"rows"
    assert [call.outcome for call in recording.calls] == ["auth_required", "source_down", "ok"]
