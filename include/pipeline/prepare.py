"""The first half of the way in, which needs no transaction: fetch, land, parse and mark a chunk's rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from include.crawlers.source import Chunk, Crawler
from include.crawlers.transport import Transport
from include.datasets.registry import Dataset
from include.pipeline.landing import LandingZone
from include.quality.row_rules import mark_violations


@dataclass(frozen=True)
class PreparedChunk:
    """A chunk's rows, marked (see ``mark_violations``), and where the bytes they came from are kept."""

    chunk: Chunk
    rows: pa.Table
    landing_keys: list[str]
    fetched_at: datetime


def prepare_chunk(
    dataset: Dataset,
    source: str,
    crawler: Crawler,
    chunk: Chunk,
    zone: LandingZone,
    transport: Transport,
    environment: Mapping[str, str],
) -> PreparedChunk:
    """Fetch ``chunk``, keep the bytes, then read them.

    Raises:
        CollectionOutcome: the source gave something else than the chunk's rows.
        LandingError: the bytes could not be kept.
        SourceNotConfiguredError: see ``Crawler.fetch``.
    """
    landed = [zone.land(dataset.name, source, body) for body in crawler.fetch(chunk, transport, environment)]
    # In order of key the load fills the fact table's index from left to right.
    rows = mark_violations(crawler.parse([kept.body for kept in landed], chunk), dataset)
    return PreparedChunk(
        chunk=chunk,
        rows=rows,
        landing_keys=[kept.key for kept in landed],
        fetched_at=max(kept.body.fetched_at for kept in landed),
    )
