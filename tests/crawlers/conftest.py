"""The state all workers share, on a warehouse of each kind of server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from include.crawlers.limits.shared_state import SharedState, open_shared_state


@pytest.fixture
def shared(warehouse: str) -> Iterator[SharedState]:
    with open_shared_state(warehouse) as state:
        yield state
