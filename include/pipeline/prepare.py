"""The first half of the way in, which needs no transaction: fetch, land, parse and mark a chunk's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from include.crawlers.source import Chunk, Crawler
from include.crawlers.transport import Transport
from include.datasets.registry import Dataset
from include.outcomes import CollectionOutcome
from include.pipeline.landing import LandingZone
from include.quality.row_rules import mark_violations
from include.quality.session_rules import Refusal


@dataclass(frozen=True)
class PreparedChunk:
    """A chunk's rows, marked (see ``mark_violations``), and where the bytes they came from are kept.

    ``failures`` are the parts of it the source did not give, where it is asked part by part.
    """

    chunk: Chunk
    rows: pa.Table
    landing_keys: list[str]
    fetched_at: datetime
    failures: Mapping[Chunk, Refusal] = field(default_factory=dict)


@dataclass(frozen=True)
class Origin:
    """One dataset of one source, and what asking it takes."""

    dataset: Dataset
    source: str
    crawler: Crawler
    zone: LandingZone
    transport: Transport
    environment: Mapping[str, str]

    def prepare(self, asked: Sequence[Chunk]) -> PreparedChunk:
        """Fetch each of ``asked``, in order of time, keep the bytes, then read them.

        Raises:
            CollectionOutcome: the source gave something else than rows for every one; that of the last.
            LandingError: the bytes could not be kept.
            SourceNotConfiguredError: see ``Crawler.fetch``.
        """
        tables: list[pa.Table] = []
        keys: list[str] = []
        moments: list[datetime] = []
        failures: dict[Chunk, CollectionOutcome] = {}
        for chunk in asked:
            try:
                bodies = self.crawler.fetch(chunk, self.transport, self.environment)
                landed = [self.zone.land(self.dataset.name, self.source, body) for body in bodies]
                tables.append(self.crawler.parse([kept.body for kept in landed], chunk))
            except CollectionOutcome as outcome:
                failures[chunk] = outcome
                continue
            keys += [kept.key for kept in landed]
            # A source that gives an earlier answer again says so now; a file read again is as old as it was.
            moments += [
                kept.body.fetched_at if body.is_file else body.fetched_at
                for body, kept in zip(bodies, landed, strict=True)
            ]
        if not tables:
            raise failures[asked[-1]]
        return PreparedChunk(
            chunk=Chunk(asked[0].first, asked[-1].last),
            # In order of key the load fills the fact table's index from left to right.
            rows=mark_violations(pa.concat_tables(tables), self.dataset),
            landing_keys=keys,
            fetched_at=max(moments),
            failures={chunk: Refusal(outcome.outcome, str(outcome)) for chunk, outcome in failures.items()},
        )
