"""Which sessions a source shows at a moment: prices from the close, what is settled later from the evening."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date, datetime, time

from include.market.calendar import KST, trading_hours

# Flows, holdings and fundamentals of a session are final by then.
SETTLED_AT = time(18, tzinfo=KST)


def opened(sessions: Sequence[date], now: datetime) -> Sequence[date]:
    """Those of ``sessions`` (in order) that had opened by ``now``."""
    past = sessions[: bisect_right(sessions, now.astimezone(KST).date())]
    return past[:-1] if past and now < trading_hours(past[-1]).open else past


def closed(sessions: Sequence[date], now: datetime) -> Sequence[date]:
    """Those of ``sessions`` (in order) that had closed by ``now``."""
    past = sessions[: bisect_right(sessions, now.astimezone(KST).date())]
    return past[:-1] if past and now < trading_hours(past[-1]).close else past


def settled(sessions: Sequence[date], now: datetime) -> Sequence[date]:
    """Those of ``sessions`` (in order) whose evening figures were out by ``now``."""
    past = sessions[: bisect_right(sessions, now.astimezone(KST).date())]
    return past[:-1] if past and now < datetime.combine(past[-1], SETTLED_AT) else past
