"""KRX Open API through the real transport, against the simulator's server, in good days and bad."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pyarrow as pa
import pytest
import requests

from include.crawlers.krx_openapi import CRAWLERS
from include.crawlers.source import Chunk
from include.crawlers.transport import CallRecord, SourceLimits, Transport
from include.datasets.daily_bar import DATASET
from include.outcomes import (
    AuthRequired,
    CollectionOutcome,
    Malformed,
    NotASession,
    NotPublished,
    SourceDown,
    SourceNotConfiguredError,
)
from include.quality.row_rules import mark_violations
from include.simulator.krx_open_api import KrxOpenApiServer
from include.simulator.market import SimulatedMarket

CRAWLER = CRAWLERS["daily_bar"]
KEY = "key-that-must-not-leak"
SESSION = date(2023, 3, 15)


class Unlimited:
    """A limiter that lets every call through."""

    def acquire(self, source: str, limits: SourceLimits) -> None:
        """At once."""


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return SimulatedMarket(seed=9, symbols=80, first=date(2023, 3, 2), last=date(2023, 3, 31))


@pytest.fixture
def server(market: SimulatedMarket) -> Iterator[KrxOpenApiServer]:
    with KrxOpenApiServer(market, auth_key=KEY) as running:
        yield running


class Asking:
    """Asks the server the way the pipeline does, and keeps the calls' records."""

    def __init__(self, server: KrxOpenApiServer, key: str = KEY) -> None:
        self.calls: list[CallRecord] = []
        self.waits: list[float] = []
        self._environment = {"KRXW_KRX_OPENAPI_URL": server.base_url, "KRXW_KRX_OPENAPI_KEY": key}
        self._transport = Transport(Unlimited(), self.calls.append, self.waits.append)

    def bars(self, day: date) -> pa.Table:
        chunk = Chunk(day, day)
        return CRAWLER.parse(CRAWLER.fetch(chunk, self._transport, self._environment), chunk)


def _switch(server: KrxOpenApiServer, kind: str, **options: object) -> None:
    answer = requests.post(
        f"{server.base_url}/control/fault", json={"endpoint": "*", "kind": kind, "times": None, **options}, timeout=5
    )
    answer.raise_for_status()


def test_a_session_arrives_as_the_market_was(server: KrxOpenApiServer, market: SimulatedMarket) -> None:
    rows = Asking(server).bars(SESSION).sort_by("symbol")
    truth = market.session_table(SESSION).sort_by("symbol")
    assert rows.schema == DATASET.parsed_schema
    for name in truth.column_names:
        assert rows[name].to_pylist() == truth[name].to_pylist(), name
    assert mark_violations(rows, DATASET)["violated_rule"].null_count == rows.num_rows


def test_a_closed_day_is_not_a_session(server: KrxOpenApiServer) -> None:
    with pytest.raises(NotASession):
        Asking(server).bars(SESSION + timedelta(days=3))


def test_a_wrong_key_is_told_at_once_and_not_repeated(server: KrxOpenApiServer) -> None:
    asking = Asking(server, key="wrong-secret-key")
    with pytest.raises(AuthRequired) as caught:
        asking.bars(SESSION)
    assert "wrong-secret-key" not in str(caught.value)
    assert [call.outcome for call in asking.calls] == ["auth_required"]


def test_no_key_says_what_to_set(server: KrxOpenApiServer) -> None:
    with pytest.raises(SourceNotConfiguredError, match="KRXW_KRX_OPENAPI_KEY"):
        CRAWLER.fetch(Chunk(SESSION, SESSION), Transport(Unlimited(), print), {})


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("http_500", SourceDown),
        ("truncated_body", (SourceDown, Malformed)),
        ("maintenance_html", Malformed),
        ("empty_list", NotPublished),
        ("yesterdays_data", Malformed),
        ("renamed_column", Malformed),
        ("missing_column", Malformed),
        ("wrong_encoding", Malformed),
        ("comma_strings", Malformed),
    ],
)
def test_every_lasting_fault_is_a_typed_outcome_that_leaks_nothing(
    server: KrxOpenApiServer, kind: str, outcome: type[CollectionOutcome]
) -> None:
    _switch(server, kind)
    asking = Asking(server)
    with pytest.raises(outcome) as caught:
        asking.bars(SESSION)
    assert KEY not in str(caught.value)
    assert KEY not in str(asking.calls)


@pytest.mark.parametrize("kind", ["http_500", "http_429", "truncated_body"])
def test_a_passing_fault_is_outlived(server: KrxOpenApiServer, market: SimulatedMarket, kind: str) -> None:
    _switch(server, kind, times=2)
    asking = Asking(server)
    rows = asking.bars(SESSION)
    assert rows.num_rows == market.session_table(SESSION).num_rows
    assert len(asking.calls) == 5
    assert len(asking.waits) == 2


def test_retry_after_is_heeded(server: KrxOpenApiServer) -> None:
    _switch(server, "http_429", times=1, retry_after=3)
    asking = Asking(server)
    asking.bars(SESSION)
    assert asking.waits == [3.0]


def test_a_server_that_is_gone_is_down() -> None:
    asking = Asking.__new__(Asking)
    asking.calls, asking.waits = [], []
    asking._environment = {"KRXW_KRX_OPENAPI_URL": "http://127.0.0.1:1", "KRXW_KRX_OPENAPI_KEY": KEY}
    asking._transport = Transport(Unlimited(), asking.calls.append, asking.waits.append)
    with pytest.raises(SourceDown):
        asking.bars(SESSION)
    assert len(asking.calls) == 4
