"""Warehouses for tests that need several."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from include.platform.postgres import PostgresServer


@pytest.fixture
def empty_warehouse_each_time(
    server: PostgresServer, migrated_template: str
) -> Callable[[], AbstractContextManager[str]]:
    """Opens an empty warehouse for as long as it is needed."""

    @contextmanager
    def opened() -> Iterator[str]:
        name = f"warehouse_{secrets.token_hex(6)}"
        yield server.create_database(name, template=migrated_template)
        server.drop_database(name)

    return opened
