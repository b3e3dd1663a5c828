"""The image: what is in it, who it runs as, and what never reaches the builder."""

from __future__ import annotations

import re
import subprocess
from fnmatch import fnmatch

import pytest

from include.settings import PROJECT_ROOT

DOCKERFILE = (PROJECT_ROOT / "Dockerfile").read_text()
INSTRUCTIONS = [
    line.split(maxsplit=1)
    for line in re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", DOCKERFILE, flags=re.M)).splitlines()
    if line.strip()
]
LAST_STAGE = INSTRUCTIONS[max(n for n, (name, _) in enumerate(INSTRUCTIONS) if name == "FROM") :]


def arguments(name: str, instructions: list[list[str]] = INSTRUCTIONS) -> list[str]:
    return [rest for instruction, rest in instructions if instruction == name]


def test_the_base_is_pinned_and_a_supported_python() -> None:
    for base in arguments("FROM"):
        assert re.match(r"python:3\.12\.\d+-slim-bookworm( AS \w+)?$", base)


def test_packages_come_from_the_lock_with_their_hashes() -> None:
    installs = [step for run in arguments("RUN") for step in run.split("&&") if "pip install" in step]
    assert len(installs) == 3
    for install in installs:
        assert "--require-hashes" in install or "--no-build-isolation --editable ." in install
        assert "--no-deps" in install


def test_the_installer_is_the_locks_own() -> None:
    """The command that cuts uv out of the lock leaves exactly its version and hashes."""
    cut = re.search(r"sed -n '([^']+)' /build/requirements.txt", DOCKERFILE)
    assert cut is not None
    lines = subprocess.run(
        ["sed", "-n", cut[1], str(PROJECT_ROOT / "requirements.txt")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert re.fullmatch(r"uv==[\d.]+ \\", lines[0])
    assert len(lines) > 1
    assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64} \\", line) for line in lines[1:-1])
    assert re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}", lines[-1])


def test_it_runs_as_an_unprivileged_user() -> None:
    assert LAST_STAGE[-1] == ["USER", "50000:0"]
    assert arguments("USER") == ["50000:0"]


def test_the_code_belongs_to_root() -> None:
    assert not [copy for copy in arguments("COPY") if "--chown" in copy]


def test_no_address_and_no_secret_is_in_it() -> None:
    assert "://" not in DOCKERFILE
    assert not arguments("ARG", LAST_STAGE), "an index may hold a credential, and the history shows arguments"
    assert not re.search(r"PASSWORD|SECRET|TOKEN", DOCKERFILE)


def test_what_is_copied_is_there_and_nothing_else_reaches_the_builder() -> None:
    ignored, *rest = (
        line for line in (PROJECT_ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"
    )
    assert ignored == "*"
    allowed = {line[1:] for line in rest if line.startswith("!")}
    copied = {source for copy in arguments("COPY") if not copy.startswith("--from") for source in copy.split()[:-1]}
    assert allowed == copied
    assert all((PROJECT_ROOT / source).exists() for source in copied)


@pytest.mark.parametrize("kept_out", [".env", ".git", ".venv", ".krxw", "tests", "logs"])
def test_private_and_local_things_stay_out(kept_out: str) -> None:
    lines = (PROJECT_ROOT / ".dockerignore").read_text().splitlines()
    assert not [line for line in lines if line.startswith("!") and fnmatch(kept_out, line[1:])]
