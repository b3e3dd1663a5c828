"""The operating system account a database server runs as, and folders that account can use.

PostgreSQL refuses to run as root. Started by anyone else the server is that user's; started by root it is
run as an unprivileged account that exists already, and root's private folders are closed to it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from include.platform.errors import PlatformError

CANDIDATES = ("postgres", "nobody")
ELSEWHERE = Path("/var/lib/krx-warehouse")


class NoAccountError(PlatformError):
    """Root has no unprivileged account to run the server as."""


@dataclass(frozen=True)
class Account:
    """A user of this machine, as the server's processes are started."""

    name: str
    uid: int
    gid: int

    @property
    def is_caller(self) -> bool:
        """Whether this process already runs as this account."""
        return os.geteuid() == self.uid

    def run(
        self,
        command: Sequence[str | Path],
        *,
        cwd: Path = Path("/"),
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run ``command`` as this account and wait for it; output is captured, a failure is not raised."""
        switch = not self.is_caller
        return subprocess.run(  # noqa: S603
            [str(part) for part in command],
            cwd=cwd,
            env={"PATH": os.defpath, "LC_ALL": "C", "HOME": "/", **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            user=self.uid if switch else None,
            group=self.gid if switch else None,
            extra_groups=() if switch else None,
        )

    def owns(self, path: Path) -> bool:
        """Whether ``path`` belongs to this account."""
        return path.stat().st_uid == self.uid

    def can_enter(self, folder: Path) -> bool:
        """Whether this account may use what is in the existing ``folder`` (every parent lets it through)."""
        return self.run(["test", "-x", folder]).returncode == 0


def server_account() -> Account:
    """The caller, or for root the first unprivileged account of ``CANDIDATES`` this machine has.

    Raises:
        NoAccountError: root, and none of them exists.
    """
    if os.geteuid() != 0:
        return _account(pwd.getpwuid(os.geteuid()))
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in CANDIDATES:
        if name in known:
            return _account(known[name])
    raise NoAccountError(
        f"PostgreSQL does not run as root, and none of the accounts {', '.join(CANDIDATES)} exists. "
        f"Run as an ordinary user, or create one: useradd --system postgres"
    )


def owner_of(path: Path) -> Account:
    """The account that ``path`` belongs to."""
    return _account(pwd.getpwuid(path.stat().st_uid))


def open_folder(path: Path, account: Account) -> Path:
    """Create the folder ``path`` so that ``account`` can enter it, and return where it really is.

    Where a parent keeps the account out (a clone in root's home), nobody else's folder is opened up:
    ``path`` becomes a symbolic link to a new folder under ``ELSEWHERE``.
    """
    if path.is_symlink():
        path.resolve().mkdir(parents=True, exist_ok=True)
        return path.resolve()
    if path.is_dir():
        return path
    path.mkdir(parents=True)
    path.chmod(0o755)
    if account.can_enter(path):
        return path
    path.rmdir()
    ELSEWHERE.mkdir(mode=0o755, parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{path.name}-", dir=ELSEWHERE))
    folder.chmod(0o755)
    path.symlink_to(folder)
    return folder


def remove_folder(path: Path) -> None:
    """Remove a folder made by :func:`open_folder`, wherever it is."""
    if path.is_symlink():
        shutil.rmtree(path.resolve(), ignore_errors=True)
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def _account(entry: pwd.struct_passwd) -> Account:
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)
