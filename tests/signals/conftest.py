"""What the tests of signals share."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from include.datasets.registry import Dataset
from include.pipeline import commit
from include.quality.validate import SuiteReport


@pytest.fixture(scope="module")
def without_suites() -> Iterator[None]:
    """Loads without their expectation suites, which take a second each and have tests of their own."""

    def passed(_: str, dataset: Dataset, __: str, batch_id: int) -> SuiteReport:
        return SuiteReport(dataset.name, batch_id, datetime.now(UTC), True, (), None, None)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commit, "run_suite", passed)
        yield
