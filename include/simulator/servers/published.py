"""Which sessions a source shows at a moment: prices from the close, what is settled later from the evening."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import date, datetime, time

from include.market.calendar import KST, trading_hours

# Flows, holdings and fundamentals of a session are final by then.
SETTLED_AT = time(18, tzinfo=KST)


def opened(sessions: Sequence[date], now: datetime) -> Sequence[date]:
    """Those of ``sessions`` (in order) that had opened by ``now``."""
    return _by(sessions, now, lambda session: trading_hours(session).open)


def closed(sessions: Sequence[date], now: datetime) -> Sequence[date]:
    """Those of ``sessions`` (in order) that had closed by ``now``."""
    return _by(sessions, now, lambda session: trading_hours(session).close)


def settled(sessions: Sequence[date], now: datetime) -> Sequence[date]:
    """Those of ``sessions`` (in order) whose evening figures were out by ``now``."""
    return _by(sessions, now, lambda session: datetime.combine(session, SETTLED_AT))


def _by(sessions: Sequence[date], now: datetime, moment: Callable[[date], datetime]) -> Sequence[date]:
    """Those of ``sessions`` whose ``moment``, on the day itself, had come by ``now``."""
    past = sessions[: bisect_right(sessions, now.astimezone(KST).date())]
    return past[:-1] if past and now < moment(past[-1]) else past
