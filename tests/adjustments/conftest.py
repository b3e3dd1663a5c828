"""Warehouses for tests that need several."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime

import pytest

from include.datasets.registry import Dataset
from include.pipeline import commit
from include.platform.postgres import PostgresServer
from include.quality.validate import SuiteReport


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


@pytest.fixture
def without_suites(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loads without their expectation suites, which take a second each and have tests of their own."""

    def passed(_: str, dataset: Dataset, __: str, batch_id: int) -> SuiteReport:
        return SuiteReport(dataset.name, batch_id, datetime.now(UTC), True, (), None, None)  # type: ignore[arg-type]

    monkeypatch.setattr(commit, "run_suite", passed)
