"""The clock of the simulated sources."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from include.market.calendar import KST


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self._now = datetime(2025, 6, 1, tzinfo=KST)

    def now(self) -> datetime:
        """The moment it shows."""
        return self._now

    def set(self, moment: datetime) -> None:
        """Show ``moment``."""
        self._now = moment

    def set_morning_after(self, session: date) -> None:
        """When all sources have published ``session``, and those that show the present only still show it."""
        self._now = datetime.combine(session + timedelta(days=1), time(8, 30), KST)
