from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from types import ModuleType

import pytest

from include.settings import PROJECT_ROOT


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, looking at a project in a temporary folder and at no Python of this machine."""
    spec = importlib.util.spec_from_file_location("bootstrap", PROJECT_ROOT / "tools" / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.ROOT = tmp_path
    module.VENV = tmp_path / ".venv"
    module.VENV_PYTHON = Path(sys.executable)
    module.STAMP = tmp_path / "stamp"
    module.LOCK = tmp_path / "requirements.txt"
    module.LOCK.write_text("a==1\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return module


def install(folder: Path, name: str, script: str) -> Path:
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_shims_that_fail_and_old_pythons_are_passed_over(bootstrap: ModuleType, tmp_path: Path) -> None:
    install(tmp_path, "python3", "echo 'pyenv: python3: command not found' >&2; exit 127")
    install(tmp_path, "python3.13", "printf '3.10.4\\n/usr/bin/python3.10\\n'")
    install(tmp_path, "python3.12", f'exec {sys.executable} "$@"')
    assert bootstrap.find_python(None) == (sys.executable, ".".join(map(str, sys.version_info[:3])))


def test_every_python_that_was_tried_is_named(bootstrap: ModuleType, tmp_path: Path) -> None:
    install(tmp_path, "python3", "exit 127")
    install(tmp_path, "python3.11", "printf '3.10.4\\n/usr/bin/python3.10\\n'")
    with pytest.raises(bootstrap.BootstrapError) as caught:
        bootstrap.find_python(None)
    needed, tried, advice = str(caught.value).splitlines()
    assert needed == "Python 3.11, 3.12, 3.13 is needed."
    assert re.search(r"/python3 does not start; .*/python3\.11 is 3\.10\.4", tried)
    assert "PYTHON=" in advice


def test_a_python_asked_for_is_the_only_one_tried(bootstrap: ModuleType, tmp_path: Path) -> None:
    install(tmp_path, "python3", f'exec {sys.executable} "$@"')
    with pytest.raises(bootstrap.BootstrapError, match=r"nothing named python3.9 was found"):
        bootstrap.find_python("python3.9")
    assert bootstrap.find_python(sys.executable)[0] == sys.executable


def test_a_python_without_venv_names_the_package_to_install(bootstrap: ModuleType, tmp_path: Path) -> None:
    python = install(tmp_path, "python3", "echo 'No module named ensurepip' >&2; exit 1")
    with pytest.raises(bootstrap.BootstrapError, match=r"no venv module.*apt-get install python3.12-venv"):
        bootstrap.make_venv(str(python), "3.12.1")


@pytest.mark.parametrize("changed", ["requirements.txt", "pyproject.toml"])
def test_a_second_run_does_nothing_until_something_changes(bootstrap: ModuleType, tmp_path: Path, changed: str) -> None:
    assert not bootstrap.is_current(None)
    bootstrap.STAMP.write_text(bootstrap.fingerprint())
    assert bootstrap.is_current(None)
    assert bootstrap.is_current(sys.executable)
    assert not bootstrap.is_current(str(install(tmp_path, "python3", "printf '3.99.0\\n/python3.99\\n'")))
    (tmp_path / changed).write_text("changed")
    assert not bootstrap.is_current(None)


def test_a_moved_clone_is_set_up_again(bootstrap: ModuleType, tmp_path: Path) -> None:
    bootstrap.STAMP.write_text(bootstrap.fingerprint())
    bootstrap.ROOT = shutil.copytree(tmp_path, tmp_path / "moved")
    assert not bootstrap.is_current(None)


def test_too_little_disk_is_said(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**10, 10**10, 10**9))
    with pytest.raises(bootstrap.BootstrapError, match=r"0.9 GB free under .*, about 2 GB needed"):
        bootstrap.require_disk()


def test_pips_indexes_are_uvs_and_uvs_own_come_first(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = tmp_path / "pip.conf"
    configuration.write_text(
        "[global]\nindex-url = https://mirror.example/simple\n"
        "extra-index-url =\n  file:///srv/one\n  file:///srv/two\n[install]\nfind-links = /srv/wheels\n"
    )
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "UV_DEFAULT_INDEX", "UV_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(configuration))
    monkeypatch.setenv("UV_FIND_LINKS", "/mine")
    made = bootstrap.uv_environment()
    assert made["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert made["UV_INDEX"] == "file:///srv/one file:///srv/two"
    assert "UV_FIND_LINKS" not in made
    monkeypatch.setenv("PIP_INDEX_URL", "https://other.example/simple")
    assert bootstrap.uv_environment()["UV_DEFAULT_INDEX"] == "https://other.example/simple"


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("error: failed to write: No space left on device (os error 28)", "disk is full"),
        ("error: Request failed: error sending request for url", "index cannot be reached"),
        ("ERROR: No matching distribution found for uv==0.13.8", "index cannot be reached"),
        ("error: hash mismatch", "lines above"),
    ],
)
def test_a_failure_comes_with_what_to_do(bootstrap: ModuleType, said: str, advice: str) -> None:
    with pytest.raises(bootstrap.BootstrapError, match=f"sh failed.\n.*{advice}"):
        bootstrap.run(["/bin/sh", "-c", f"echo '{said}'; exit 2"])


def test_the_lock_pins_the_installer_and_names_no_index() -> None:
    lock = (PROJECT_ROOT / "requirements.txt").read_text()
    assert re.search(r"^uv==\S+ \\\n    --hash=sha256:", lock, re.MULTILINE)
    assert not re.search(r"https?://|file://|--(extra-)?index-url|--find-links", lock)


def test_the_makefile_explains_every_target() -> None:
    listed = subprocess.run(["make", "help"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    targets = re.findall(r"^  make (\w+) +\S", listed.stdout, re.MULTILINE)
    assert targets == ["help", "demo", "up", "down", "status", "test", "lint", "bench", "lock", "clean"]
