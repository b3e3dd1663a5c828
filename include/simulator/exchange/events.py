"""What befalls companies: drawn at a session, and put on the agenda from the next one on.

Rates are per family (a common share and its preferred share). What each follows, as on the Korea Exchange:

* A split (액면분할) or reverse split (액면병합) halts trading for some sessions; the base is reset when it
  resumes, or for some reverse splits while still halted. Rarely a reverse split resumes without a reset: the
  base published is the old close, and the price moves beyond any limit.
* Bonus (무상증자) and rights issues (유상증자) go ex (권리락) without a halt; shares follow when they are listed.
* A stock dividend (주식배당) goes ex one session before a year's last, the record day of the fiscal year's end;
  the shares follow in April, after the general meeting.
* A capital reduction without refund (감자) halts trading for about three weeks, a merger (합병) and a division
  (인적분할) likewise, a review of delisting (상장적격성 실질심사) for months. The base of the first session is
  then the price the opening auction settles at, between 50% and 150% or 200% of the appraised price. In a
  division both parts are appraised at the old close, and the part split off is listed the session the old
  company resumes.
* A SPAC merges with a company within about three years, and takes its name, or is dissolved.
* A share to be delisted is halted for weeks, then trades seven sessions without a price limit.

The listed share count follows an action on the ex-date or up to eighty sessions later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from fractions import Fraction

import numpy as np

from include.simulator.exchange.agenda import (
    Absorb,
    Appointment,
    ChangeShares,
    Condemn,
    Delist,
    Divide,
    Halt,
    Liquidate,
    List,
    ListPart,
    Move,
    Recode,
    Release,
    Rename,
    ResetBase,
    Resume,
)
from include.simulator.exchange.names import holding_name
from include.simulator.exchange.randomness import Stream, bits, draw
from include.simulator.exchange.slots import Slots
from include.simulator.exchange.state import KONEX, KOSDAQ, KOSPI, State
from include.simulator.exchange.truth import ActionKind

LIQUIDATION_SESSIONS = 7
# Between so many percent of the appraised price an auction settles a base.
AUCTIONS = {
    ActionKind.CAPITAL_REDUCTION: (50, 150),
    ActionKind.MERGER: (50, 150),
    ActionKind.SPIN_OFF: (50, 200),
    ActionKind.RELISTING: (50, 200),
}
_SESSIONS_PER_YEAR = 250
_DIVISION_SESSIONS = 20
# At a lower price rounding to a tick hides what an action does.
_LEAST_PRICE = 100
_LEAST_ISSUE_PRICE = 2_000


class Events:
    """The events of ``slots``; before session ``ordinal`` (0 is the first) of ``sessions`` they are told of it."""

    def __init__(self, seed: int, slots: Slots, sessions: Sequence[date], state: State) -> None:
        self._seed = seed
        self._slots = slots
        self._sessions = sessions
        self._state = state
        self._next = 0

    def draw(self, ordinal: int) -> None:
        """Draw what begins after the session ``ordinal``."""
        self._next = ordinal + 1
        session = self._sessions[ordinal]
        words = draw(self._seed, Stream.EVENT, session.toordinal(), self._slots.count)
        luck = bits(words, 32, 32)
        state = self._state
        limits = np.where(state.spac, _SPAC_THRESHOLDS[-1], _THRESHOLDS[-1])
        for slot in np.flatnonzero(self._open_to_events() & (luck < limits)):
            thresholds, events = (_SPAC_THRESHOLDS, _SPAC_EVENTS) if state.spac[slot] else (_THRESHOLDS, _EVENTS)
            begin = events[int(np.searchsorted(thresholds, luck[slot], side="right"))][1]
            begin(self, int(slot), int(words[slot]) & 0xFFFFFFFF)
        # The next session is the one before the year's last.
        if self._sessions[self._next + 1].year < self._sessions[self._next + 2].year:
            self._pay_stock_dividends(session.year)

    def divide(self, ordinal: int, slot: int) -> None:
        """Halt a company from the session ``ordinal`` on, its new part to be listed in ``slot``.

        A company of one class of shares, not on KONEX; where none qualifies, another company is listed there.
        """
        self._next = ordinal
        resume = ordinal + _DIVISION_SESSIONS
        word = draw(self._seed, Stream.EVENT, self._sessions[ordinal].toordinal(), slot + 1)[-1:]
        parent = self._divisible(int(bits(word, 0, 32)[0]))
        if parent is None:
            self._appoint(resume, List(slot))
            return
        kept = Fraction(30 + int(bits(word, 8, 16)[0]) % 51, 100)
        self._state.halted[parent] = self._state.busy[parent] = True
        self._appoint(resume, ListPart(slot, parent, kept))
        self._reset(parent, ActionKind.SPIN_OFF, Fraction(1), kept, resume, resume)
        self._appoint(resume, Resume(parent))

    def _divisible(self, start: int) -> int | None:
        state = self._state
        eligible = self._open_to_events() & ~state.spac & ~state.halted & (state.market != KONEX)
        eligible &= state.close >= _LEAST_PRICE
        taken = set(state.name[state.listed])
        candidates = np.roll(np.flatnonzero(eligible), -(start % self._slots.count))
        for slot in candidates.tolist():
            name = holding_name(state.name[slot])
            if self._slots.preferred_of(slot) is None and name is not None and name not in taken:
                return int(slot)
        return None

    def _open_to_events(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        return np.asarray(self._state.listed & ~self._state.busy & ~self._slots.is_preferred)

    def _appoint(self, ordinal: int, *appointments: Appointment) -> None:
        self._state.agenda[ordinal].extend(appointments)

    def _reset(
        self, slot: int, kind: ActionKind, price_ratio: Fraction, share_ratio: Fraction, reset: int, effective: int
    ) -> None:
        """Reset the base at the ordinal ``reset``, change the shares at ``effective``, be free after both."""
        self._state.busy[slot] = True
        self._appoint(reset, ResetBase(slot, kind, price_ratio, share_ratio, effective))
        self._appoint(effective, ChangeShares(slot, share_ratio))
        self._appoint(max(effective, reset) + 1, Release(slot))

    # --- halts

    def _begin_halt(self, slot: int, chance: int) -> None:
        self._halt_for(slot, 1 + chance % 3)

    def _begin_long_halt(self, slot: int, chance: int) -> None:
        self._halt_for(slot, 20 + chance % 100)

    def _halt_for(self, slot: int, length: int) -> None:
        self._state.busy[slot] = True
        self._appoint(self._next, Halt(slot))
        self._appoint(self._next + length, Resume(slot), Release(slot))

    def _begin_review(self, slot: int, chance: int) -> None:
        """A review of delisting that the company survives."""
        if not self._all_cost(slot, _LEAST_PRICE):
            return
        resume = self._next + 60 + chance % 240
        self._appoint(self._next, Halt(slot))
        self._reset(slot, ActionKind.RELISTING, Fraction(1), Fraction(1), resume, resume)
        self._appoint(resume, Resume(slot))

    # --- what changes a share's price and the number of shares

    def _begin_consolidation(self, slot: int, chance: int) -> None:
        """A split of a dear share or a reverse split of a cheap one; nothing for those between."""
        close = int(self._state.close[slot])
        resume = self._next + 3 + (chance >> 3) % 4
        if close >= 15_000:
            new_per_old = Fraction((2, 2, 5, 5, 5, 10, 10, 50 if close >= 1_000_000 else 5)[chance & 7])
            kind, reset = ActionKind.SPLIT, resume
            if not self._all_cost(slot, _LEAST_PRICE * int(new_per_old)):
                return
        elif self._is_cheap(slot):
            new_per_old = Fraction(1, (2, 3, 5, 5, 5, 10, 10, 20)[chance & 7])
            # The shares are exchanged during the halt, and now and then the base shows it before the end.
            kind, reset = ActionKind.REVERSE_SPLIT, resume - ((chance >> 8) % 10 < 3)
        else:
            return
        delay = 0 if (chance >> 12) % 10 < 6 else 1 + (chance >> 16) % 10
        self._appoint(self._next, Halt(slot))
        self._reset(slot, kind, 1 / new_per_old, new_per_old, reset, reset + delay)
        self._appoint(resume, Resume(slot))

    def _begin_unmarked_consolidation(self, slot: int, chance: int) -> None:
        """A reverse split that the published base does not show."""
        if not self._is_cheap(slot):
            return
        new_per_old = Fraction(1, (3, 5, 5, 10)[chance & 3])
        resume = self._next + 3 + (chance >> 3) % 4
        reset = ResetBase(slot, ActionKind.REVERSE_SPLIT, 1 / new_per_old, new_per_old, resume, unmarked=True)
        self._state.busy[slot] = True
        self._appoint(self._next, Halt(slot))
        self._appoint(resume, reset, ChangeShares(slot, new_per_old), Resume(slot))
        self._appoint(resume + 1, Release(slot))

    def _begin_capital_reduction(self, slot: int, chance: int) -> None:
        """Shares of a company in distress are written off, 1 being left of so many."""
        if not self._is_cheap(slot):
            return
        new_per_old = Fraction(1, (2, 3, 3, 5, 5, 5, 10, 10)[chance & 7])
        resume = self._next + 12 + (chance >> 3) % 9
        delay = 0 if (chance >> 8) % 10 < 6 else 1 + (chance >> 12) % 10
        self._appoint(self._next, Halt(slot))
        self._reset(slot, ActionKind.CAPITAL_REDUCTION, 1 / new_per_old, new_per_old, resume, resume + delay)
        self._appoint(resume, Resume(slot))

    def _begin_merger(self, slot: int, chance: int) -> None:
        """Another company is taken over for new shares; some take its name."""
        if not self._all_cost(slot, _LEAST_PRICE):
            return
        issued = Fraction(5 + chance % 76, 100)
        resume = self._next + 1 + (chance >> 8) % 20
        delay = 0 if (chance >> 13) % 10 < 6 else 1 + (chance >> 17) % 10
        self._appoint(self._next, Halt(slot))
        self._reset(slot, ActionKind.MERGER, Fraction(1), 1 + issued, resume, resume + delay)
        self._appoint(resume, Resume(slot), *([Rename(slot)] if (chance >> 21) % 3 == 0 else []))

    def _begin_spac_merger(self, slot: int, chance: int) -> None:
        """A SPAC takes over the company it was made for, for many times its own shares."""
        new_per_old = Fraction(200 + chance % 800, 100)
        resume = self._next + 10 + (chance >> 10) % 11
        self._appoint(self._next, Halt(slot))
        self._reset(slot, ActionKind.MERGER, Fraction(1), new_per_old, resume, resume)
        self._appoint(resume, Resume(slot), Absorb(slot))

    def _begin_bonus_issue(self, slot: int, chance: int) -> None:
        new_per_old = 1 + (Fraction(1, 5), Fraction(1, 2), Fraction(1), Fraction(2))[chance & 3]
        self._issue(slot, ActionKind.BONUS_ISSUE, 1 / new_per_old, new_per_old, 5 + (chance >> 8) % 16)

    def _begin_rights_issue(self, slot: int, chance: int) -> None:
        """New shares at a discount: the theoretical price is what old and new shares are worth on average."""
        issued = (Fraction(1, 10), Fraction(1, 5), Fraction(3, 10), Fraction(1, 2))[chance & 3]
        discount = Fraction(10 + (chance >> 2) % 21, 100)
        price_ratio = (1 + issued * (1 - discount)) / (1 + issued)
        self._issue(slot, ActionKind.RIGHTS_ISSUE, price_ratio, 1 + issued, 15 + (chance >> 8) % 26)

    def _pay_stock_dividends(self, year: int) -> None:
        """One company in thirty-two pays its shareholders in shares."""
        state = self._state
        words = draw(self._seed, Stream.YEAR_END, year, self._slots.count)
        paying = self._open_to_events() & ~state.spac & (state.market != KONEX) & (bits(words, 0, 5) == 0)
        for slot in np.flatnonzero(paying).tolist():
            chance = int(bits(words[slot : slot + 1], 8, 32)[0])
            new_per_old = 1 + Fraction(2 + chance % 9, 100)
            self._issue(slot, ActionKind.STOCK_DIVIDEND, 1 / new_per_old, new_per_old, 70 + (chance >> 8) % 11)

    def _issue(self, slot: int, kind: ActionKind, price_ratio: Fraction, new_per_old: Fraction, delay: int) -> None:
        """Go ex at the next session, unless a price is so low that rounding might hide the reset."""
        if not self._all_cost(slot, _LEAST_ISSUE_PRICE):
            return
        self._reset(slot, kind, price_ratio, new_per_old, self._next, self._next + delay)

    def _is_cheap(self, slot: int) -> bool:
        is_cheap = self._state.close[slot] < 4_000 and self._state.shares[slot] >= 1_000_000
        return bool(is_cheap) and self._all_cost(slot, _LEAST_PRICE)

    def _all_cost(self, slot: int, price: int) -> bool:
        """Whether all shares of the company cost at least ``price``, won."""
        return all(self._state.close[member] >= price for member in self._slots.family(slot))

    # --- what changes a share's name, code or place

    def _begin_delisting(self, slot: int, chance: int) -> None:
        """Four slots in five are given to a company that is new; the others to a part of one that is divided."""
        liquidation = self._next + 15 + chance % 45
        end = liquidation + LIQUIDATION_SESSIONS
        self._state.busy[slot] = True
        self._appoint(self._next, Condemn(slot))
        self._appoint(liquidation, Liquidate(slot))
        self._appoint(end, Delist(slot))
        is_divided = (chance >> 16) % 5 == 0 and self._slots.preferred_of(slot) is None
        self._appoint(end + 5 + (chance >> 8) % 35, Divide(slot) if is_divided else List(slot))

    def _begin_renaming(self, slot: int, chance: int) -> None:
        self._appoint(self._next, Rename(slot))

    def _begin_recoding(self, slot: int, chance: int) -> None:
        self._state.busy[slot] = True
        self._appoint(self._next, Recode(slot))
        self._appoint(self._next + 1, Release(slot))

    def _begin_move(self, slot: int, chance: int) -> None:
        """KONEX names graduate to KOSDAQ, KOSDAQ names now and then to KOSPI; KOSPI names stay."""
        market = self._state.market[slot]
        if market == KONEX:
            self._appoint(self._next, Move(slot, KOSDAQ))
        elif market != KOSPI and chance % 8 == 0:
            self._appoint(self._next, Move(slot, KOSPI))


_Begin = Callable[[Events, int, int], None]
# How often a family sees each event, per ten thousand years.
_EVENTS: tuple[tuple[int, _Begin], ...] = (
    (600, Events._begin_halt),
    (60, Events._begin_long_halt),
    (40, Events._begin_review),
    (500, Events._begin_consolidation),
    (8, Events._begin_unmarked_consolidation),
    (150, Events._begin_capital_reduction),
    (60, Events._begin_merger),
    (250, Events._begin_bonus_issue),
    (400, Events._begin_rights_issue),
    (250, Events._begin_delisting),
    (250, Events._begin_renaming),
    (10, Events._begin_recoding),
    (400, Events._begin_move),
)
_SPAC_EVENTS: tuple[tuple[int, _Begin], ...] = (
    (300, Events._begin_halt),
    (2_500, Events._begin_spac_merger),
    (1_500, Events._begin_delisting),
)


def _thresholds(events: Sequence[tuple[int, _Begin]]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    rates = np.cumsum([rate for rate, _ in events])
    return np.asarray(rates * 2**32 // (10_000 * _SESSIONS_PER_YEAR), np.int64)


_THRESHOLDS = _thresholds(_EVENTS)
_SPAC_THRESHOLDS = _thresholds(_SPAC_EVENTS)
