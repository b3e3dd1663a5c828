"""One request of the simulated portal: the form, read as days of the simulated world."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from include.market.symbols import Market
from include.simulator.servers.krx_text import Row
from include.simulator.servers.published import opened, settled
from include.simulator.servers.web import View
from include.simulator.world import World

_CACHED_SESSIONS = 16


class InvalidFormError(ValueError):
    """A field of the form is missing or no date."""


@dataclass(frozen=True)
class Statistic:
    """One statistic of the portal: the name of its block in the answer, and its rows.

    ``renamed`` and ``dropped`` are the fields faults rename and drop; ``subject`` is the form's field that names
    one symbol, where the statistic is about one.
    """

    block: str
    rows: Callable[[Query], list[Row]]
    renamed: tuple[str, str]
    dropped: str
    subject: str | None = None


@dataclass(frozen=True)
class TradingDay:
    """The session whose tables answer a day: the day itself, or where ``closed`` the last session before it."""

    session: date
    closed: bool


@dataclass(frozen=True)
class Query:
    """``form`` asked of ``world`` at ``now``. A session is published at 18:00, and a closed day until then."""

    world: World
    form: Mapping[str, str]
    view: View
    now: datetime

    def day(self, field: str) -> date:
        """The date in ``field``, written YYYYMMDD.

        Raises:
            InvalidFormError: it is missing or something else.
        """
        text = self.form.get(field, "")
        try:
            return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a day, not a moment
        except ValueError:
            raise InvalidFormError(f"{field} must be YYYYMMDD, got {text!r}") from None

    def trading_day(self) -> TradingDay | None:
        """What ``trdDd`` is answered from; None before the world's first session."""
        day = self.view.figures_of(self.day("trdDd"))
        published = settled(self.world.sessions, self.now)
        past = published[: bisect_right(published, day)]
        return TradingDay(past[-1], closed=past[-1] != day) if past else None

    def sessions(self) -> list[tuple[date, date]]:
        """The published sessions from ``strtDd`` to ``endDd``, oldest first, each with the date shown for it."""
        first, last = self.day("strtDd"), self.day("endDd")
        published = set(settled(self.world.sessions, self.now))
        asked = self.world.sessions[bisect_left(self.world.sessions, first) : bisect_right(self.world.sessions, last)]
        shown = ((self.view.figures_of(session), self.view.label_of(session)) for session in asked)
        return [(session, label) for session, label in shown if session in published]

    def latest_session(self) -> date | None:
        """The session the masters are of: the one that opened last; None before the first."""
        past = opened(self.world.sessions, self.now)
        if self.view is not View.TRUE:
            past = past[:-1]
        return past[-1] if past else None

    def of_market(self, table: pa.Table) -> pa.Table:
        """Rows of the market (or all, ``ALL``) that ``mktId`` or a finder's ``mktsel`` names."""
        wanted = self.form.get("mktId") or self.form.get("mktsel", "")
        markets = [market.value for market in Market if wanted in {"ALL", market.market_id}]
        return table.filter(pc.is_in(table["market"], pa.array(markets, pa.string())))

    def isins(self, session: date) -> Mapping[str, str]:
        """ISIN by symbol of all that was listed on ``session``."""
        return _isins(self.world, session)

    def symbol(self) -> str:
        """The symbol whose ISIN ``isuCd`` is, on the last session asked for; empty where none has it."""
        if "trdDd" in self.form:
            day = self.trading_day()
            session = day.session if day else None
        else:
            sessions = self.sessions()
            session = sessions[-1][0] if sessions else None
        return _symbols(self.world, session).get(self.form.get("isuCd", ""), "") if session else ""


@lru_cache(maxsize=_CACHED_SESSIONS)
def _isins(world: World, session: date) -> Mapping[str, str]:
    issues = world.table("instrument", session)
    return dict(zip(issues["symbol"].to_pylist(), issues["isin"].to_pylist(), strict=True))


@lru_cache(maxsize=_CACHED_SESSIONS)
def _symbols(world: World, session: date) -> Mapping[str, str]:
    return {isin: symbol for symbol, isin in _isins(world, session).items()}
