from __future__ import annotations

import os
import shutil
import socket
import stat
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import adbc_driver_postgresql.dbapi
import psutil
import psycopg
import pytest
import sqlalchemy

from include.platform import account, postgres
from include.platform.errors import PlatformError
from include.platform.ports import LOOPBACK, PortInUseError, asked_port
from include.platform.postgres import Engine, PostgresError, PostgresServer, kept_engine
from include.platform.processes import wait_until_gone


@pytest.fixture
def new_server(open_tmp: Path, postgres_engine: Engine) -> Iterator[PostgresServer]:
    """A server that was never started."""
    server = PostgresServer(open_tmp / "server", postgres_engine)
    yield server
    server.stop("immediate")
    account.remove_folder(server.folder)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_each_server_gives_a_database_to_every_client(empty_database: str) -> None:
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with adbc_driver_postgresql.dbapi.connect(empty_database) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
    for driver in ("psycopg", "psycopg2"):
        engine = sqlalchemy.create_engine(empty_database.replace("postgresql", f"postgresql+{driver}", 1))
        with engine.connect() as connection:
            assert connection.execute(sqlalchemy.text("SELECT 1")).scalar() == 1
        engine.dispose()


def test_a_server_orders_text_the_same_on_every_machine(empty_database: str) -> None:
    with psycopg.connect(empty_database) as connection:
        rows = connection.execute("SELECT x FROM unnest(ARRAY['가', 'b', 'B', 'a', '0']) x ORDER BY x").fetchall()
    assert [x for (x,) in rows] == ["0", "B", "a", "b", "가"]


def test_a_server_listens_on_the_loopback_address_only(server: PostgresServer) -> None:
    status = server.status()
    assert status is not None
    listening = [c.laddr for c in psutil.Process(status.pid).net_connections("all") if c.status == "LISTEN"]
    assert listening == [(LOOPBACK, status.port)]


def test_a_server_is_entered_with_its_password_only(server: PostgresServer) -> None:
    assert stat.S_IMODE(server.passfile.stat().st_mode) == 0o600
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(server.dsn("postgres").partition("?")[0], passfile="/nonexistent")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.dsn("postgres"), password="guess")  # noqa: S106


def test_a_role_logs_in_with_a_password_of_its_own(server: PostgresServer) -> None:
    with pytest.raises(PostgresError, match="no role reader"):
        server.allow_login("reader")
    server.create_role("reader")
    server.create_role("reader")
    server.allow_login("reader")
    before = server.passfile.read_text()
    server.allow_login("reader")
    assert server.passfile.read_text() == before
    with psycopg.connect(server.dsn("postgres", "reader")) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("reader",)


def test_a_closed_database_can_be_copied_while_timescaledb_watches(server: PostgresServer) -> None:
    with psycopg.connect(server.create_database("original")) as connection:
        if server.engine.name == "timescaledb":
            connection.execute("CREATE EXTENSION timescaledb")
        connection.execute("CREATE TABLE kept AS SELECT 1 AS x")
        connection.commit()
        server.close_database("original")
    for copy in ("copy_1", "copy_2"):
        with psycopg.connect(server.create_database(copy, template="original")) as connection:
            assert connection.execute("SELECT x FROM kept").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
        psycopg.connect(server.dsn("original"))
    for name in ("original", "copy_1", "copy_2"):
        server.drop_database(name)
        server.drop_database(name)


def test_starting_and_stopping_twice_changes_nothing(new_server: PostgresServer, unused_port: int) -> None:
    assert new_server.status() is None
    new_server.stop()
    first = new_server.start(unused_port)
    assert new_server.start() == first
    assert new_server.start(unused_port) == first
    with pytest.raises(PostgresError, match=f"already runs on port {unused_port}"):
        new_server.start(unused_port + 1)
    new_server.stop()
    new_server.stop()
    assert new_server.status() is None


@pytest.mark.parametrize("engine", ["postgres_engine", "timescaledb_engine"])
def test_committed_rows_survive_a_killed_server(
    engine: str, open_tmp: Path, unused_port: int, request: pytest.FixtureRequest
) -> None:
    server = PostgresServer(open_tmp / "server", request.getfixturevalue(engine))
    try:
        pid = server.start(unused_port).pid
        with psycopg.connect(server.dsn("postgres")) as connection:
            connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 100000) AS x")
            connection.commit()
            busy = psycopg.connect(server.dsn("postgres"))  # its process outlives the server's first one
            first = psutil.Process(pid)
            first.kill()
            assert not wait_until_gone([first], 30)
            server.start()
            busy.close()
        with psycopg.connect(server.dsn("postgres")) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (100_000,)
    finally:
        server.stop("immediate")


def test_a_pid_file_that_names_another_process_is_not_the_server(new_server: PostgresServer, unused_port: int) -> None:
    new_server.start(unused_port)
    pid_file = new_server.data / "postmaster.pid"
    left_behind = pid_file.read_text().splitlines()
    new_server.stop()
    pid_file.write_text("\n".join([str(os.getpid()), *left_behind[1:]]) + "\n")
    assert new_server.status() is None
    assert new_server.start().port == unused_port


def test_a_port_asked_for_must_be_free(new_server: PostgresServer, taken_port: int) -> None:
    with pytest.raises(PortInUseError, match=f"port {taken_port} .*KRXW_POSTGRES_PORT=<port>"):
        new_server.start(taken_port)


def test_a_chosen_port_is_kept_and_gives_way_only_when_taken(
    new_server: PostgresServer, monkeypatch: pytest.MonkeyPatch, taken_port: int
) -> None:
    monkeypatch.setattr(postgres, "FIRST_PORT", taken_port)
    chosen = new_server.start().port
    assert chosen != taken_port
    new_server.stop()
    monkeypatch.setattr(postgres, "FIRST_PORT", chosen + 1)
    assert new_server.start().port == chosen
    new_server.stop()
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, chosen))
        listener.listen()
        assert new_server.start().port != chosen


@pytest.mark.parametrize("value", ["x", "-1", "0", "65536", "54 32"])
def test_a_port_that_is_none_is_named(value: str) -> None:
    with pytest.raises(PlatformError, match=f"KRXW_POSTGRES_PORT is a port.*{value}"):
        asked_port("KRXW_POSTGRES_PORT", {"KRXW_POSTGRES_PORT": value})
    assert asked_port("KRXW_POSTGRES_PORT", {"KRXW_POSTGRES_PORT": ""}) is None


def test_missing_programs_are_named(open_tmp: Path) -> None:
    server = PostgresServer(open_tmp / "server", Engine("postgresql", open_tmp / "nowhere"))
    with pytest.raises(PostgresError, match=r"initdb is missing from .*nowhere"):
        server.start()


def test_too_little_disk_is_said_before_anything_is_made(
    new_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 9 * 10**8, 10**8))
    with pytest.raises(PostgresError, match=r"not enough disk.*95 MB free.*KRXW_HOME"):
        new_server.start()
    assert not new_server.folder.exists()


def test_a_disk_that_fills_up_is_said_and_leaves_nothing_half_made(open_tmp: Path) -> None:
    initdb = open_tmp / "initdb"
    initdb.write_text("#!/bin/sh\necho 'initdb: error: could not write: No space left on device' >&2\nexit 1\n")
    initdb.chmod(0o755)
    server = PostgresServer(open_tmp / "server", Engine("postgresql", open_tmp))
    with pytest.raises(PostgresError, match="the disk is full"):
        server.start()
    assert not server.is_initialised
    assert not [path for path in server.folder.iterdir() if path.name in ("new", "initial-password")]


def test_a_server_that_does_not_start_says_why(open_tmp: Path, postgres_engine: Engine, unused_port: int) -> None:
    server = PostgresServer(open_tmp / "server", postgres_engine, {"shared_buffers": "a lot"})
    with pytest.raises(PostgresError, match='invalid value for parameter "shared_buffers": "a lot"'):
        server.start(unused_port)


def test_the_engine_that_made_the_data_is_remembered(new_server: PostgresServer, unused_port: int) -> None:
    assert kept_engine(new_server.folder) is None
    new_server.start(unused_port)
    assert kept_engine(new_server.folder) == "postgresql"


def test_someone_elses_data_is_refused(
    new_server: PostgresServer, unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_server.start(unused_port)
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: 54321)
        with pytest.raises(PostgresError, match=r"belongs to the user .*KRXW_HOME"):
            new_server.status()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")
def test_root_in_a_closed_folder_keeps_the_data_where_the_account_can_enter(
    open_tmp: Path, postgres_engine: Engine, unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "ELSEWHERE", open_tmp / "elsewhere")
    closed = open_tmp / "closed"
    closed.mkdir(mode=0o700)
    server = PostgresServer(closed / "server", postgres_engine)
    try:
        server.start(unused_port)
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        assert server.data.is_relative_to(open_tmp / "elsewhere")
        assert PostgresServer(closed / "server", postgres_engine).status() == server.status()
    finally:
        server.stop("immediate")
    account.remove_folder(server.folder)
    assert not list((open_tmp / "elsewhere").iterdir())
