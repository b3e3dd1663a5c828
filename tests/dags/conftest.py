"""A private Airflow for tests of DAGs, always in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from include.settings import PROJECT_ROOT

DAGS = PROJECT_ROOT / "dags"
SCRIPTS = Path(__file__).parent
RunDags = Callable[[Sequence[tuple[str, dict[str, Any]]], Mapping[str, str]], dict[str, Any]]


def run_script(script: str, *arguments: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """What ``script`` printed last, an object in JSON, and under ``log`` all it printed."""
    finished = subprocess.run(
        [sys.executable, SCRIPTS / script, *arguments],
        env=environment,
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    log = finished.stdout + finished.stderr
    assert finished.returncode == 0, log
    return {**json.loads(finished.stdout.splitlines()[-1]), "log": log}


@pytest.fixture(scope="session")
def airflow_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Airflow with a home, a configuration and a metadata database (not yet made) of its own."""
    home = tmp_path_factory.mktemp("airflow")
    paths = [str(PROJECT_ROOT), str(PROJECT_ROOT / "plugins"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_CONFIG": str(PROJECT_ROOT / "airflow.cfg"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT_ROOT / "plugins"),
        # A paused DAG's assets queue nothing.
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(home / "bundles"),
        "PYTHONPATH": os.pathsep.join(paths),
    }


@pytest.fixture(scope="session")
def airflow_metadata(airflow_environment: dict[str, str]) -> None:
    """Makes the metadata database."""
    subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        env=airflow_environment,
        capture_output=True,
        check=True,
    )


@pytest.fixture(scope="session")
def run_dags(airflow_environment: dict[str, str], airflow_metadata: None) -> RunDags:
    """Runs DAGs one after the other: takes (DAG, conf) pairs and what to add to the environment."""

    def run(asked: Sequence[tuple[str, dict[str, Any]]], environment: Mapping[str, str]) -> dict[str, Any]:
        return run_script("run_dags.py", json.dumps(asked), environment={**airflow_environment, **environment})

    return run


@pytest.fixture(scope="session")
def seen(airflow_environment: dict[str, str]) -> dict[str, Any]:
    """What a fresh process sees in the DAG files."""
    return run_script("describe_dags.py", str(DAGS), environment=airflow_environment)
