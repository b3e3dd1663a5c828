"""The local platform as a whole: the server with its databases, the migrations, Airflow."""

from __future__ import annotations

from collections.abc import Callable

from include.platform.account import remove_folder
from include.platform.airflow import PORT_VARIABLE as AIRFLOW_PORT
from include.platform.airflow import start_airflow, stop_airflow
from include.platform.airflow_client import AirflowEndpoint
from include.platform.companions import stop_companions
from include.platform.embedded import embedded_engine
from include.platform.errors import PlatformError
from include.platform.ports import asked_port
from include.platform.postgres import PORT_VARIABLE as POSTGRES_PORT
from include.platform.postgres import PostgresServer, kept_engine
from include.platform.private_files import write_private
from include.platform.timescale import NAME as TIMESCALEDB
from include.platform.timescale import timescale_engine
from include.settings import WAREHOUSE_DSN_FILE, Settings
from include.warehouse.migrations import migrate

# Folders of the home.
DATABASE = "database"
BINARIES = "postgresql-binaries"
# Databases of the server.
WAREHOUSE = "warehouse"
METADATA = "airflow"
Report = Callable[[str], None]


def local_server(settings: Settings, *, timescaledb: bool = False) -> PostgresServer:
    """The server of this home, running or not.

    Args:
        settings: where local state is kept.
        timescaledb: for a new server; one that has data keeps the engine that made it.

    Raises:
        PlatformError: ``timescaledb``, but the data is plain PostgreSQL's; see also the two engines' errors.
    """
    folder = settings.home / DATABASE
    kept = kept_engine(folder)
    if timescaledb and kept not in (None, TIMESCALEDB):
        raise PlatformError(
            f"the data in {folder} is plain PostgreSQL's and does not open with TimescaleDB. "
            f"Keep a TimescaleDB warehouse elsewhere: KRXW_HOME=<folder>"
        )
    if timescaledb or kept == TIMESCALEDB:
        return PostgresServer(folder, timescale_engine(settings.home / TIMESCALEDB))
    return PostgresServer(folder, embedded_engine(settings.home / BINARIES))


def existing_server(settings: Settings) -> PostgresServer | None:
    """The server of this home, running or not; None when no data was ever made."""
    return None if kept_engine(settings.home / DATABASE) is None else local_server(settings)


def start_database(settings: Settings, *, timescaledb: bool = False, report: Report = print) -> list[str]:
    """Start the server if one is needed here, and bring the warehouse's schema up to date.

    With ``KRXW_WAREHOUSE_DSN`` set the warehouse is the one it names; the local server then only holds
    Airflow's metadata.

    Returns:
        The names of the migrations that were applied.
    """
    report("starting the database")
    server = local_server(settings, timescaledb=timescaledb)
    server.start(asked_port(POSTGRES_PORT))
    if settings.dsn is None:
        dsn = server.create_database(WAREHOUSE)
        write_private(settings.home / WAREHOUSE_DSN_FILE, f"{dsn}\n")
    report("bringing the warehouse's schema up to date")
    return migrate(settings.warehouse_dsn)


def start_airflow_here(settings: Settings, *, report: Report = print) -> AirflowEndpoint:
    """Start Airflow with its metadata on the local server, which must run."""
    server = local_server(settings)
    server.create_role(METADATA)
    server.allow_login(METADATA)
    metadata = server.create_database(METADATA, owner=METADATA)
    return start_airflow(settings, metadata, port=asked_port(AIRFLOW_PORT), report=report)


def stop_platform(settings: Settings, *, report: Report = print) -> None:
    """Stop Airflow, what accompanies it, and the server; the data stays."""
    report("stopping Airflow")
    stop_airflow(settings)
    stop_companions(settings)
    report("stopping the database")
    if (server := existing_server(settings)) is not None:
        server.stop()
    (settings.home / WAREHOUSE_DSN_FILE).unlink(missing_ok=True)


def remove_platform(settings: Settings, *, report: Report = print) -> None:
    """Stop everything and remove it: the databases, Airflow's state, the unpacked programs."""
    stop_platform(settings, report=report)
    report("removing the databases and Airflow's state")
    for name in (DATABASE, "airflow", BINARIES, TIMESCALEDB):
        remove_folder(settings.home / name)


def role_dsn(settings: Settings, role: str) -> str:
    """The connection string of the local warehouse for ``role``, which may log in from now on.

    Raises:
        PlatformError: the warehouse is not a local one, or has no such role.
    """
    if settings.dsn is not None:
        raise PlatformError(
            f"KRXW_WAREHOUSE_DSN names a warehouse that is not run from here; "
            f"whoever runs it knows the password of {role}"
        )
    server = local_server(settings)
    server.allow_login(role)
    return server.dsn(WAREHOUSE, role)
