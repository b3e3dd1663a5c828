"""Debian packages of another release, fetched without root and without touching this machine's packages.

``apt-get`` runs with a state of its own and an empty list of installed packages. Mirrors, proxies and
certificates are those this machine's apt is configured with.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Collection, Sequence
from pathlib import Path

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_INDEX = re.compile(r"^'(?P<mirror>\S+?)/dists/(?P<suite>[^/']+)/main/binary-")


class AptError(RuntimeError):
    """Packages cannot be had on this machine; the message says why and what to do."""


class ForeignRelease:
    """The packages of the Debian release ``codename``, with apt's state under ``folder``.

    Raises:
        AptError: this is not a Debian with ``apt-get``, or no mirror is configured.
    """

    def __init__(self, codename: str, folder: Path) -> None:
        for program in ("apt-get", "apt-config", "dpkg-deb"):
            if shutil.which(program) is None:
                raise AptError(f"{program} is not on this machine; Debian packages can only be had on Debian")
        self.folder = folder
        for part in ("lists/partial", "cache/archives/partial", "parts"):
            (folder / part).mkdir(parents=True)
        (folder / "status").touch()
        (folder / "sources.list").write_text(_sources(codename))
        self._configuration.write_text(_configuration(folder))
        self._apt_get("update", "--error-on=any")

    def closure(self, packages: Sequence[str]) -> list[str]:
        """The names of ``packages`` and of everything they depend on.

        Raises:
            AptError: the mirror has no such package.
        """
        uris = self._apt_get("install", "--print-uris", *packages)
        return [line.split()[1].split("_")[0] for line in uris.splitlines() if line.startswith("'")]

    def unpack(self, packages: Collection[str], tree: Path) -> None:
        """Download ``packages`` (apt verifies signatures and hashes) and unpack their files into ``tree``."""
        downloads = self.folder / "downloads"
        downloads.mkdir()
        self._apt_get("download", *sorted(packages), cwd=downloads)
        for package in sorted(downloads.glob("*.deb")):
            _run(["dpkg-deb", "-x", str(package), str(tree)])

    @property
    def _configuration(self) -> Path:
        return self.folder / "apt.conf"

    def _apt_get(self, *arguments: str, cwd: Path | None = None) -> str:
        return _run(["apt-get", "-qq", *arguments], cwd=cwd, APT_CONFIG=str(self._configuration))


def _sources(codename: str) -> str:
    """``sources.list`` for ``codename``, on the mirrors of this machine's own release and its security."""
    own = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    if own.get("ID") != "debian":
        raise AptError(f"this machine runs {own.get('PRETTY_NAME', platform.system())}, not Debian")
    here = own.get("VERSION_CODENAME", "stable")
    mirrors: dict[str, str] = {}
    for line in _run(["apt-get", "update", "--print-uris"]).splitlines():
        if found := _INDEX.match(line):
            mirrors.setdefault(found["suite"], found["mirror"])
    wanted = {codename: mirrors.get(here), f"{codename}-security": mirrors.get(f"{here}-security")}
    if wanted[codename] is None:
        raise AptError(
            f"this machine's apt configuration names no mirror of {here} main; add one under /etc/apt/sources.list.d"
        )
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    return "".join(f"deb {signed}{mirror} {suite} main\n" for suite, mirror in wanted.items() if mirror)


def _configuration(folder: Path) -> str:
    """apt's configuration: everything under ``folder``, how to reach mirrors as on this machine."""
    acquire = [line for line in _run(["apt-config", "dump"]).splitlines() if line.startswith("Acquire::")]
    own = {
        "Dir::State": folder,
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "Dir::Etc::main": "/dev/null",
        "Dir::Etc::parts": folder / "parts",
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": folder / "parts",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": folder / "parts",
        "APT::Sandbox::User": "root",
        "APT::Install-Recommends": "false",
        "APT::Get::Assume-Yes": "true",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        "Debug::NoLocking": "true",
    }
    return "\n".join([*acquire, *(f'{name} "{value}";' for name, value in own.items())]) + "\n"


def _run(command: Sequence[str], cwd: Path | None = None, **environment: str) -> str:
    done = subprocess.run(  # noqa: S603
        command,
        cwd=cwd,
        env={**os.environ, "LC_ALL": "C", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise AptError(_explanation(" ".join(command[:3]), done.stdout + done.stderr))
    return done.stdout


def _explanation(command: str, output: str) -> str:
    text = "\n".join(output.strip().splitlines()[-8:])
    if "No space left" in output or "enough free space" in output:
        return f"{command}: the disk is full; free some space.\n{text}"
    if "Unable to locate package" in output:
        return f"{command}: this machine's Debian mirror does not carry the package.\n{text}"
    if "NO_PUBKEY" in output:
        return f"{command}: the release's key is unknown; `apt-get install debian-archive-keyring`.\n{text}"
    if re.search(r"Could not resolve|Failed to fetch|Unable to connect|Connection (failed|timed out)", output):
        return f"{command}: the Debian mirror cannot be reached; check the network or apt's proxy.\n{text}"
    return f"{command} failed:\n{text}"
