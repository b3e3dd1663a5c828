"""``krxw up``, ``down``, ``status`` and ``dsn``: the local platform from the command line."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import psycopg
import typer
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from include.platform.airflow import airflow_endpoint, airflow_status, airflow_was_started
from include.platform.airflow_client import AirflowEndpoint
from include.platform.errors import PlatformError
from include.platform.local import (
    existing_server,
    remove_platform,
    role_dsn,
    start_airflow_here,
    start_database,
    stop_platform,
)
from include.settings import NoWarehouseError, Settings, load_settings

console = Console()
errors = Console(stderr=True)


def register(app: typer.Typer) -> None:
    """Add this module's commands to ``app``."""
    app.command()(up)
    app.command()(down)
    app.command()(status)
    app.command()(dsn)


def up(
    airflow: Annotated[bool, typer.Option(help="Start Airflow too.")] = True,
    timescaledb: Annotated[bool, typer.Option(help="For a new warehouse: TimescaleDB.")] = False,
) -> None:
    """Start the local database, bring its schema up to date, and start Airflow."""
    settings = load_settings()
    with _steps() as report:
        applied = start_database(settings, timescaledb=timescaledb, report=report)
        endpoint = start_airflow_here(settings, report=report) if airflow else None
    console.print(f"[green]Up.[/] {len(applied)} migrations applied.")
    console.print(f"  Warehouse   {settings.warehouse_dsn}", soft_wrap=True)
    if endpoint is not None:
        console.print(f"  Airflow     {_login(endpoint)}")


def down(
    remove_data: Annotated[bool, typer.Option(help="Remove the databases and Airflow's state too.")] = False,
) -> None:
    """Stop Airflow and the local database; the data stays."""
    settings = load_settings()
    with _steps() as report:
        (remove_platform if remove_data else stop_platform)(settings, report=report)
    console.print("[green]Down.[/] " + ("Its data is removed." if remove_data else "`krxw up` goes on from here."))


def status() -> None:
    """What runs, where, and how much disk it takes; exit code 1 if something is down."""
    settings = load_settings()
    table = Table("", "state", "where", "version", "size", box=None, pad_edge=False)
    with _plain_errors():
        local = [_server_row(settings)] if settings.dsn is None else []
        rows = [*local, _warehouse_row(settings), *_airflow_rows(settings)]
    for name, state, *rest in rows:
        table.add_row(name, f"[{'red' if state == 'down' else 'green'}]{state}[/]", *rest)
    console.print(table)
    if all(airflow_status(settings).values()):
        console.print(f"Airflow: {_login(airflow_endpoint(settings))}")
    if settings.home.is_dir():
        console.print(f"{decimal(shutil.disk_usage(settings.home).free)} free at {settings.home}")
    if any(state == "down" for _, state, *_ in rows):
        raise typer.Exit(1)


def dsn(role: Annotated[str | None, typer.Option(help="For this role, e.g. analyst.")] = None) -> None:
    """The warehouse's connection string, for psql, BI tools and scripts."""
    settings = load_settings()
    with _plain_errors():
        typer.echo(settings.warehouse_dsn if role is None else role_dsn(settings, role))


def _login(endpoint: AirflowEndpoint) -> str:
    return f"{endpoint.url}  user {endpoint.username}  password {endpoint.password}"


def _server_row(settings: Settings) -> tuple[str, ...]:
    server = existing_server(settings)
    if server is None:
        return ("local server", "down", "", "", "")
    running = server.status()
    if running is None:
        return ("local server", "down", str(server.folder), server.engine.name, "")
    return ("local server", "up", f"127.0.0.1:{running.port}", server.engine.name, "")


def _warehouse_row(settings: Settings) -> tuple[str, ...]:
    try:
        dsn = settings.warehouse_dsn
        with psycopg.connect(dsn, connect_timeout=5) as connection:
            row = connection.execute(
                "SELECT current_setting('server_version'), pg_database_size(current_database())"
            ).fetchone()
            where = f"{connection.info.dbname} at {connection.info.host}:{connection.info.port}"
    except (NoWarehouseError, psycopg.OperationalError):
        return ("warehouse", "down", "", "", "")
    version, size = row or ("?", 0)
    return ("warehouse", "up", where, version.split()[0], decimal(size))


def _airflow_rows(settings: Settings) -> Iterator[tuple[str, ...]]:
    if not airflow_was_started(settings):
        yield ("airflow", "off", "", "", "")
        return
    url = airflow_endpoint(settings).url
    for name, runs in airflow_status(settings).items():
        yield (f"airflow {name}", "up" if runs else "down", url if name == "api-server" else "", "", "")


@contextmanager
def _steps() -> Iterator[Callable[[str], None]]:
    """Shows what is being done, with a spinner on a terminal."""
    with _plain_errors(), console.status("") as spinner:

        def report(step: str) -> None:
            console.print(f"  {step}")
            spinner.update(step)

        yield report


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Ends the program with the message of an error that explains itself."""
    try:
        yield
    except (PlatformError, NoWarehouseError, psycopg.OperationalError) as error:
        errors.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
