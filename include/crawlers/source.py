"""What a source's module offers the pipeline."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

import pyarrow as pa

from include.crawlers.transport import Transport


class UnknownSourceError(LookupError):
    """The dataset has no such source."""


@dataclass(frozen=True)
class Issue:
    """An issue a source that answers symbol by symbol is asked for, as the warehouse knows it."""

    symbol: str
    market: str
    name: str
    section: str


@dataclass(frozen=True)
class Chunk:
    """What is asked of a source at once: a range of days, both included; a session, or a year of them.

    ``universe`` holds the issues to ask for, where the dataset declares a universe. ``at`` is the moment a snapshot
    is taken for.
    """

    first: date
    last: date
    universe: tuple[Issue, ...] = ()
    at: datetime | None = None


@dataclass(frozen=True)
class RawBody:
    """Bytes as a source gave them. ``request`` says what was asked for and holds no credential.

    Of a file read from a folder it names the ``file``.
    """

    content: bytes
    request: Mapping[str, str]
    fetched_at: datetime
    suffix: str

    @property
    def is_file(self) -> bool:
        """Whether it was read from a folder: the same bytes read again are no newer account."""
        return "file" in self.request


class Crawler(Protocol):
    """One dataset of one source."""

    def held(self, environment: Mapping[str, str]) -> list[Chunk]:
        """The ranges of days the source holds, in order.

        Raises:
            SourceNotConfiguredError: the source cannot tell; the message says what to pass instead.
        """

    def split(self, sessions: Sequence[date]) -> list[Chunk]:
        """The chunks that together cover ``sessions``, which are in order."""

    def fetch(self, chunk: Chunk, transport: Transport, environment: Mapping[str, str]) -> list[RawBody]:
        """Ask the source for ``chunk``.

        Raises:
            CollectionOutcome: the source did not give what was asked for.
            SourceNotConfiguredError: ``environment`` lacks what the source needs.
        """

    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """Rows of ``chunk`` in the dataset's ``parsed_schema``, in the order published. Pure.

        Raises:
            Malformed: the bytes are not what the source publishes.
            NotASession, NotPublished: the source says there is nothing, and why.
        """


def crawler_for(dataset: str, source: str) -> Crawler:
    """The crawler of ``dataset`` in the module named after ``source``.

    Raises:
        UnknownSourceError: the source is unknown or does not publish the dataset.
    """
    try:
        module = importlib.import_module(f"include.crawlers.{source}")
        crawler: Crawler = module.CRAWLERS[dataset]
    except (ModuleNotFoundError, AttributeError, KeyError) as error:
        raise UnknownSourceError(f"{source!r} is not a source of {dataset}") from error
    return crawler
