"""Runs what the documentation tells its readers to run, page by page, and compares what it says they will see.

Each page gets a platform of its own with the market the pages speak of: three simulated years of 300 symbols.
"""

from __future__ import annotations

import os
import secrets
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest

from include.platform.account import remove_folder
from include.platform.embedded import embedded_engine
from include.platform.ports import is_free
from include.settings import PROJECT_ROOT, load_settings
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.marcap import FileFormat, Vintage, write_marcap_years
from tests.conftest import open_temporary_folder
from tests.docs.pages import PAGES, Block, runnable_blocks

SIMULATOR_PORT = "8999"  # as the pages write it: the first of as many as there are sources
SIMULATOR_PORTS = 6
SECONDS = 240

_PAGES_WITH_BLOCKS = [page for page in PAGES if runnable_blocks(page)]


@pytest.fixture(scope="module")
def marcap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The yearly files the pages call ~/marcap."""
    folder = tmp_path_factory.mktemp("home") / "marcap"
    market = SimulatedMarket(seed=1, symbols=300, first=date(2023, 1, 2), last=date(2025, 12, 30))
    write_marcap_years(market, folder, FileFormat.CSV, Vintage.V2024)
    return folder


@pytest.fixture(scope="module")
def filled_home(marcap: Path) -> Iterator[Path]:
    """A platform's folder, filled and stopped: to be copied, which is much faster than filling one per page."""
    with open_temporary_folder() as folder:
        home = folder / "krxw"
        environment = _environment(home, marcap)
        try:
            for command in ("up --no-airflow", f"backfill daily_bar --source marcap --path {marcap}", "export", "down"):
                _krxw(environment, command)
            yield home
        finally:
            _remove_platform(environment)


@pytest.fixture
def reader(filled_home: Path, marcap: Path) -> Iterator[dict[str, str]]:
    """The environment of a reader: a platform that is up and filled, and this project's programs on the path."""
    with open_temporary_folder() as folder:
        home = folder / "krxw"
        environment = _environment(home, marcap)
        practice = environment | {"KRXW_HOME": f"{environment['HOME']}/krxw-practice"}
        try:
            # Not shutil: what the database's account owns stays its own.
            subprocess.run(["cp", "-a", str(filled_home), str(home)], check=True)
            _krxw(environment, "up --no-airflow")
            yield environment
        finally:
            _remove_platform(environment)
            _remove_platform(practice)


def _environment(home: Path, marcap: Path) -> dict[str, str]:
    programs = [Path(sys.executable).parent, _client_programs()]
    return {
        "PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]]),
        "HOME": str(marcap.parent),
        "PYTHONPATH": str(PROJECT_ROOT),
        "KRXW_HOME": str(home),
        "COLUMNS": "200",
        "LC_ALL": "C.UTF-8",
    }


def _client_programs() -> Path:
    """The folder of psql and pg_dump of the server's own version."""
    return embedded_engine(load_settings().home / "postgresql-binaries").binaries


def _krxw(environment: dict[str, str], arguments: str) -> None:
    done = subprocess.run(
        ["krxw", *shlex.split(arguments)],
        env=environment,
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(SECONDS + 60)
@pytest.mark.parametrize("page", _PAGES_WITH_BLOCKS, ids=lambda page: str(page.relative_to(PROJECT_ROOT)))
def test_a_page_does_what_it_says(page: Path, reader: dict[str, str], tmp_path: Path) -> None:
    blocks = runnable_blocks(page)
    done = _run(_script(blocks, tmp_path), reader, tmp_path)
    for number, block in enumerate(blocks):
        where = f"{page.name}, line {block.line}"
        printed = tmp_path / f"{number}.out"
        status = tmp_path / f"{number}.status"
        if block.background:
            continue
        assert printed.is_file(), f"{where}: not reached.\n{done}"
        shown = printed.read_text(encoding="utf-8")
        assert status.is_file(), f"{where}: did not end.\n{shown}\n{done}"
        assert status.read_text().strip() == "0", f"{where}: failed.\n{shown}\n{done}"
        if block.output is not None:
            assert _lines(shown) == _lines(block.output), f"{where}: prints something else"


def _remove_platform(environment: dict[str, str]) -> None:
    home = Path(environment["KRXW_HOME"])
    if home.exists():
        _krxw(environment, "down --remove-data")
        remove_folder(home)


def _script(blocks: Sequence[Block], out: Path) -> str:
    """All blocks as one shell's work, so that what one sets the next one has."""
    port = str(_free_ports(SIMULATOR_PORTS))
    parts = ["trap 'kill $(jobs -p) 2>/dev/null' EXIT"]
    for number, block in enumerate(blocks):
        text = block.text.replace(SIMULATOR_PORT, port)
        if block.background:
            parts.append(f"{{ {text.rstrip()}\n}} >{out}/{number}.out 2>&1 &")
            parts.append(f"until (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.1; done")
            continue
        command = {
            "sh": text,
            "sql": f'psql --no-psqlrc "$DSN" -c {shlex.quote(text)}\n',
            "python": f"python - <<'END_OF_PYTHON'\n{text}END_OF_PYTHON\n",
        }[block.language]
        # Not in a subshell: `export` and `cd` of a block hold for those after it. A failure in it ends the page.
        parts.append(f"set -e\n{{ {command}}} >{out}/{number}.out 2>&1\nset +e\necho $? >{out}/{number}.status")
    return "\n".join(parts)


def _free_ports(count: int) -> int:
    """The first of so many neighbouring ports nothing listens on, below those a system gives out unasked."""
    while True:
        first = 20_000 + secrets.randbelow(10_000)
        if all(is_free(port) for port in range(first, first + count)):
            return first


def _run(script: str, environment: dict[str, str], out: Path) -> str:
    """Run ``script`` in bash, in the project's folder; returns what it said beside its blocks' output."""
    said = out / "said"
    with said.open("w") as output:
        shell = subprocess.Popen(
            ["bash", "-c", script],
            env=environment,
            cwd=PROJECT_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            shell.wait(SECONDS)
        finally:
            _end_session(shell)
    return said.read_text()


def _end_session(shell: subprocess.Popen[bytes]) -> None:
    """End what the page left running in the background, and the shell itself if it has not ended."""
    with suppress(ProcessLookupError):
        os.killpg(shell.pid, signal.SIGKILL)
    shell.wait()


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").splitlines()]
