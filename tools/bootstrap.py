# ruff: noqa: UP021
"""Make .venv: every package of requirements.txt, checked by hash, and this project itself.

Runs on any Python 3 and uses its standard library only (hence the plain style: it must start on an old
Python to say that it is too old). Started again, it does nothing unless the lock, the project's metadata or
the Python changed.
"""

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.txt"
STAMP = VENV / "bootstrap-stamp"
VERSIONS = ("3.13", "3.12", "3.11")
BYTES_NEEDED = 2 * 1024**3

PROBE = "import sys; print('%d.%d.%d' % sys.version_info[:3]); print(sys.executable)"

# pip's settings and uv's names for the same. uv does not read pip's configuration.
UV_VARIABLES = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "no-index": ("UV_NO_INDEX", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "proxy": ("ALL_PROXY", " "),
}


class BootstrapError(Exception):
    """The environment cannot be made; the message says why and what to do."""


def main() -> None:
    """Bring .venv up to date with the lock."""
    asked = os.environ.get("PYTHON") or None
    if is_current(asked):
        return
    started = time.monotonic()
    python, version = usable_venv(asked) or find_python(asked)
    require_disk()
    say(f"Python {version} ({python})")
    if Path(python) != VENV_PYTHON:
        make_venv(python, version)
    install_uv()
    sync()
    install_project()
    STAMP.write_text(fingerprint() + "\n")
    say(f"ready in {time.monotonic() - started:.0f} s")


def say(text: str) -> None:
    """One line of progress."""
    print("set-up: " + text, flush=True)


def is_current(asked: "str | None") -> bool:
    """Whether the last set-up was of this lock, in this place, with the Python asked for."""
    if not (STAMP.is_file() and VENV_PYTHON.is_file() and STAMP.read_text().strip() == fingerprint()):
        return False
    return asked is None or same_version(asked)


def fingerprint() -> str:
    """A hash over all that decides what .venv holds."""
    content = b"\0".join([LOCK.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), str(ROOT).encode()])
    return hashlib.sha256(content).hexdigest()


def same_version(asked: str) -> bool:
    """Whether the Python ``asked`` for is of the version in .venv."""
    found = probe(shutil.which(asked) or asked)
    inside = probe(str(VENV_PYTHON))
    return found is not None and inside is not None and found[1] == inside[1]


def usable_venv(asked: "str | None") -> "tuple[str, str] | None":
    """The (path, version) of .venv's own Python if it can be kept, else None."""
    if not VENV_PYTHON.is_file() or (asked is not None and not same_version(asked)):
        return None
    found = probe(str(VENV_PYTHON))
    activate = VENV / "bin" / "activate"
    made_here = activate.is_file() and str(VENV) in activate.read_text()  # a moved clone's scripts fail
    has_pip = runs(str(VENV_PYTHON), "import pip")
    return found if found and made_here and has_pip and is_supported(found[1]) else None


def find_python(asked: "str | None") -> "tuple[str, str]":
    """The (path, version) of a supported Python.

    Without ``asked`` (the variable PYTHON): the first that runs among python3, python3.13, ... on PATH.
    A name on PATH may be a shim that fails, so every folder is tried.
    """
    names = [asked] if asked else ["python3"] + ["python" + version for version in VERSIONS]
    seen = []
    for name in names:
        for path in places(name):
            found = probe(path)
            if found is None:
                seen.append(f"{path} does not start")
            elif is_supported(found[1]):
                return found
            else:
                seen.append(f"{path} is {found[1]}")
    tried = "; ".join(seen) or "nothing named {} was found".format(", ".join(names))
    raise BootstrapError(
        f"Python {', '.join(reversed(VERSIONS))} is needed.\n  Tried: {tried}.\n"
        "  Install one (on Debian or Ubuntu: apt-get install python3 python3-venv), "
        "or name it: make PYTHON=/path/to/python3.12 ..."
    )


def places(name: str) -> "list[str]":
    """Every executable called ``name`` on PATH; a path is itself."""
    if os.sep in name:
        return [name]
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return [path for path in (os.path.join(folder, name) for folder in folders) if os.access(path, os.X_OK)]


def probe(path: str) -> "tuple[str, str] | None":
    """The (executable, version) of the Python at ``path``, or None when it does not run."""
    try:
        done = subprocess.run(
            [path, "-c", PROBE],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            universal_newlines=True,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.splitlines()
    return (lines[1], lines[0]) if done.returncode == 0 and len(lines) == 2 else None


def runs(python: str, code: str) -> bool:
    """Whether ``python`` runs ``code`` without an error."""
    return subprocess.run([python, "-c", code], stderr=subprocess.DEVNULL).returncode == 0


def is_supported(version: str) -> bool:
    """Whether the project runs on Python ``version``."""
    return version.rpartition(".")[0] in VERSIONS


def require_disk() -> None:
    """Refuse to begin what the disk cannot hold."""
    needed = 0 if STAMP.exists() else BYTES_NEEDED
    free = shutil.disk_usage(str(ROOT)).free
    if free < needed:
        raise BootstrapError(
            f"not enough disk: {free / 1024**3:.1f} GB free under {ROOT}, about {needed / 1024**3:.0f} GB "
            "needed. Free some and run it again."
        )


def make_venv(python: str, version: str) -> None:
    """A new, empty .venv."""
    if not runs(python, "import venv, ensurepip"):
        package = "python{}-venv".format(version.rpartition(".")[0])
        raise BootstrapError(f"{python} has no venv module. On Debian or Ubuntu: apt-get install {package}")
    say("making .venv")
    run([python, "-m", "venv", "--clear", str(VENV)])


def install_uv() -> None:
    """The installer, of the version and hash in the lock, by pip: pip knows this machine's indexes."""
    pinned = re.search(r"^uv==(\S+).*?(?=^\S)", LOCK.read_text() + "\n.", re.DOTALL | re.MULTILINE)
    if pinned is None:
        raise BootstrapError(f"{LOCK.name} pins no uv; `make lock` writes it from requirements.in")
    if installed_uv() == pinned.group(1):
        return
    say("fetching the installer, uv " + pinned.group(1))
    with tempfile.TemporaryDirectory() as folder:
        only_uv = Path(folder) / "uv.txt"
        only_uv.write_text(re.sub(r"^ *#.*\n", "", pinned.group(0), flags=re.MULTILINE))
        pip = [str(VENV_PYTHON), "-m", "pip", "--disable-pip-version-check", "--quiet"]
        run([*pip, "install", "--require-hashes", "--no-deps", "-r", str(only_uv)])


def installed_uv() -> "str | None":
    """The version of the uv in .venv, or None."""
    uv = VENV / "bin" / "uv"
    if not uv.is_file():
        return None
    return subprocess.run([str(uv), "--version"], stdout=subprocess.PIPE, universal_newlines=True).stdout.split()[1]


def sync() -> None:
    """Exactly the packages of the lock."""
    say(f"installing the packages of {LOCK.name} (1.3 GB)")
    uv("pip", "sync", "--require-hashes", "--compile-bytecode", str(LOCK))


def install_project() -> None:
    """The project itself, editable. Its build backend is in the lock: nothing is resolved or downloaded."""
    uv("pip", "install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))


def lock() -> None:
    """Resolve requirements.in into the lock, for every supported Python and platform.

    Versions already in the lock stay unless requirements.in forbids them.
    """
    options = ["--universal", "--generate-hashes", "--no-header", "--quiet", "--python-version", VERSIONS[-1]]
    os.chdir(str(ROOT))  # so that the lock names its source without a path
    uv("pip", "compile", *options, "requirements.in", "--output-file", LOCK.name)


def uv(*arguments: str) -> None:
    """Run uv on .venv, with the indexes pip is configured with."""
    environment = dict(os.environ, VIRTUAL_ENV=str(VENV), UV_PYTHON=str(VENV_PYTHON), **uv_environment())
    run([str(VENV / "bin" / "uv"), *list(arguments)], environment)


def uv_environment() -> "dict[str, str]":
    """This machine's pip configuration as uv's variables; what is set for uv already stays."""
    listed = subprocess.run(
        [str(VENV_PYTHON), "-m", "pip", "--disable-pip-version-check", "config", "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        universal_newlines=True,
    ).stdout
    settings = {}
    for section in ("global", "install", ":env:"):  # the later wins
        for name, value in re.findall(rf"^{re.escape(section)}\.([a-z-]+)=(.+)$", listed, re.MULTILINE):
            settings[name] = ast.literal_eval(value)
    variables = {}
    for name, (variable, separator) in UV_VARIABLES.items():
        if name in settings and variable not in os.environ:
            variables[variable] = separator.join(settings[name].split())
    # pip takes the best match of all indexes; with every file checked by its hash, so may uv.
    variables.setdefault("UV_INDEX_STRATEGY", os.environ.get("UV_INDEX_STRATEGY", "unsafe-best-match"))
    return variables


def run(command: "list[str]", environment: "dict[str, str] | None" = None) -> None:
    """Run ``command``; show what it says, less the list of every package; explain a failure."""
    said = []
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True
    )
    for line in process.stdout or ():
        said.append(line)
        if not line.startswith((" + ", " - ", " ~ ")):
            print("  " + line.rstrip(), flush=True)
    if process.wait() != 0:
        raise BootstrapError("{} failed.\n  {}".format(Path(command[0]).name, advice("".join(said))))


def advice(output: str) -> str:
    """What to do about a failure that said ``output``."""
    if re.search(r"No space left|os error 28", output):
        return "The disk is full: free about 2 GB and run it again."
    if re.search(
        r"error sending request|dns error|Failed to fetch|NewConnectionError|Could not connect|timed out"
        r"|Temporary failure|Max retries|No matching distribution",
        output,
    ):
        return (
            "The package index cannot be reached. Check the network, or name an index within reach: "
            "pip config set global.index-url <address>. What was fetched already is kept."
        )
    return "The lines above say why."


if __name__ == "__main__":
    try:
        lock() if sys.argv[1:] == ["lock"] else main()
    except BootstrapError as error:
        sys.exit(f"set-up: {error}")
    except KeyboardInterrupt:
        sys.exit("\nset-up: interrupted; run it again to go on")
