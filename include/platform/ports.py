"""TCP ports on the loopback address."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from include.platform.errors import PlatformError

LOOPBACK = "127.0.0.1"
PORTS_TRIED = 100


class PortInUseError(PlatformError):
    """A port is taken by another process."""


def is_free(port: int) -> bool:
    """Whether a server could listen on ``port`` of the loopback address now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def asked_port(variable: str, environment: Mapping[str, str] = os.environ) -> int | None:
    """The port ``variable`` asks for, or None.

    Raises:
        PlatformError: its value is not a port.
    """
    value = environment.get(variable)
    if not value:
        return None
    if not value.isdecimal() or not 0 < int(value) < 2**16:
        raise PlatformError(f"{variable} is a port, a number from 1 to 65535, not {value!r}")
    return int(value)


def require_free(port: int, variable: str) -> int:
    """``port``, asked for by ``variable``.

    Raises:
        PortInUseError: another process listens on it.
    """
    if not is_free(port):
        raise PortInUseError(
            f"port {port} of {LOOPBACK} is in use by another process. "
            f"Stop that process, ask for another port ({variable}=<port>), or leave {variable} unset."
        )
    return port


def first_free(start: int) -> int:
    """The first free port from ``start`` on.

    Raises:
        PortInUseError: none of the next ``PORTS_TRIED`` is free.
    """
    for port in range(start, start + PORTS_TRIED):
        if is_free(port):
            return port
    raise PortInUseError(f"no free port from {start} to {start + PORTS_TRIED - 1} on {LOOPBACK}")
