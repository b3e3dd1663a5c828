"""A small client of Airflow's REST API: trigger a DAG, wait for its run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from include.platform.errors import PlatformError

POLL_SECONDS = 1.0
REQUEST_SECONDS = 30.0


class AirflowError(PlatformError):
    """Airflow refused, failed, or took too long; the message says what and where to look."""


class _NotYetError(AirflowError):
    """What is waited for has not happened."""


@dataclass(frozen=True)
class AirflowEndpoint:
    """Where Airflow's UI and API are, and who logs in."""

    url: str
    username: str
    password: str


class AirflowClient:
    """Calls of the API at ``endpoint``; logs in on the first call and again when the token has expired.

    Every method raises :class:`AirflowError` when Airflow answers with an error.
    """

    def __init__(self, endpoint: AirflowEndpoint) -> None:
        self.endpoint = endpoint
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy has no way to the loopback address

    def get(self, path: str, **parameters: Any) -> Any:
        """The answer of ``GET /api/v2/<path>``."""
        return self._call("GET", path, params=parameters)

    def wait_for_dag(self, dag_id: str, timeout: float = 120) -> None:
        """Wait until the DAG has been read from its file.

        Args:
            timeout: seconds.

        Raises:
            AirflowError: it was not read in time; carries the import errors there are.
        """
        self._wait(timeout, lambda: self._require_dag(dag_id))

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler start runs of the DAG."""
        self._call("PATCH", f"dags/{dag_id}", json={"is_paused": False})

    def trigger_dag(self, dag_id: str, conf: dict[str, Any] | None = None) -> str:
        """Ask for a run of the DAG with the parameters ``conf``, and return the run's id."""
        run = self._call("POST", f"dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": conf or {}})
        return str(run["dag_run_id"])

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """The runs of the DAG, the latest first."""
        answer = self.get(f"dags/{dag_id}/dagRuns", order_by="-run_after", limit=100)
        return list(answer["dag_runs"])

    def wait_for_run(self, dag_id: str, run_id: str, timeout: float) -> None:
        """Wait until the run has succeeded.

        Args:
            timeout: seconds.

        Raises:
            AirflowError: the run failed (carries the failed tasks) or did not end in time.
        """
        self._wait(timeout, lambda: self._require_success(dag_id, run_id))

    def _require_dag(self, dag_id: str) -> None:
        known = {dag["dag_id"] for dag in self.get("dags", limit=100)["dags"]}
        if dag_id not in known:
            errors = self.get("importErrors")["import_errors"]
            said = "\n".join(f"{error['filename']}: {error['stack_trace']}" for error in errors)
            raise _NotYetError(f"Airflow knows no DAG {dag_id}, only {sorted(known)}. Import errors: {said or 'none'}")

    def _require_success(self, dag_id: str, run_id: str) -> None:
        state = self.get(f"dags/{dag_id}/dagRuns/{run_id}")["state"]
        if state == "success":
            return
        if state == "failed":
            tasks = self.get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", limit=100)["task_instances"]
            failed = [task["task_display_name"] for task in tasks if task["state"] == "failed"]
            raise AirflowError(
                f"run {run_id} of {dag_id} failed in {', '.join(failed) or 'no task'}; "
                f"its log: {self.endpoint.url}/dags/{dag_id}/runs/{quote(run_id)}"
            )
        raise _NotYetError(f"run {run_id} of {dag_id} is still {state}")

    def _wait(self, timeout: float, check: Callable[[], None]) -> None:
        patiently = Retrying(
            retry=retry_if_exception_type(_NotYetError),
            wait=wait_fixed(POLL_SECONDS),
            stop=stop_after_delay(timeout),
            reraise=True,
        )
        try:
            patiently(check)
        except _NotYetError as error:
            raise AirflowError(f"after {timeout:.0f} s {error}") from error

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        url = f"{self.endpoint.url}/api/v2/{path}"
        if "Authorization" not in self._session.headers:
            self._log_in()
        answer = self._send(method, url, **arguments)
        if answer.status_code == requests.codes.unauthorized:
            self._log_in()
            answer = self._send(method, url, **arguments)
        if not answer.ok:
            raise AirflowError(f"{method} {url}: {answer.status_code} {answer.text[:500]}")
        return answer.json()

    def _log_in(self) -> None:
        credentials = {"username": self.endpoint.username, "password": self.endpoint.password}
        answer = self._send("POST", f"{self.endpoint.url}/auth/token", json=credentials)
        if not answer.ok:
            raise AirflowError(
                f"Airflow at {self.endpoint.url} does not let {self.endpoint.username} in: "
                f"{answer.status_code} {answer.text[:500]}"
            )
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def _send(self, method: str, url: str, **arguments: Any) -> requests.Response:
        try:
            return self._session.request(method, url, timeout=REQUEST_SECONDS, **arguments)
        except requests.RequestException as error:
            raise AirflowError(
                f"Airflow does not answer at {self.endpoint.url}: {error}. `krxw status` says what runs"
            ) from error
