"""Logins of a deployment, on both databases with password authentication."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors, sql
from psycopg.conninfo import make_conninfo

from include.platform.postgres import PostgresServer
from include.warehouse.connection import WarehouseUnreachableError, connect
from include.warehouse.deployment import (
    AIRFLOW_DATABASE,
    AIRFLOW_LOGIN,
    AIRFLOW_PASSWORD,
    GRAFANA_LOGIN,
    GRAFANA_PASSWORD,
    PIPELINE_LOGIN,
    PIPELINE_PASSWORD,
    REDIS_PASSWORD,
    UnfitPasswordError,
    ready_server,
)
from include.warehouse.logins import ensure_login
from include.warehouse.migrations import migrate

PASSWORDS = {
    name: secrets.token_urlsafe(16) for name in (PIPELINE_PASSWORD, GRAFANA_PASSWORD, AIRFLOW_PASSWORD, REDIS_PASSWORD)
}


@pytest.fixture(scope="module")
def deployed(server: PostgresServer) -> Iterator[str]:
    """A migrated warehouse whose server was readied twice, as at the second start of a deployment."""
    admin = server.create_database("deployed_test")
    migrate(admin)
    ready_server(admin, PASSWORDS)
    ready_server(admin, PASSWORDS)
    yield admin
    server.drop_database(AIRFLOW_DATABASE)
    server.drop_database("deployed_test")
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
        for login in (PIPELINE_LOGIN, GRAFANA_LOGIN, AIRFLOW_LOGIN):
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(login)))


def as_login(admin_dsn: str, login: str, password: str, **other: str) -> str:
    return make_conninfo(admin_dsn, user=login, password=password, **other)


def test_a_login_needs_its_password(deployed: str) -> None:
    with connect(as_login(deployed, GRAFANA_LOGIN, PASSWORDS[GRAFANA_PASSWORD])) as connection:
        assert connection.info.user == GRAFANA_LOGIN
    with pytest.raises(WarehouseUnreachableError, match="password authentication failed"):
        connect(as_login(deployed, GRAFANA_LOGIN, "another"))


def test_grafana_reads_views_within_its_time_limit_and_writes_nothing(deployed: str) -> None:
    with connect(as_login(deployed, GRAFANA_LOGIN, PASSWORDS[GRAFANA_PASSWORD])) as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("30s",)
        connection.execute("SELECT FROM mart.instrument")
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("SELECT FROM market.instrument")


def test_the_pipeline_loads_without_time_limit_and_may_query_as_an_analyst(deployed: str) -> None:
    dsn = as_login(deployed, PIPELINE_LOGIN, PASSWORDS[PIPELINE_PASSWORD])
    with connect(dsn) as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("0",)
    with connect(dsn, "etl") as connection:
        connection.execute(
            "INSERT INTO ops.alarm (dataset, session, kind, message) VALUES ('a', '2024-01-02', 'b', 'c')"
        )
    with connect(dsn, "analyst") as connection:
        connection.execute("SELECT FROM market.instrument")
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("DELETE FROM market.instrument")
    with pytest.raises(errors.InsufficientPrivilege):
        connect(dsn, "grafana")


def test_airflow_owns_its_database_and_sees_no_warehouse(deployed: str) -> None:
    password = PASSWORDS[AIRFLOW_PASSWORD]
    with connect(as_login(deployed, AIRFLOW_LOGIN, password, dbname=AIRFLOW_DATABASE)) as connection:
        connection.execute("CREATE TABLE public.mine ()")
        connection.rollback()
    with (
        connect(as_login(deployed, AIRFLOW_LOGIN, password)) as connection,
        pytest.raises(errors.InsufficientPrivilege),
    ):
        connection.execute("SELECT FROM mart.instrument")


def test_a_password_is_changed_by_running_again(deployed: str) -> None:
    ensure_login(deployed, GRAFANA_LOGIN, "grafana", "it's new; \\ 한글")
    connect(as_login(deployed, GRAFANA_LOGIN, "it's new; \\ 한글")).close()
    with pytest.raises(WarehouseUnreachableError):
        connect(as_login(deployed, GRAFANA_LOGIN, PASSWORDS[GRAFANA_PASSWORD]))
    ready_server(deployed, PASSWORDS)
    connect(as_login(deployed, GRAFANA_LOGIN, PASSWORDS[GRAFANA_PASSWORD])).close()


def test_passwords_do_not_reach_the_server_in_the_clear(
    deployed: str, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c log_statement=all")
    ready_server(deployed, PASSWORDS)
    log = server.log.read_text()
    assert 'ALTER ROLE "grafana_reader" LOGIN PASSWORD' in log
    assert not [name for name, password in PASSWORDS.items() if password in log]


@pytest.mark.parametrize("unfit", ["", "a@b", "a/b", "a b", "a%41", "비밀", "a\n"])
@pytest.mark.parametrize("name", sorted(PASSWORDS))
def test_a_password_that_breaks_an_address_is_named_and_not_shown(name: str, unfit: str) -> None:
    with pytest.raises(UnfitPasswordError) as raised:
        ready_server("postgresql://nobody@127.0.0.1:1/none", {**PASSWORDS, name: unfit})
    assert str(raised.value).startswith(name)
    assert not unfit or unfit not in str(raised.value)


def test_a_role_that_is_not_there_makes_no_login(deployed: str) -> None:
    with pytest.raises(errors.UndefinedObject):
        ensure_login(deployed, "somebody", "no_such_role", "secret")
    with connect(deployed) as connection:
        found = connection.execute("SELECT FROM pg_roles WHERE rolname = 'somebody'").fetchone()
    assert found is None
