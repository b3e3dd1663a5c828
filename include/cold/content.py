"""What a partition holds, seen in one pass over its rows, whether they come from a file or the warehouse."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from include.datasets.registry import Dataset
from include.warehouse.content_digest import ContentDigest


@dataclass(frozen=True)
class Content:
    """``digest`` is over the business columns (``include.warehouse.content_digest``).

    ``key_range`` holds the smallest and largest value of each key column, as text.
    """

    rows: int
    digest: str
    key_range: dict[str, list[str]]


class ContentReader:
    """Takes in a partition's rows of ``dataset``, batch by batch."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._digest = ContentDigest()
        self._extremes: dict[str, list[Any]] = {name: [] for name in dataset.key}

    def update(self, batch: pa.RecordBatch) -> None:
        """Take in ``batch``, which has at least the business columns."""
        if batch.num_rows == 0:
            return
        self._digest.update(batch.select(self._dataset.column_names))
        for name, seen in self._extremes.items():
            found = [*seen, *pc.min_max(batch[name]).as_py().values()]
            self._extremes[name] = [min(found), max(found)]

    @property
    def content(self) -> Content:
        """What has been taken in so far."""
        key_range = {name: [str(value) for value in seen] for name, seen in self._extremes.items()}
        return Content(self._digest.rows, self._digest.hexdigest, key_range)


def content_of(batches: Iterable[pa.RecordBatch], dataset: Dataset) -> Content:
    """What ``batches`` hold."""
    reader = ContentReader(dataset)
    for batch in batches:
        reader.update(batch)
    return reader.content
