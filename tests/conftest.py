"""Servers and recorded data for all tests."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import pytest

from include.datasets.registry import Dataset
from include.pipeline import commit
from include.platform.account import remove_folder
from include.platform.embedded import embedded_engine
from include.platform.ports import LOOPBACK
from include.platform.postgres import Engine, PostgresServer
from include.platform.timescale import TimescaleUnavailableError, timescale_engine
from include.quality.validate import SuiteReport
from include.settings import PROJECT_ROOT, Settings, load_settings
from include.warehouse.migrations import migrate

ENGINES = ("postgres", "timescaledb")
# How long an example takes is the machine's business.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def pytest_configure() -> None:
    """A run that is told to terminate stops its servers, as one that is interrupted does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def free_port() -> int:
    """A port nothing listens on, far from those a platform running on this machine would choose."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@contextmanager
def open_temporary_folder() -> Iterator[Path]:
    """A temporary folder that the server's account can enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="krxw-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def running_server(engine: Engine) -> Iterator[PostgresServer]:
    """A server with data of its own, as fast as it gets: what a test wrote need not survive a power cut."""
    with open_temporary_folder() as folder:
        server = PostgresServer(folder / "server", engine, NOT_DURABLE)
        try:
            server.start(free_port())
            yield server
        finally:
            server.stop("immediate")
            remove_folder(server.folder)


@pytest.fixture
def unused_port() -> int:
    """A port nothing listens on."""
    return free_port()


@pytest.fixture
def open_tmp() -> Iterator[Path]:
    """A temporary folder that the server's account can enter, unlike ``tmp_path``."""
    with open_temporary_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres_engine() -> Engine:
    """The programs of plain PostgreSQL."""
    return embedded_engine(load_settings().home / "postgresql-binaries")


@pytest.fixture(scope="session")
def timescaledb_engine() -> Engine:
    """The programs of TimescaleDB. Not to be had: skipped, or failed under KRXW_REQUIRE_TIMESCALEDB=1."""
    try:
        return timescale_engine(load_settings().home / "timescaledb")
    except TimescaleUnavailableError as error:
        if os.environ.get("KRXW_REQUIRE_TIMESCALEDB") == "1":
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def postgres_server(postgres_engine: Engine) -> Iterator[PostgresServer]:
    """Plain PostgreSQL."""
    with running_server(postgres_engine) as server:
        yield server


@pytest.fixture(scope="session")
def timescale_server(timescaledb_engine: Engine) -> Iterator[PostgresServer]:
    """PostgreSQL with TimescaleDB."""
    with running_server(timescaledb_engine) as server:
        yield server


@pytest.fixture(scope="session", params=ENGINES)
def server(request: pytest.FixtureRequest) -> PostgresServer:
    """Each kind of server in turn."""
    fixtures = {"postgres": "postgres_server", "timescaledb": "timescale_server"}
    server: PostgresServer = request.getfixturevalue(fixtures[request.param])
    return server


@pytest.fixture
def empty_database(server: PostgresServer) -> Iterator[str]:
    """The connection string of a new, empty database on each kind of server."""
    name = f"test_{secrets.token_hex(6)}"
    yield server.create_database(name)
    server.drop_database(name)


@pytest.fixture(scope="session")
def migrated_template(server: PostgresServer) -> str:
    """A database with the schema, to be copied: much faster than migrating one per test."""
    name = f"template_{secrets.token_hex(6)}"
    migrate(server.create_database(name))
    server.close_database(name)
    return name


@pytest.fixture
def warehouse(server: PostgresServer, migrated_template: str) -> Iterator[str]:
    """The connection string of an empty warehouse on each kind of server."""
    name = f"warehouse_{secrets.token_hex(6)}"
    yield server.create_database(name, template=migrated_template)
    server.drop_database(name)


@pytest.fixture
def settings(warehouse: str, tmp_path: Path) -> Settings:
    """Settings of an empty warehouse, landing zone and cold storage."""
    return load_settings({"KRXW_HOME": str(tmp_path), "KRXW_WAREHOUSE_DSN": warehouse})


@pytest.fixture(scope="module")
def without_suites() -> Iterator[None]:
    """A module's loads without their expectation suites, which take a second each and have tests of their own."""

    def passed(_: str, dataset: Dataset, __: str, batch_id: int) -> SuiteReport:
        return SuiteReport(dataset.name, batch_id, datetime.now(UTC), True, (), None, None)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commit, "run_suite", passed)
        yield


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of recorded market data."""
    folder = Path(os.environ.get("KRXW_SAMPLES", PROJECT_ROOT.parent / "shared" / "samples"))
    if not folder.is_dir():
        pytest.skip(f"no recorded data: {folder} is absent; set KRXW_SAMPLES to the folder that holds it")
    return folder
