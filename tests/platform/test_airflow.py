from __future__ import annotations

import configparser
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from include.platform import airflow
from include.platform.airflow import (
    airflow_endpoint,
    airflow_status,
    airflow_was_started,
    start_airflow,
    stop_airflow,
)
from include.platform.airflow_client import AirflowClient, AirflowEndpoint, AirflowError
from include.platform.ports import LOOPBACK, PortInUseError
from include.platform.postgres import PostgresServer
from include.platform.processes import wait_until_gone
from include.settings import PROJECT_ROOT, Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"KRXW_HOME": str(tmp_path / "home")})


@pytest.fixture
def metadata_dsn(postgres_server: PostgresServer) -> Iterator[str]:
    postgres_server.create_role("airflow_test")
    postgres_server.allow_login("airflow_test")
    yield postgres_server.create_database("airflow_test", owner="airflow_test")
    postgres_server.drop_database("airflow_test")


def processes_of(settings: Settings) -> list[psutil.Process]:
    return [process for part in airflow._components(settings).values() for process in part.session()]


@pytest.mark.airflow
def test_airflow_starts_lets_its_user_in_and_leaves_no_process(
    settings: Settings, metadata_dsn: str, unused_port: int
) -> None:
    steps: list[str] = []
    try:
        endpoint = start_airflow(settings, metadata_dsn, port=unused_port, report=steps.append)
        assert endpoint.url == f"http://{LOOPBACK}:{unused_port}"
        assert steps[:2] == ["preparing Airflow's metadata", "starting Airflow"]
        assert all(airflow_status(settings).values())
        assert AirflowClient(endpoint).get("dags", limit=1)["total_entries"] >= 0
        with pytest.raises(AirflowError, match="does not let admin in: 401"):
            AirflowClient(AirflowEndpoint(endpoint.url, "admin", "guess")).get("dags")
        assert requests.get(f"{endpoint.url}/api/v2/dags", timeout=30).status_code == 401

        running = processes_of(settings)
        listening = [
            connection.laddr.ip
            for process in running
            for connection in process.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert listening == [LOOPBACK]

        scheduler = psutil.Process(airflow._components(settings)["scheduler"].pid)
        scheduler.kill()
        assert not wait_until_gone([scheduler], 30)
        assert [name for name, runs in airflow_status(settings).items() if not runs] == ["scheduler"]
    finally:
        stop_airflow(settings)
    assert not wait_until_gone(running, 0)
    assert not airflow_was_started(settings)
    assert airflow_endpoint(settings) == endpoint


def test_a_port_asked_for_must_be_free(settings: Settings, postgres_server: PostgresServer) -> None:
    with pytest.raises(PortInUseError, match="KRXW_AIRFLOW_PORT=<port>"):
        start_airflow(settings, postgres_server.dsn("postgres"), port=postgres_server.port)
    assert not airflow_was_started(settings)


def test_a_component_that_ends_is_named_with_its_last_words(
    settings: Settings, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch, unused_port: int
) -> None:
    monkeypatch.setattr(airflow, "_migrate_metadata", lambda *_: None)
    monkeypatch.setattr(airflow, "COMPONENTS", {"api-server": ("--no-such-option",)})
    with pytest.raises(AirflowError, match=r"api-server ended\. The end of .*/api-server\.log:\n.+"):
        start_airflow(settings, postgres_server.dsn("postgres"), port=unused_port, report=lambda _: None)
    assert not airflow_was_started(settings)


def test_secrets_are_private_and_made_once(settings: Settings) -> None:
    home = settings.home / "airflow"
    home.mkdir(parents=True)
    made = airflow._secrets(home)
    assert airflow._secrets(home) == made
    assert len(set(made.values())) == len(made)
    assert stat.S_IMODE((home / "secrets.json").stat().st_mode) == 0o600


def test_a_process_that_has_the_number_since_is_not_airflow(settings: Settings) -> None:
    home = settings.home / "airflow"
    home.mkdir(parents=True)
    me = psutil.Process()
    (home / "processes.json").write_text(json.dumps({"scheduler": [me.pid, me.create_time() - 60]}))
    assert not airflow_status(settings)["scheduler"]
    stop_airflow(settings)
    assert me.is_running()


def test_airflow_that_was_never_started_is_said(settings: Settings) -> None:
    with pytest.raises(AirflowError, match=r"never started .*krxw up"):
        airflow_endpoint(settings)


def test_an_airflow_that_does_not_answer_is_said(unused_port: int) -> None:
    client = AirflowClient(AirflowEndpoint(f"http://{LOOPBACK}:{unused_port}", "admin", "x"))
    with pytest.raises(AirflowError, match=r"does not answer at .*krxw status"):
        client.get("dags")


def test_the_committed_configuration_names_no_place_and_no_secret() -> None:
    configuration = configparser.RawConfigParser()
    configuration.read(PROJECT_ROOT / "airflow.cfg")
    for section in configuration.sections():
        for name, value in configuration[section].items():
            assert not any(word in name for word in ("secret", "key", "conn", "folder", "url")), (
                section,
                name,
            )
            assert not value.startswith(os.sep), (section, name)
