"""One dataset from one source, with all that asking it and keeping account of it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial

import pyarrow as pa

from include.crawlers.limits.circuit_breaker import SharedBreaker
from include.crawlers.limits.rate_limit import SharedLimiter
from include.crawlers.limits.shared_state import open_shared_state
from include.crawlers.source import Chunk, crawler_for
from include.crawlers.transport import Priority, Transport
from include.datasets.registry import Dataset
from include.outcomes import CollectionOutcome, SourceNotConfiguredError
from include.pipeline import ledger
from include.pipeline.landing import LandingZone
from include.pipeline.prepare import Origin, PreparedChunk
from include.pipeline.universe import universe_of
from include.quality.session_rules import Refusal
from include.settings import Settings
from include.warehouse.connection import connect


@dataclass(frozen=True)
class Job:
    """One dataset from one source, with all that takes."""

    settings: Settings
    origin: Origin
    open_circuits: list[str]
    release_slots: Callable[[], None]

    @property
    def dataset(self) -> Dataset:
        """The dataset."""
        return self.origin.dataset

    @property
    def source(self) -> str:
        """The source asked."""
        return self.origin.source

    def prepare(self, asked: Sequence[Chunk]) -> PreparedChunk:
        """See ``Origin.prepare``; the universe is filled in, and an opened circuit becomes an alarm."""
        if self.dataset.universe:
            issues = universe_of(self.settings.warehouse_dsn, self.dataset.universe, asked[0].first, asked[-1].last)
            asked = [replace(chunk, universe=issues) for chunk in asked]
        try:
            return self.origin.prepare(asked)
        finally:
            # Between two parts of a backfill somebody's session may go first.
            self.release_slots()
            self._report_open_circuits(asked[-1])

    def _report_open_circuits(self, chunk: Chunk) -> None:
        if self.open_circuits:
            with connect(self.settings.warehouse_dsn, "etl") as connection:
                ledger.open_alarm(
                    connection, self.dataset, chunk.last, "circuit_open", self.open_circuits.pop(), batch_id=None
                )
            self.open_circuits.clear()

    def record_outcome(self, chunk: Chunk, batch_id: int, outcome: CollectionOutcome) -> None:
        """Enter an outcome that gave no rows; of a longer range one alarm, on its first session, speaks for all."""
        with connect(self.settings.warehouse_dsn, "etl") as connection:
            if chunk.first == chunk.last:
                refusal = Refusal(outcome.outcome, str(outcome))
                ledger.record_refused(connection, self.dataset, self.source, batch_id, {chunk.first: refusal})
            else:
                message = f"{self.source}, {chunk.first} to {chunk.last}: {outcome}"
                ledger.open_alarm(connection, self.dataset, chunk.first, outcome.outcome, message, batch_id)


@contextmanager
def open_job(
    settings: Settings, dataset: Dataset, source: str, environment: Mapping[str, str], priority: Priority
) -> Iterator[Job]:
    """A job, its connections open.

    Raises:
        SourceNotConfiguredError: the operator's rate for the source is not a rate.
        UnknownSourceError: the source does not publish the dataset.
    """
    crawler = crawler_for(dataset.name, source)
    # Arrow's own allocators keep what a chunk needed; over a long range that adds up.
    pa.set_memory_pool(pa.system_memory_pool())
    open_circuits: list[str] = []
    with (
        connect(settings.warehouse_dsn, "etl", autocommit=True) as calls,
        open_shared_state(settings.warehouse_dsn) as shared,
        closing(SharedLimiter(shared)) as limiter,
    ):
        calls.execute("SET synchronous_commit = off")  # no call waits until the record of the last is on the disk
        breaker = SharedBreaker(shared, on_open=lambda _, message: open_circuits.append(message))
        with closing(
            Transport(
                limiter,
                partial(ledger.record_call, calls),
                priority=priority,
                breaker=breaker,
                rates=_operator_rates(source, environment),
            )
        ) as transport:
            zone = LandingZone(settings.landing_url)
            # Brokers' crawlers keep their tokens in the warehouse.
            known = {**environment, "KRXW_WAREHOUSE_DSN": settings.warehouse_dsn}
            origin = Origin(dataset, source, crawler, zone, transport, known)
            yield Job(settings, origin, open_circuits, limiter.release_slots)


def _operator_rates(source: str, environment: Mapping[str, str]) -> dict[str, float]:
    """The rate set by the variable ``KRXW_<SOURCE>_CALLS_PER_SECOND``, by source.

    Raises:
        SourceNotConfiguredError: it is not a positive number.
    """
    variable = f"KRXW_{source.upper()}_CALLS_PER_SECOND"
    text = environment.get(variable)
    if not text:
        return {}
    try:
        rate = float(text)
    except ValueError:
        rate = 0
    if not 0 < rate < float("inf"):
        raise SourceNotConfiguredError(f"{variable} is {text!r}, expected a number of calls per second, as 0.5")
    return {source: rate}
