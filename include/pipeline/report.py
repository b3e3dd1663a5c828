"""What a batch did, in counts and references: small enough to hand from task to task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True)
class BatchReport:
    """One batch. ``sessions`` are those loaded; ``refused`` maps those that were not to the reason.

    A failed batch says so in ``outcome`` (the typed outcome's name) and ``error`` (in words).
    """

    batch_id: int
    dataset: str
    source: str
    first: date
    last: date
    status: str
    rows_published: int = 0
    rows_inserted: int = 0
    rows_updated: int = 0
    rows_unchanged: int = 0
    rows_quarantined: int = 0
    sessions: tuple[date, ...] = ()
    refused: Mapping[date, str] = field(default_factory=dict)
    outcome: str = ""
    error: str = ""

    def summary(self) -> str:
        """One line in plain words."""
        days = f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"
        head = f"{self.dataset} {days} from {self.source}: "
        if self.status == "failed":
            return f"{head}failed, nothing loaded: {self.error}"
        quarantined = f", {self.rows_quarantined:,} quarantined" if self.rows_quarantined else ""
        refused = f", {len(self.refused)} sessions refused or missing" if self.refused else ""
        if self.status == "refused":
            return f"{head}no session loaded of {self.rows_published:,} rows{quarantined}{refused}"
        if self.status == "unchanged":
            return f"{head}no row changed, all {self.rows_unchanged:,} were here already{quarantined}{refused}"
        return (
            f"{head}{self.rows_published:,} rows of {len(self.sessions)} sessions: {self.rows_inserted:,} new, "
            f"{self.rows_updated:,} corrected, {self.rows_unchanged:,} unchanged{quarantined}{refused}"
        )
