"""A small simulated world, its sources on loopback, and a transport that neither waits between attempts nor paces."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict

from include.crawlers.transport import Priority, SourceLimits, Transport
from include.pipeline import ingest, job
from include.platform.postgres import PostgresServer
from include.settings import Settings, load_settings
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.servers.broker_tokens import UNLIMITED
from include.simulator.sources import SimulatedSources
from include.simulator.world import World
from include.warehouse.migrations import migrate
from tests.faults.clock import Clock

Warehouses = Callable[..., AbstractContextManager[Settings]]


class Unpaced:
    """Lets every call through: pacing has tests of its own."""

    def acquire(self, source: str, endpoint: str, limits: SourceLimits, priority: Priority) -> None:
        """At once."""


class ImpatientTransport(Transport):
    """Tries ``attempts`` times, without a pause; while ``hurried`` once, for a tenth of a second."""

    attempts = 2
    hurried = False

    def __init__(self, limiter: object, *arguments: Any, **options: Any) -> None:
        super().__init__(Unpaced(), *arguments, **options, sleep=lambda _: None)

    def _limits(self, source: str, limits: SourceLimits) -> SourceLimits:
        if self.hurried:
            return replace(limits, read=0.1, total=0.1, attempts=1)
        return replace(limits, attempts=self.attempts)


@pytest.fixture(autouse=True, scope="module")
def quick_jobs() -> Iterator[None]:
    """All jobs use the impatient transport, and write no report for people."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "Transport", ImpatientTransport)
        patch.setattr(ingest, "write_data_docs", lambda *_: None)
        yield


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it to have slow answers given up soon."""
    return lambda: monkeypatch.setattr(ImpatientTransport, "hurried", True)


@pytest.fixture(scope="module")
def world() -> World:
    """Fifty stocks. On 2025-06-27 one is delisted and six go ex-dividend."""
    return World(SimulatedMarket(seed=3537, symbols=50, first=date(2025, 3, 3), last=date(2025, 7, 11)))


@pytest.fixture(scope="module")
def clock() -> Clock:
    """The sources' clock."""
    return Clock()


@pytest.fixture(scope="module")
def sources(world: World, clock: Clock) -> Iterator[SimulatedSources]:
    """All sources of the world."""
    with SimulatedSources(world, clock.now, broker_limits=UNLIMITED) as running:
        yield running


@pytest.fixture(scope="module")
def environment(sources: SimulatedSources, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a process that asks the simulated sources sees; nothing of this process's own."""
    return {"KRXW_HOME": str(tmp_path_factory.mktemp("home")), **sources.environment}


@pytest.fixture(scope="module")
def warehouses(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouses]:
    """Opens empty warehouses, or copies of the one whose settings are given, with an empty landing zone."""
    schema = f"template_{secrets.token_hex(6)}"
    migrate(postgres_server.create_database(schema))
    postgres_server.close_database(schema)

    @contextmanager
    def warehouse(like: Settings | None = None) -> Iterator[Settings]:
        template = conninfo_to_dict(like.warehouse_dsn)["dbname"] if like else schema
        name = f"warehouse_{secrets.token_hex(6)}"
        home: Path = tmp_path_factory.mktemp("warehouse")
        dsn = postgres_server.create_database(name, template=template)
        try:
            yield load_settings({"KRXW_HOME": str(home), "KRXW_WAREHOUSE_DSN": dsn})
        finally:
            postgres_server.drop_database(name)

    yield warehouse
    postgres_server.drop_database(schema)
