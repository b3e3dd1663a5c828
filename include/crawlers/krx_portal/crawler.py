"""A dataset of the portal's: which questions, asked session by session."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import date

import pyarrow as pa

from include.crawlers.krx_portal.session import Question, logged_in
from include.crawlers.source import Chunk, RawBody
from include.crawlers.transport import Transport
from include.outcomes import SourceNotConfiguredError

SCREENS = "dbms/MDC/STAT/standard"


class PortalCrawler(ABC):
    """A dataset whose chunk is the answers to some questions."""

    def held(self, environment: Mapping[str, str]) -> list[Chunk]:
        """Unknown: a range has to be given."""
        raise SourceNotConfiguredError("the KRX portal answers by date: say which with --from and --to")

    def split(self, sessions: Sequence[date]) -> list[Chunk]:
        """One chunk per session: a range is answered as a sum, or for one issue only."""
        return [Chunk(session, session) for session in sessions]

    @abstractmethod
    def questions(self, chunk: Chunk) -> list[Question]:
        """What to ask for ``chunk``, in order."""

    def fetch(self, chunk: Chunk, transport: Transport, environment: Mapping[str, str]) -> list[RawBody]:
        """One body per question."""
        return logged_in(transport, environment).ask(self.questions(chunk))

    @abstractmethod
    def parse(self, bodies: Sequence[RawBody], chunk: Chunk) -> pa.Table:
        """The rows of ``chunk``."""


def screen(code: str, **form: str) -> Question:
    """A question to one of the portal's statistics screens."""
    return Question(f"{SCREENS}/{code}", form)


def compact(day: date) -> str:
    """A day as the portal's forms write it."""
    return f"{day:%Y%m%d}"
