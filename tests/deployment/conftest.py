"""The deployment's files, parsed, and Docker Compose itself where it can be had."""

from __future__ import annotations

import base64
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.platform.apt import AptError, ForeignRelease
from include.settings import PROJECT_ROOT, load_settings

Compose = Callable[..., "subprocess.CompletedProcess[str]"]

# `NAME=value`, or `#NAME=value` for one that is left out by default.
_SETTING = re.compile(r"^#?([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)


@pytest.fixture(scope="session")
def compose_file() -> dict[str, Any]:
    """docker-compose.yaml with its anchors resolved and its variables as they are written."""
    parsed: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "docker-compose.yaml").read_text())
    return parsed


@pytest.fixture(scope="session")
def services(compose_file: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = compose_file["services"]
    return found


@pytest.fixture(scope="session")
def documented() -> Mapping[str, str]:
    """Every setting of .env.example with its value there."""
    return dict(_SETTING.findall((PROJECT_ROOT / ".env.example").read_text()))


@pytest.fixture(scope="session")
def required(compose_file: dict[str, Any]) -> set[str]:
    """The variables without which nothing starts."""
    return set(re.findall(r"\$\{(\w+):\?", str(compose_file)))


@pytest.fixture
def filled_in(documented: Mapping[str, str], required: set[str]) -> dict[str, str]:
    """.env.example with its secrets filled in as it says."""
    made = {name: secrets.token_urlsafe(32) for name in required}
    made["KRXW_AIRFLOW_FERNET_KEY"] = base64.urlsafe_b64encode(os.urandom(32)).decode()
    return {name: value for name, value in documented.items() if value} | made


@pytest.fixture(scope="session")
def compose_program() -> list[str]:
    """Docker Compose: this machine's, or else Debian's, unpacked under the local state; it needs no engine."""
    if shutil.which("docker"):
        asked = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if asked.returncode == 0:
            return ["docker", "compose"]
    kept = load_settings().home / "docker-compose"
    if not kept.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            try:
                ForeignRelease("trixie", Path(folder, "apt")).unpack(["docker-compose"], Path(folder, "tree"))
            except AptError as error:
                pytest.skip(f"no Docker Compose: {error}")
            try:
                Path(folder, "tree").rename(kept)
            except OSError:
                if not kept.is_dir():  # unpacked meanwhile by another worker
                    raise
    return [str(kept / "usr/libexec/docker/cli-plugins/docker-compose")]


@pytest.fixture
def compose(compose_program: list[str], tmp_path: Path) -> Compose:
    """Runs Compose on the project's file with these settings and no others."""

    def run(settings: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
        env_file = tmp_path / ".env"
        env_file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        return subprocess.run(
            [*compose_program, "--env-file", str(env_file), *arguments],
            cwd=PROJECT_ROOT,
            env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            capture_output=True,
            text=True,
            check=False,
        )

    return run
