"""Sessions and trading hours of the Korea Exchange (XKRX), 1956-03-03 to 2050-12-31.

``exchange_calendars`` supplies sessions and hours, :mod:`include.market.calendar_overlay` corrects them.
The library is imported and its calendar built at the first question, once per process (about 4 s): a module
may import this one for free. Until 1998-12-05 Saturdays were sessions.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from include.market.calendar_overlay import CLOSED, EXAMINATION_DAYS

if TYPE_CHECKING:
    from exchange_calendars import ExchangeCalendar

KST = ZoneInfo("Asia/Seoul")
FIRST_KNOWN_DAY = date(1956, 3, 3)
LAST_KNOWN_DAY = date(2050, 12, 31)


class CalendarRangeError(ValueError):
    """The day lies outside the years the calendar knows."""


class NotASessionError(ValueError):
    """The exchange does not trade on the day."""


@dataclass(frozen=True)
class TradingHours:
    """Regular hours of one session, both ends aware and in Asia/Seoul."""

    open: datetime
    close: datetime


def is_session(day: date) -> bool:
    """Whether the exchange trades on ``day``.

    Raises:
        CalendarRangeError: ``day`` is outside 1956-03-03..2050-12-31.
    """
    _require_known(day)
    return day in _session_set()


def sessions_between(first: date, last: date) -> list[date]:
    """The sessions from ``first`` to ``last``, both included, in order; empty when ``first`` > ``last``.

    Raises:
        CalendarRangeError: either end is outside 1956-03-03..2050-12-31.
    """
    _require_known(first)
    _require_known(last)
    sessions = _sessions()
    return list(sessions[bisect_left(sessions, first) : bisect_right(sessions, last)])


def previous_session(day: date) -> date:
    """The last session before ``day``, which need not be a session itself.

    Raises:
        CalendarRangeError: ``day`` is outside the known years, or no known session precedes it.
    """
    _require_known(day)
    sessions = _sessions()
    position = bisect_left(sessions, day)
    if position == 0:
        raise CalendarRangeError(f"no session before {day} is known: the calendar starts {FIRST_KNOWN_DAY}")
    return sessions[position - 1]


def next_session(day: date) -> date:
    """The first session after ``day``, which need not be a session itself.

    Raises:
        CalendarRangeError: ``day`` is outside the known years, or no known session follows it.
    """
    _require_known(day)
    sessions = _sessions()
    position = bisect_right(sessions, day)
    if position == len(sessions):
        raise CalendarRangeError(f"no session after {day} is known: the calendar ends {LAST_KNOWN_DAY}")
    return sessions[position]


def trading_hours(session: date) -> TradingHours:
    """Regular trading hours of ``session``.

    09:00-15:30 since 2016-08-01 and until 15:00 before; open from 10:00 on a year's first session; one hour
    later on college entrance examination days. The midday break before 2000-05-22 is not told.

    Raises:
        CalendarRangeError: ``session`` is outside the known years.
        NotASessionError: the exchange does not trade on the day.
    """
    if not is_session(session):
        raise NotASessionError(f"{session} is not a session of the Korea Exchange")
    library_open, library_close = _library_calendar().session_open_close(session.isoformat())
    shift = timedelta(hours=1 if session in EXAMINATION_DAYS else 0)
    return TradingHours(
        open=library_open.to_pydatetime().astimezone(KST) + shift,
        close=library_close.to_pydatetime().astimezone(KST) + shift,
    )


@cache
def _library_calendar() -> ExchangeCalendar:
    from exchange_calendars import get_calendar

    # The library's default range is the last twenty years and the next one.
    return get_calendar("XKRX", start=FIRST_KNOWN_DAY.isoformat(), end=LAST_KNOWN_DAY.isoformat())


@cache
def _sessions() -> tuple[date, ...]:
    library = (timestamp.date() for timestamp in _library_calendar().sessions)
    return tuple(day for day in library if day not in CLOSED)


@cache
def _session_set() -> frozenset[date]:
    return frozenset(_sessions())


def _require_known(day: date) -> None:
    if isinstance(day, datetime):
        raise TypeError(f"expected a date, got the datetime {day!r}: convert it in the zone you mean")
    if not FIRST_KNOWN_DAY <= day <= LAST_KNOWN_DAY:
        raise CalendarRangeError(f"{day} is outside the known calendar, {FIRST_KNOWN_DAY} to {LAST_KNOWN_DAY}")
