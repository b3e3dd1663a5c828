"""The moments of a session at which something is done, and the clock they are read from."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from include.market.calendar import KST, TradingHours

# An event loop's clock and the wall's drift apart over hours.
_LONGEST_SLEEP = 60.0


class InvalidClockError(ValueError):
    """The clock's file does not hold a moment."""


class Clock(Protocol):
    """What time it is, and a way to wait for another."""

    def now(self) -> datetime:
        """The moment, aware."""

    async def wait_until(self, moment: datetime) -> None:
        """Return at ``moment``, or at once where it has passed."""


class WallClock:
    """The machine's own."""

    def now(self) -> datetime:
        """The moment, in UTC."""
        return datetime.now(UTC)

    async def wait_until(self, moment: datetime) -> None:
        """Return at ``moment``, or at once where it has passed."""
        while (seconds := (moment - self.now()).total_seconds()) > 0:
            await asyncio.sleep(min(seconds, _LONGEST_SLEEP))


class FileClock:
    """A clock that stands still until someone waits: then it is at once the moment waited for.

    It stands in ``path``, as an ISO moment, for all processes that read it: a simulated session takes as long as the
    work done in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def now(self) -> datetime:
        """The moment the file holds, in Asia/Seoul.

        Raises:
            InvalidClockError: it holds none, or one without an offset.
        """
        text = self.path.read_text().strip()
        try:
            return datetime.fromisoformat(text).astimezone(KST)
        except ValueError:
            raise InvalidClockError(f"{self.path}: expected an ISO moment with its offset, got {text!r}") from None

    def set(self, moment: datetime) -> None:
        """Make it ``moment``."""
        temporary = self.path.with_name(f"{self.path.name}.{secrets.token_hex(4)}.part")
        temporary.write_text(moment.isoformat())
        temporary.replace(self.path)

    async def wait_until(self, moment: datetime) -> None:
        """Make it ``moment``, unless that has passed."""
        if moment > self.now():
            self.set(moment)


def clock_of(environment: Mapping[str, str] = os.environ) -> Clock:
    """The clock in the file that ``KRXW_CLOCK_FILE`` names while there is one, for demonstrations and tests.

    Else the machine's own.
    """
    path = Path(environment.get("KRXW_CLOCK_FILE", ""))
    return FileClock(path) if path.is_file() else WallClock()


def next_tick(hours: TradingHours, every: timedelta, after: datetime) -> datetime | None:
    """The first tick later than ``after``; None past the last.

    Ticks are ``every`` so often from the open, which itself is none because nothing has traded then, and the close.
    """
    passed = max(after - hours.open, timedelta(0)) // every
    tick = hours.open + (passed + 1) * every
    if tick < hours.close:
        return tick
    return hours.close if after < hours.close else None
