"""Servers of both kinds, as ``krxw up`` starts them, and empty warehouses on them."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from include.platform.account import remove_folder
from include.platform.ports import first_free
from include.platform.postgres import Engine, PostgresServer
from include.warehouse.connection import connect
from include.warehouse.migrations import migrate

_FIRST_PORT = 55_432


@contextmanager
def running_server(engine: Engine) -> Iterator[PostgresServer]:
    """A durable server with data of its own, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="krxw-bench-") as folder:
        Path(folder).chmod(0o755)  # the server's account has to enter
        server = PostgresServer(Path(folder) / "server", engine)
        try:
            server.start(first_free(_FIRST_PORT))
            yield server
        finally:
            server.stop("immediate")
            remove_folder(server.folder)


@contextmanager
def empty_warehouse(server: PostgresServer) -> Iterator[str]:
    """The connection string of a warehouse with the schema and no rows; checkpointed, so that each starts alike."""
    name = f"bench_{secrets.token_hex(4)}"
    dsn = server.create_database(name)
    migrate(dsn)
    checkpoint(dsn)
    yield dsn
    server.drop_database(name)


def checkpoint(dsn: str) -> None:
    """Write out what earlier work left, so that the next measurement does not pay for it."""
    with connect(dsn, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
