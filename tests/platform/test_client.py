"""The client's waiting, against a stand-in for Airflow's API."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from include.platform import airflow_client
from include.platform.airflow_client import AirflowClient, AirflowEndpoint, AirflowError
from include.platform.ports import LOOPBACK


class StandIn(ThreadingHTTPServer):
    """Answers like Airflow: a run goes through ``states``, a token is good for ``calls_per_token`` calls."""

    states: list[str]
    calls_per_token = 1000
    tokens = 0
    used = 0


class Handler(BaseHTTPRequestHandler):
    server: StandIn

    def do_GET(self) -> None:
        if self.refuses():
            return self.answer(401, {})
        if self.path.startswith("/api/v2/dags?"):
            return self.answer(200, {"dags": [{"dag_id": "daily_bars"}]})
        if self.path.startswith("/api/v2/importErrors"):
            return self.answer(200, {"import_errors": [{"filename": "broken.py", "stack_trace": "No module x"}]})
        if "taskInstances" in self.path:
            tasks = [{"task_display_name": n, "state": s} for n, s in [("a", "success"), ("b", "failed")]]
            return self.answer(200, {"task_instances": tasks})
        states = self.server.states
        return self.answer(200, {"state": states.pop(0) if len(states) > 1 else states[0]})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.tokens += 1
        self.server.used = 0
        self.answer(201, {"access_token": f"token-{self.server.tokens}"})

    def refuses(self) -> bool:
        self.server.used += 1
        valid = self.headers["Authorization"] == f"Bearer token-{self.server.tokens}"
        return not valid or self.server.used > self.server.calls_per_token

    def answer(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with StandIn((LOOPBACK, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def client(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> AirflowClient:
    monkeypatch.setattr(airflow_client, "POLL_SECONDS", 0.01)
    return AirflowClient(AirflowEndpoint(f"http://{LOOPBACK}:{stand_in.server_port}", "admin", "x"))


def test_a_run_is_waited_for_until_it_succeeds(stand_in: StandIn, client: AirflowClient) -> None:
    stand_in.states = ["queued", "running", "success"]
    client.wait_for_run("daily_bars", "run", timeout=30)


def test_an_expired_token_is_renewed(stand_in: StandIn, client: AirflowClient) -> None:
    stand_in.states = ["running"] * 5 + ["success"]
    stand_in.calls_per_token = 2
    client.wait_for_run("daily_bars", "run", timeout=30)
    assert stand_in.tokens == 3


def test_a_failed_run_names_its_failed_tasks(stand_in: StandIn, client: AirflowClient) -> None:
    stand_in.states = ["running", "failed"]
    with pytest.raises(AirflowError, match=r"run run of daily_bars failed in b; its log: http"):
        client.wait_for_run("daily_bars", "run", timeout=30)


def test_a_run_that_takes_too_long_is_said(stand_in: StandIn, client: AirflowClient) -> None:
    stand_in.states = ["running"]
    with pytest.raises(AirflowError, match="after 0 s run run of daily_bars is still running"):
        client.wait_for_run("daily_bars", "run", timeout=0.05)


def test_a_dag_that_does_not_import_is_said_with_the_error(client: AirflowClient) -> None:
    client.wait_for_dag("daily_bars")
    with pytest.raises(AirflowError, match=r"no DAG backfill, only \['daily_bars'\].*broken.py: No module x"):
        client.wait_for_dag("backfill", timeout=0.05)
