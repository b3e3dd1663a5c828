"""One local PostgreSQL server run from a folder of binaries, listening on the loopback address only."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from include.platform.account import Account, open_folder, owner_of, server_account
from include.platform.errors import PlatformError
from include.platform.ports import LOOPBACK, first_free, is_free, require_free
from include.platform.private_files import write_private
from include.platform.processes import wait_until_gone

OWNER = "krxw"
"""The role that owns the server (initdb's superuser)."""
FIRST_PORT = 5432
ENGINE_FILE = "engine"
PORT_VARIABLE = "KRXW_POSTGRES_PORT"
FREE_BYTES_NEEDED = 512 * 1024**2
ORPHAN_SECONDS = 30
START_SECONDS = 600  # recovery after a crash replays up to max_wal_size

# For two cores and 4 GB. Nothing here weakens durability: fsync and synchronous_commit keep their defaults.
SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "listen_addresses": LOOPBACK,
        "unix_socket_directories": "",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "shared_buffers": "256MB",
        "effective_cache_size": "1GB",
        "work_mem": "32MB",
        "maintenance_work_mem": "256MB",
        "max_wal_size": "4GB",
        "wal_compression": "on",
        "checkpoint_timeout": "30min",
        "random_page_cost": "1.1",
        "max_parallel_workers_per_gather": "1",
        "max_locks_per_transaction": "256",
        "jit": "off",
    }
)


class PostgresError(PlatformError):
    """The local PostgreSQL server could not do what was asked; the message says what and why."""


@dataclass(frozen=True)
class Engine:
    """A build of PostgreSQL: the folder of its programs and the settings this build needs."""

    name: str
    binaries: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    def program(self, name: str) -> Path:
        """The path of one of its programs.

        Raises:
            PostgresError: the program is not there.
        """
        path = self.binaries / name
        if not path.is_file():
            raise PostgresError(f"{self.name}: the program {name} is missing from {self.binaries}")
        return path


@dataclass(frozen=True)
class ServerStatus:
    """A running server."""

    pid: int
    port: int


class PostgresServer:
    """A server whose data, log, password and port are kept in ``folder``.

    Args:
        folder: created by :meth:`start`. May turn out to be a symbolic link, see
            :func:`include.platform.account.open_folder`.
        engine: the build to run.
        settings: server settings over ``SETTINGS`` and the engine's own.
    """

    def __init__(self, folder: Path, engine: Engine, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.engine = engine
        self.settings = {**SETTINGS, **engine.settings, **(settings or {})}

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.folder.resolve() / "data"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder.resolve() / "server.log"

    @property
    def passfile(self) -> Path:
        """The passwords of the server's roles, in libpq's format, readable by the caller only."""
        return self.folder.resolve() / "passfile"

    @property
    def is_initialised(self) -> bool:
        """Whether a data directory was made."""
        return self.data.is_dir()

    @property
    def port(self) -> int:
        """The port of the last start.

        Raises:
            PostgresError: the server was never started.
        """
        kept = self._port_file
        if not kept.is_file():
            raise PostgresError(f"the server in {self.folder} was never started; `krxw up` starts it")
        return int(kept.read_text())

    def start(self, port: int | None = None) -> ServerStatus:
        """Start the server, making its data directory the first time; a running server is left as it is.

        Args:
            port: the port to listen on. Without it the port of the last start, or the first free one
                from ``FIRST_PORT`` on.

        Raises:
            PortInUseError: ``port`` is taken.
            PostgresError: not enough disk, programs missing, the data belongs to someone else, or the
                server did not start; the message carries the reason the server gave.
        """
        running = self.status()
        if running is not None:
            if port not in (None, running.port):
                raise PostgresError(
                    f"the server in {self.folder} already runs on port {running.port}, not on {port}; "
                    f"stop it first (`krxw down`)"
                )
            return running
        self._require_disk()
        account = self._account()
        folder = open_folder(self.folder, account)
        if not self.is_initialised:
            self._initialise(folder, account)
        self._port_file.write_text(f"{self._choose_port(port)}\n")
        self._clear_up_after_a_kill()
        self._launch(account)
        status = self.status()
        if status is None:
            raise PostgresError(f"{self.engine.name} ended right after its start. {self._last_words()}")
        return status

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop the server; does nothing when it does not run.

        Args:
            mode: ``fast`` ends sessions and writes everything out, ``immediate`` leaves that to recovery.

        Raises:
            PostgresError: it did not stop.
        """
        if self.status() is None:
            return
        stopped = self._pg_ctl(self._account(), "stop", "-w", "-t", "120", "-m", mode)
        if stopped.returncode != 0:
            raise PostgresError(f"{self.engine.name} did not stop: {stopped.stdout}{stopped.stderr}")

    def status(self) -> ServerStatus | None:
        """The running server, or None."""
        if not self.is_initialised:
            return None
        self._account()  # refuses whoever may not look
        if not self._pid_file.exists():
            return None
        lines = self._pid_file.read_text().splitlines()
        pid = int(lines[0])
        if not psutil.pid_exists(pid) or not self._works_here(psutil.Process(pid)):
            return None
        return ServerStatus(pid=pid, port=int(lines[3]))

    def dsn(self, database: str, role: str = OWNER) -> str:
        """The connection string (libpq URI) of ``database`` for ``role``; the password is in ``passfile``."""
        passfile = quote(str(self.passfile), safe="/")
        return f"postgresql://{quote(role)}@{LOOPBACK}:{self.port}/{quote(database)}?passfile={passfile}"

    def create_database(self, name: str, *, owner: str = OWNER, template: str = "template0") -> str:
        """Create the database ``name`` if there is none, and return its connection string for its owner.

        Args:
            name: of the database.
            owner: the role that owns it.
            template: the database to copy, closed by :meth:`close_database`. By default an empty one
                (not template1: TimescaleDB's launcher visits it, and a visited database is not copied).
        """
        with self._connect() as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
            if found is None:
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
                        sql.Identifier(name), sql.Identifier(owner), sql.Identifier(template)
                    )
                )
        return self.dsn(name, owner)

    def close_database(self, name: str) -> None:
        """End the sessions of the database ``name`` and let no more in; from then on it can be a template."""
        with self._connect() as connection:
            connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
            connection.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s", [name]
            )

    def drop_database(self, name: str) -> None:
        """Drop the database ``name`` and end its sessions; does nothing when there is none."""
        with self._connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def create_role(self, role: str) -> None:
        """Create the role if there is none."""
        with self._connect() as connection:
            if not _role_exists(connection, role):
                connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))

    def allow_login(self, role: str) -> None:
        """Let ``role`` log in, with a generated password kept in ``passfile``.

        Raises:
            PostgresError: there is no such role.
        """
        with self._connect() as connection:
            if not _role_exists(connection, role):
                raise PostgresError(f"the server in {self.folder} has no role {role}")
            # The server gets a verifier, so that its log never holds the password.
            verifier = connection.pgconn.encrypt_password(
                self._password(role).encode(), role.encode(), b"scram-sha-256"
            ).decode()
            connection.execute(
                sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(verifier))
            )

    @property
    def _pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    @property
    def _port_file(self) -> Path:
        return self.folder.resolve() / "port"

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.dsn("postgres"), autocommit=True, connect_timeout=30)

    def _account(self) -> Account:
        if not self.is_initialised:
            return server_account()
        account = owner_of(self.data)
        if os.geteuid() not in (0, account.uid):
            raise PostgresError(
                f"{self.data} belongs to the user {account.name}; run this as that user or as root, "
                f"or keep your own warehouse elsewhere: KRXW_HOME=<folder>"
            )
        return account

    def _choose_port(self, asked: int | None) -> int:
        if asked is not None:
            return require_free(asked, PORT_VARIABLE)
        if self._port_file.is_file() and is_free(self.port):
            return self.port
        return first_free(FIRST_PORT)

    def _require_disk(self) -> None:
        existing = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        free = shutil.disk_usage(existing).free
        if free < FREE_BYTES_NEEDED:
            raise PostgresError(
                f"not enough disk for a database: {free // 1024**2} MB free at {existing}, "
                f"{FREE_BYTES_NEEDED // 1024**2} MB needed. Free some, or set KRXW_HOME to another disk."
            )

    def _initialise(self, folder: Path, account: Account) -> None:
        password_file = folder / "initial-password"
        write_private(password_file, self._password(OWNER), account)
        write_private(self.log, "", account)
        # initdb removes what it made when it fails, so it gets a folder of its own to make.
        parent = folder / "new"
        parent.mkdir(exist_ok=True)
        os.chown(parent, account.uid, account.gid)
        try:
            made = account.run(
                [
                    self.engine.program("initdb"),
                    *("-D", parent / "data", "-U", OWNER, "-E", "UTF8", f"--pwfile={password_file}"),
                    *("--auth-local=reject", "--auth-host=scram-sha-256"),
                    # The same ordering of text on every machine.
                    *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                ],
                cwd=folder,
            )
            if made.returncode != 0:
                raise PostgresError(f"{self.engine.name}: initdb failed: {_reason(made.stdout + made.stderr)}")
            (folder / ENGINE_FILE).write_text(f"{self.engine.name}\n")
            (parent / "data").rename(self.data)
        finally:
            password_file.unlink()
            shutil.rmtree(parent)

    def _works_here(self, process: psutil.Process) -> bool:
        """Whether a process is of this server: PostgreSQL's work in the data directory."""
        try:
            return process.cwd() == str(self.data)
        except psutil.Error:  # ended meanwhile, a zombie, or someone else's
            return False

    def _clear_up_after_a_kill(self) -> None:
        """Wait for the orphans of a killed server, then remove its pid file: PostgreSQL itself would take
        a zombie, or another process that has the number since, for the server."""
        if not self._pid_file.exists():
            return
        orphans = [process for process in psutil.process_iter() if self._works_here(process)]
        alive = wait_until_gone(orphans, ORPHAN_SECONDS)
        if alive:
            raise PostgresError(
                f"processes of a server that was killed still use {self.data}: "
                f"{', '.join(str(process.pid) for process in alive)}. Wait, or end them, and start again."
            )
        self._pid_file.unlink()

    def _launch(self, account: Account) -> None:
        said_before = self.log.stat().st_size
        options = {**self.settings, "port": str(self.port)}
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        started = self._pg_ctl(
            account,
            *("start", "-w", "-t", str(START_SECONDS), "-l", str(self.log)),
            *("-p", str(self.engine.program("postgres")), "-o", shlex.join(arguments)),
        )
        if started.returncode == 0:
            return
        with self.log.open(errors="replace") as log:
            log.seek(said_before)
            said = log.read()
        raise PostgresError(f"{self.engine.name} did not start: {_reason(said or started.stderr)}")

    def _pg_ctl(self, account: Account, *arguments: str) -> subprocess.CompletedProcess[str]:
        return account.run([self.engine.program("pg_ctl"), "-D", self.data, *arguments], cwd=self.data)

    def _last_words(self) -> str:
        return _reason(self.log.read_text(errors="replace"))

    def _password(self, role: str) -> str:
        prefix = f"{LOOPBACK}:*:*:{role}:"
        lines = self.passfile.read_text().splitlines() if self.passfile.is_file() else []
        for line in lines:
            if line.startswith(prefix):
                return line.removeprefix(prefix)
        password = secrets.token_urlsafe(24)
        write_private(self.passfile, "".join(f"{line}\n" for line in [*lines, prefix + password]))
        return password


def kept_engine(folder: Path) -> str | None:
    """The name of the engine that made the server's data in ``folder``, or None when there is none."""
    kept = folder / ENGINE_FILE
    return kept.read_text().strip() if kept.is_file() else None


def _role_exists(connection: psycopg.Connection[tuple[object, ...]], role: str) -> bool:
    return connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() is not None


def _reason(output: str) -> str:
    text = "\n".join(output.strip().splitlines()[-12:])
    if "No space left on device" in output:
        return f"the disk is full. Free some space, or set KRXW_HOME to another disk.\n{text}"
    return text
