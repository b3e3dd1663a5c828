"""A local Airflow: its four components as background processes, the metadata in PostgreSQL.

What is common to all deployments is in ``airflow.cfg``; everything of this machine is set in the environment
here. Each component runs in a session of its own, because tasks and parsers change their process group and
only the session still tells whose they are.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psutil
import psycopg
import requests

from include.platform.airflow_client import AirflowEndpoint, AirflowError
from include.platform.ports import LOOPBACK, first_free, is_free, require_free
from include.platform.private_files import write_private
from include.platform.processes import is_alive, wait_until_gone
from include.settings import PROJECT_ROOT, Settings

ADMIN = "admin"
FIRST_PORT = 8080
PORT_VARIABLE = "KRXW_AIRFLOW_PORT"
START_SECONDS = 180
STOP_SECONDS = 20
COMPONENTS: Mapping[str, tuple[str, ...]] = {
    "api-server": (),
    # Without --skip-serve-logs these listen on further ports; on one machine the logs are read from disk.
    "scheduler": ("--skip-serve-logs",),
    "dag-processor": (),
    "triggerer": ("--skip-serve-logs",),
}


@dataclass(frozen=True)
class _Component:
    """A started component: the first process of its session."""

    pid: int
    created: float

    @property
    def is_running(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            return process.create_time() == self.created and is_alive(process)
        except psutil.NoSuchProcess:
            return False

    def session(self) -> list[psutil.Process]:
        """Every process of its session, also when the first has ended."""
        try:
            if psutil.Process(self.pid).create_time() != self.created:
                return []  # the number is someone else's by now
        except psutil.NoSuchProcess:
            pass
        return [process for process in psutil.process_iter() if _session_of(process.pid) == self.pid]


def start_airflow(
    settings: Settings, metadata_dsn: str, *, port: int | None = None, report: Callable[[str], None] = print
) -> AirflowEndpoint:
    """Start Airflow and wait until every component is healthy; one that runs already is left as it is.

    Args:
        settings: where local state is kept.
        metadata_dsn: the metadata database (libpq URI).
        port: of the UI and API. Without it that of the last start, or the first free one from ``FIRST_PORT``.
        report: told what is being waited for.

    Raises:
        PortInUseError: ``port`` is taken.
        AirflowError: a component ended or did not become healthy; carries the end of its log.
    """
    if all(airflow_status(settings).values()):
        return airflow_endpoint(settings)
    stop_airflow(settings)
    home = _home(settings)
    home.mkdir(parents=True, exist_ok=True)
    write_private(home / "port", f"{_choose_port(home, port)}\n")
    environment = _environment(settings, metadata_dsn)
    _migrate_metadata(home, metadata_dsn, environment, report)
    report("starting Airflow")
    started = {name: _start(name, home, environment) for name in COMPONENTS}
    write_private(home / "processes.json", json.dumps({n: [c.pid, c.created] for n, c in started.items()}))
    endpoint = airflow_endpoint(settings)
    try:
        _wait_until_healthy(home, endpoint, started, report)
    except AirflowError:
        stop_airflow(settings)
        raise
    return endpoint


def stop_airflow(settings: Settings) -> None:
    """Stop every process of Airflow: ask first, kill what has not stopped after ``STOP_SECONDS``."""
    asked: list[psutil.Process] = []
    killed: list[psutil.Process] = []
    for component in _components(settings).values():
        if component.is_running:
            asked += _send(signal.SIGTERM, component.session())
        else:  # a scheduler's workers do not stop without it
            killed += _send(signal.SIGKILL, component.session())
    killed += _send(signal.SIGKILL, wait_until_gone(asked, STOP_SECONDS))
    wait_until_gone(killed, STOP_SECONDS)
    (_home(settings) / "processes.json").unlink(missing_ok=True)


def airflow_status(settings: Settings) -> dict[str, bool]:
    """Whether each component runs."""
    started = _components(settings)
    return {name: name in started and started[name].is_running for name in COMPONENTS}


def airflow_was_started(settings: Settings) -> bool:
    """Whether Airflow is meant to run: started, and not stopped since."""
    return bool(_components(settings))


def airflow_endpoint(settings: Settings) -> AirflowEndpoint:
    """Where the UI and API of the last start are, and how to log in.

    Raises:
        AirflowError: it was never started.
    """
    home = _home(settings)
    if not (home / "port").is_file():
        raise AirflowError(f"Airflow was never started under {settings.home}; `krxw up` starts it")
    port = int((home / "port").read_text())
    return AirflowEndpoint(f"http://{LOOPBACK}:{port}", ADMIN, _secrets(home)["admin_password"])


def _home(settings: Settings) -> Path:
    return settings.home / "airflow"


def _components(settings: Settings) -> dict[str, _Component]:
    kept = _home(settings) / "processes.json"
    if not kept.is_file():
        return {}
    return {name: _Component(pid, created) for name, (pid, created) in json.loads(kept.read_text()).items()}


def _choose_port(home: Path, asked: int | None) -> int:
    if asked is not None:
        return require_free(asked, PORT_VARIABLE)
    kept = home / "port"
    if kept.is_file() and is_free(int(kept.read_text())):
        return int(kept.read_text())
    return first_free(FIRST_PORT)


def _secrets(home: Path) -> dict[str, str]:
    """The generated password and keys, made once."""
    kept = home / "secrets.json"
    if not kept.is_file():
        made = {
            "admin_password": secrets.token_urlsafe(12),
            "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "jwt_secret": secrets.token_urlsafe(48),
            "api_secret_key": secrets.token_urlsafe(48),
        }
        write_private(kept, json.dumps(made))
    loaded: dict[str, str] = json.loads(kept.read_text())
    return loaded


def _environment(settings: Settings, metadata_dsn: str) -> dict[str, str]:
    home = _home(settings)
    made = _secrets(home)
    passwords = home / "passwords.json"
    write_private(passwords, json.dumps({ADMIN: made["admin_password"]}))
    url = airflow_endpoint(settings).url
    paths = [str(PROJECT_ROOT), str(PROJECT_ROOT / "plugins"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_CONFIG": str(PROJECT_ROOT / "airflow.cfg"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT_ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT_ROOT / "plugins"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__CORE__FERNET_KEY": made["fernet_key"],
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__PORT": url.rpartition(":")[2],
        "AIRFLOW__API__SECRET_KEY": made["api_secret_key"],
        "AIRFLOW__API_AUTH__JWT_SECRET": made["jwt_secret"],
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(home / "bundles"),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata_dsn.replace("postgresql://", "postgresql+psycopg2://", 1),
        "KRXW_HOME": str(settings.home),
        "NO_PROXY": ",".join(filter(None, [os.environ.get("NO_PROXY"), LOOPBACK])),
        "PYTHONPATH": os.pathsep.join(paths),
    }


def _migrate_metadata(
    home: Path, metadata_dsn: str, environment: Mapping[str, str], report: Callable[[str], None]
) -> None:
    """Make or upgrade the metadata tables, once per version: Airflow's own check alone costs seconds."""
    installed = version("apache-airflow-core")
    done = home / "migrated"
    if done.is_file() and done.read_text() == installed and _has_metadata(metadata_dsn):
        return
    report("preparing Airflow's metadata")
    log = home / "migrate.log"
    with log.open("w") as output:
        migrated = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env=environment,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if migrated.returncode != 0:
        raise AirflowError(f"Airflow's metadata could not be prepared. {_last_words(log)}")
    done.write_text(installed)


def _has_metadata(metadata_dsn: str) -> bool:
    with psycopg.connect(metadata_dsn) as connection:
        return connection.execute("SELECT to_regclass('alembic_version')").fetchone() != (None,)


def _start(name: str, home: Path, environment: Mapping[str, str]) -> _Component:
    with (home / f"{name}.log").open("w") as log:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "airflow", name, *COMPONENTS[name]],
            env=environment,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return _Component(process.pid, psutil.Process(process.pid).create_time())


def _wait_until_healthy(
    home: Path, endpoint: AirflowEndpoint, started: Mapping[str, _Component], report: Callable[[str], None]
) -> None:
    deadline = time.monotonic() + START_SECONDS
    reported = ""
    while waiting := _unhealthy(endpoint):
        for name, component in started.items():
            if not component.is_running:
                raise AirflowError(f"Airflow's {name} ended. {_last_words(home / f'{name}.log')}")
        if time.monotonic() > deadline:
            raise AirflowError(
                f"Airflow's {', '.join(waiting)} did not become healthy in {START_SECONDS} s; the logs are in {home}"
            )
        if (now := f"waiting for Airflow's {', '.join(waiting)}") != reported:
            report(reported := now)
        time.sleep(0.5)


def _unhealthy(endpoint: AirflowEndpoint) -> list[str]:
    """The components that do not work yet, as far as the api-server knows."""
    session = requests.Session()
    session.trust_env = False
    try:
        answer = session.get(f"{endpoint.url}/api/v2/monitor/health", timeout=5)
        answer.raise_for_status()
    except requests.RequestException:
        return ["api-server"]
    health = answer.json()
    parts = {"scheduler": "scheduler", "dag-processor": "dag_processor", "triggerer": "triggerer"}
    return [name for name, key in parts.items() if health[key]["status"] != "healthy"]


def _send(signum: signal.Signals, processes: list[psutil.Process]) -> list[psutil.Process]:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signum)
    return processes


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return None


def _last_words(log: Path) -> str:
    return f"The end of {log}:\n" + "\n".join(log.read_text(errors="replace").splitlines()[-15:])
