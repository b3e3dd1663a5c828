"""The job that readies a deployment, run as docker-compose.yaml writes it, on a real TimescaleDB."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from include.platform.postgres import PostgresServer
from include.settings import PROJECT_ROOT
from include.warehouse.deployment import AIRFLOW_LOGIN, GRAFANA_LOGIN, PIPELINE_LOGIN

Compose = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def new_server(timescale_server: PostgresServer, filled_in: dict[str, str]) -> Iterator[PostgresServer]:
    """As the image leaves it: the superuser `postgres`, and an empty database `warehouse`."""
    timescale_server.create_database("warehouse")
    password = filled_in["KRXW_POSTGRES_PASSWORD"]
    with psycopg.connect(timescale_server.dsn("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE postgres SUPERUSER LOGIN PASSWORD {}").format(sql.Literal(password)))
        yield timescale_server
        for database in ("warehouse", "airflow"):
            timescale_server.drop_database(database)
        roles = connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolname = ANY (%s)",
            [["postgres", AIRFLOW_LOGIN, GRAFANA_LOGIN, PIPELINE_LOGIN]],
        ).fetchall()
        for (role,) in roles:
            connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def here(value: str, server: PostgresServer, folder: Path) -> str:
    """An address or path of the containers, as it is outside them."""
    return (
        value.replace("timescaledb:5432", f"127.0.0.1:{server.port}")
        .replace("/opt/airflow", str(folder))
        .replace("/var/lib/krxw", str(folder / "krxw"))
    )


@pytest.mark.airflow
@pytest.mark.timescaledb
def test_the_init_job_readies_a_new_server(
    new_server: PostgresServer, compose: Compose, filled_in: dict[str, str], tmp_path: Path
) -> None:
    done = compose(filled_in, "config", "--format", "json")
    job: Mapping[str, Any] = json.loads(done.stdout)["services"]["init"]
    environment = {name: here(value, new_server, tmp_path) for name, value in job["environment"].items() if value}
    ran = subprocess.run(
        [word.replace("$$", "$") for word in job["command"]],
        cwd=tmp_path,
        env=environment
        | {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW_CONFIG": str(PROJECT_ROOT / "airflow.cfg"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT_ROOT / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT_ROOT / "plugins"),
            "KRXW_HOME": str(tmp_path / "krxw"),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        start_new_session=True,  # no terminal, as in a container
    )
    assert ran.returncode == 0, ran.stdout

    secrets = {name: value for name, value in environment.items() if name.endswith("PASSWORD")}
    assert len(secrets) == 5 + ("PGPASSWORD" in secrets)
    log = new_server.log.read_text()
    assert not [name for name, value in secrets.items() if value in ran.stdout or value in log]

    with psycopg.connect(environment["KRXW_WAREHOUSE_DSN"], password=secrets["PGPASSWORD"]) as connection:
        found = connection.execute("SELECT FROM pg_extension WHERE extname = 'timescaledb'").fetchone()
        assert found is not None
        connection.execute("SELECT FROM mart.market_overview")
    metadata = environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "")
    with psycopg.connect(metadata) as connection:
        users = connection.execute(
            "SELECT username, ab_role.name, password FROM ab_user "
            "JOIN ab_user_role ON user_id = ab_user.id JOIN ab_role ON role_id = ab_role.id"
        ).fetchall()
    ((username, role, password),) = users
    assert (username, role) == ("admin", "Admin")
    assert secrets["KRXW_AIRFLOW_ADMIN_PASSWORD"] not in password
