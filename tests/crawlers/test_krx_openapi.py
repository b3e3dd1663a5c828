"""KRX Open API through the real transport, against the simulator's server, in good days and bad."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import requests

from include.crawlers.krx_openapi import CRAWLERS
from include.crawlers.source import Chunk
from include.crawlers.transport import CallRecord, Priority, SourceLimits, Transport
from include.datasets.registry import dataset_named
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
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.servers.krx_open_api import KrxOpenApiServer
from include.simulator.world import World

KEY = "key-that-must-not-leak"
SESSION = date(2023, 3, 15)
SUNDAY = SESSION + timedelta(days=4)


class Unlimited:
    """A limiter that lets every call through."""

    def acquire(self, source: str, endpoint: str, limits: SourceLimits, priority: Priority) -> None:
        """At once."""


@pytest.fixture(scope="module")
def world() -> World:
    return World(SimulatedMarket(seed=9, symbols=80, first=date(2023, 3, 2), last=date(2023, 3, 31)))


@pytest.fixture(scope="module")
def running(world: World) -> Iterator[KrxOpenApiServer]:
    with KrxOpenApiServer(world, auth_key=KEY) as server:
        yield server


@pytest.fixture
def server(running: KrxOpenApiServer) -> Iterator[KrxOpenApiServer]:
    yield running
    running.faults.clear()


class Asking:
    """Asks the service the way the pipeline does, and keeps the calls' records."""

    def __init__(self, base_url: str, key: str = KEY) -> None:
        self.calls: list[CallRecord] = []
        self.waits: list[float] = []
        self._environment = {"KRXW_KRX_OPENAPI_URL": base_url, "KRXW_KRX_OPENAPI_KEY": key}

    def rows(self, dataset: str, day: date = SESSION) -> pa.Table:
        chunk = Chunk(day, day)
        transport = Transport(Unlimited(), self.calls.append, self.waits.append)
        try:
            bodies = CRAWLERS[dataset].fetch(chunk, transport, self._environment)
        finally:
            transport.close()
        assert not any(KEY in str(body.request) for body in bodies)
        return CRAWLERS[dataset].parse(bodies, chunk)


def _switch(server: KrxOpenApiServer, kind: str, endpoint: str = "*", **options: object) -> None:
    fault = {"endpoint": endpoint, "kind": kind, "times": None, **options}
    requests.post(f"{server.base_url}/control/fault", json=fault, timeout=5).raise_for_status()


def _sorted(rows: pa.Table, dataset: str) -> pa.Table:
    return rows.sort_by([(name, "ascending") for name in dataset_named(dataset).key])


@pytest.mark.parametrize("dataset", CRAWLERS)
def test_a_session_arrives_as_the_world_is(server: KrxOpenApiServer, world: World, dataset: str) -> None:
    rows = _sorted(Asking(server.base_url).rows(dataset), dataset)
    truth = _sorted(world.table(dataset, SESSION), dataset)
    assert rows.schema == dataset_named(dataset).parsed_schema
    assert mark_violations(rows, dataset_named(dataset))["violated_rule"].null_count == rows.num_rows
    if dataset == "instrument":  # of products the service says little
        said = pc.invert(pc.is_in(truth["kind"], pa.array(["etf", "etn"])))
        assert set(rows.filter(pc.invert(said))["isin"].to_pylist()) == {None}
        silent = ("isin", "full_name", "english_name", "listed_on")
        assert rows.drop_columns(silent).equals(truth.drop_columns(silent))
        rows, truth = rows.filter(said), truth.filter(said)
    for name in truth.column_names:
        assert rows[name].to_pylist() == truth[name].to_pylist(), name


@pytest.mark.parametrize("dataset", CRAWLERS)
def test_a_closed_day_is_not_a_session(server: KrxOpenApiServer, dataset: str) -> None:
    # A closed day has no index, as has a day not published yet: they cannot be told apart.
    with pytest.raises(NotPublished if dataset == "index_bar" else NotASession):
        Asking(server.base_url).rows(dataset, SUNDAY)


@pytest.mark.parametrize(("day", "asked"), [(date(2013, 6, 28), 3), (date(2014, 11, 14), 4), (date(2014, 11, 17), 5)])
def test_a_market_is_not_asked_for_before_it_opened(server: KrxOpenApiServer, day: date, asked: int) -> None:
    asking = Asking(server.base_url)
    with pytest.raises(NotPublished):
        asking.rows("instrument", day)
    assert len(asking.calls) == asked


def test_a_wrong_key_is_told_at_once_and_not_repeated(server: KrxOpenApiServer) -> None:
    asking = Asking(server.base_url, key="wrong-secret-key")
    with pytest.raises(AuthRequired) as caught:
        asking.rows("daily_bar")
    assert "wrong-secret-key" not in str(caught.value)
    assert [call.outcome for call in asking.calls] == ["auth_required"]


def test_no_key_says_what_to_set() -> None:
    with pytest.raises(SourceNotConfiguredError, match="KRXW_KRX_OPENAPI_KEY"):
        CRAWLERS["daily_bar"].fetch(Chunk(SESSION, SESSION), Transport(Unlimited(), print), {})


@pytest.mark.parametrize("dataset", CRAWLERS)
@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("http_500", SourceDown),
        ("truncated_body", (SourceDown, Malformed)),
        ("maintenance_html", Malformed),
        ("empty_list", NotPublished),
        ("renamed_column", Malformed),
        ("missing_column", Malformed),
        ("wrong_encoding", Malformed),
        ("comma_strings", Malformed),
        ("layout_changed", Malformed),
        ("yesterdays_data", Malformed),
    ],
)
def test_every_lasting_fault_is_a_typed_outcome_that_leaks_nothing(
    server: KrxOpenApiServer, dataset: str, kind: str, outcome: type[CollectionOutcome]
) -> None:
    _switch(server, kind)
    asking = Asking(server.base_url)
    with pytest.raises(outcome) as caught:
        asking.rows(dataset)
    assert KEY not in str(caught.value)
    assert KEY not in str(asking.calls)


@pytest.mark.parametrize(
    ("dataset", "endpoint"),
    [
        ("daily_bar", "knx_bydd_trd"),
        ("etp_daily_bar", "etn_bydd_trd"),
        ("instrument", "ksq_isu_base_info"),
        ("index_bar", "krx_dd_trd"),
    ],
)
def test_one_empty_endpoint_among_others_is_malformed(server: KrxOpenApiServer, dataset: str, endpoint: str) -> None:
    _switch(server, "empty_list", endpoint)
    with pytest.raises(Malformed, match=f"{endpoint} is empty"):
        Asking(server.base_url).rows(dataset)


@pytest.mark.parametrize("kind", ["http_500", "http_429", "truncated_body"])
def test_a_passing_fault_is_outlived(server: KrxOpenApiServer, world: World, kind: str) -> None:
    _switch(server, kind, times=2)
    asking = Asking(server.base_url)
    assert asking.rows("daily_bar").num_rows == world.table("daily_bar", SESSION).num_rows
    assert len(asking.calls) == 5
    assert len(asking.waits) == 2


def test_retry_after_is_heeded(server: KrxOpenApiServer) -> None:
    _switch(server, "http_429", times=1, retry_after=3)
    asking = Asking(server.base_url)
    asking.rows("daily_bar")
    assert asking.waits == [3.0]


def test_a_server_that_is_gone_is_down() -> None:
    asking = Asking("http://127.0.0.1:1")
    with pytest.raises(SourceDown):
        asking.rows("daily_bar")
    assert len(asking.calls) == 4
