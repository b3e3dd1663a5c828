"""The simulated exchange: what happens before each session opens, then the session's trading.

Events are drawn per family (a common share and its preferred share) at a session and take effect from the
next one on, through the agenda. Rules it follows:

* A base is the previous close, except where an action resets it: then it is the theoretical price rounded up
  to a tick (Kakao 5:1, 558,000 -> 111,600 -> 112,000). A close that is off the grid because the table or the
  market changed is rounded up likewise, which is no corporate action.
* A split or reverse split halts trading for some sessions; the base is reset when it resumes, or for some
  reverse splits while still halted. Bonus and rights issues go ex without a halt.
* The listed share count follows on the ex-date or up to forty sessions later.
* A share to be delisted is halted for weeks, then trades seven sessions without a price limit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from math import ceil

import numpy as np

from include.market.symbols import Market
from include.market.ticks import round_down_to_tick, round_up_to_tick
from include.simulator.exchange.agenda import (
    Appointment,
    ChangeShares,
    Condemn,
    Delist,
    Halt,
    Liquidate,
    List,
    Move,
    Release,
    Rename,
    ResetBase,
    Resume,
)
from include.simulator.exchange.names import common_symbol, company_name, preferred_name, preferred_symbol
from include.simulator.exchange.prices import Trading, trade
from include.simulator.exchange.randomness import Stream, bits, draw
from include.simulator.exchange.sections import ADMINISTRATIVE, section_of
from include.simulator.exchange.state import KONEX, KOSDAQ, KOSDAQ_GLOBAL, KOSPI, MARKETS, State
from include.simulator.exchange.truth import (
    ActionKind,
    CorporateAction,
    Delisting,
    Happening,
    Listing,
    MarketMove,
    Renaming,
)

KONEX_FROM = date(2013, 7, 1)
KOSDAQ_GLOBAL_FROM = date(2022, 11, 21)
LIQUIDATION_SESSIONS = 7
_SECTION_REVIEW_MONTH = 5
_SESSIONS_PER_YEAR = 250

_PRICE_LEVELS = (700, 1_500, 2_500, 3_500, 5_000, 7_000, 9_000, 12_000)
_HIGH_PRICE_LEVELS = (16_000, 22_000, 30_000, 45_000, 70_000, 120_000, 300_000, 800_000)
_SIZES = (1, 1, 2, 2, 4, 8, 16, 64)


@dataclass(frozen=True)
class Outcome:
    """One session: its trading over all slots, what happened, and whether any label changed.

    Labels are symbol, name, section, market and which slots are taken.
    """

    session: date
    trading: Trading
    happenings: list[Happening]
    relabelled: bool


class Exchange:
    """The exchange before session ``ordinal`` (0 is the first) of ``sessions``."""

    def __init__(
        self, seed: int, slots: int, sessions: Sequence[date], state: State | None = None, ordinal: int = 0
    ) -> None:
        self.seed = seed
        self.sessions = sessions
        self.ordinal = ordinal
        self.state = state if state is not None else State.empty(slots)
        self._slots = slots
        self._traits = draw(seed, Stream.SLOT, 0, slots)
        # Every sixteenth slot is the preferred share of the one before it.
        self._is_preferred = np.arange(slots) % 16 == 15
        self._happenings: list[Happening] = []
        self._first_days: list[int] = []
        self._relabelled = False

    def step(self) -> Outcome:
        """Run the next session."""
        session = self.sessions[self.ordinal]
        self._happenings, self._first_days, self._relabelled = [], [], False
        if self.ordinal == 0:
            self._populate(session)
        for appointment in self.state.agenda.pop(self.ordinal, []):
            self._keep(appointment, session)
        self._keep_dates(session)
        trading = trade(self.seed, session, self.state, self._first_days)
        self.state.close = np.where(self.state.listed, trading.close, self.state.close)
        self._draw_events(session)
        self.ordinal += 1
        return Outcome(session, trading, self._happenings, self._relabelled)

    # --- listing and delisting

    def _populate(self, session: date) -> None:
        """Fill the slots, but for a few that are listed over the next two years and KONEX before its time."""
        for slot in np.flatnonzero(~self._is_preferred):
            delay = self._trait(slot, 16, 16) % 500
            if self._home_market(slot) == KONEX and session < KONEX_FROM:
                opening = sum(1 for day in self.sessions if day < KONEX_FROM)
                self._appoint(opening + delay % 250, List(int(slot)))
            elif self._trait(slot, 32, 8) < 8:
                self._appoint(1 + delay, List(int(slot)))
            else:
                self._list(int(slot), session, is_new=False)

    def _list(self, slot: int, session: date, is_new: bool) -> None:
        number = self.state.next_instrument
        self.state.next_instrument += 1
        words = draw(self.seed, Stream.INSTRUMENT, number, 4)
        symbol = common_symbol(number, session if is_new else date.min)
        name = self._next_name()
        market = self._home_market(slot)
        if market == KOSDAQ and not is_new and session >= KOSDAQ_GLOBAL_FROM and self._is_global(slot):
            market = KOSDAQ_GLOBAL
        self._take(slot, session, is_new, market, symbol, name, words[:2])
        preferred = self._preferred_of(slot)
        if preferred is not None:
            names = preferred_symbol(symbol), preferred_name(name)
            self._take(preferred, session, is_new, market, *names, words[2:])
            self.state.shares[preferred] //= 16

    def _take(
        self,
        slot: int,
        session: date,
        is_new: bool,
        market: int,
        symbol: str,
        name: str,
        words: np.ndarray[tuple[int], np.dtype[np.uint64]],
    ) -> None:
        state = self.state

        def of(word: int, start: int, width: int) -> int:
            return int(bits(words[word : word + 1], start, width)[0])

        levels = _HIGH_PRICE_LEVELS if of(0, 0, 3) < 3 else _PRICE_LEVELS
        price = levels[of(0, 3, 3)] * (768 + of(0, 6, 9)) // 1_024
        price = round_down_to_tick(price, MARKETS[market], session)
        state.listed[slot] = True
        state.halted[slot] = state.liquidating[slot] = state.busy[slot] = False
        state.market[slot] = market
        state.close[slot] = state.anchor[slot] = price
        state.shares[slot] = (1_000_000 + of(0, 16, 23)) * _SIZES[of(0, 40, 3)]
        state.volatility_ppm[slot] = 12_000 + of(1, 0, 15)
        state.turnover_ppm[slot] = 300 + of(1, 16, 13)
        state.symbol[slot], state.name[slot] = symbol, name
        state.section[slot] = section_of(MARKETS[market], of(1, 32, 8))
        self._relabelled = True
        if is_new:
            self._first_days.append(slot)
        offer_price = price if is_new else None
        self._happenings.append(Listing(symbol, session, name, MARKETS[market], offer_price))

    def _delist(self, slot: int, session: date) -> None:
        for member in self._family(slot):
            self._happenings.append(Delisting(self.state.symbol[member], session))
            self.state.listed[member] = False
            self.state.halted[member] = self.state.liquidating[member] = False
        self._relabelled = True

    # --- the agenda

    def _keep(self, appointment: Appointment, session: date) -> None:
        state = self.state
        slot = appointment.slot
        match appointment:
            case List():
                self._list(slot, session, is_new=True)
            case Delist():
                self._delist(slot, session)
            case Halt():
                state.halted[self._family(slot)] = True
            case Resume():
                state.halted[self._family(slot)] = False
            case Release():
                state.busy[slot] = False
            case ResetBase():
                for member in self._family(slot):
                    self._reset_base(member, appointment, session)
            case ChangeShares(share_ratio=ratio):
                for member in self._family(slot):
                    state.shares[member] = int(state.shares[member]) * ratio.numerator // ratio.denominator
            case Rename():
                self._rename(slot, session)
            case Move(market=market):
                self._move(slot, market, session)
            case Condemn():
                state.halted[self._family(slot)] = True
                if state.market[slot] in {KOSDAQ, KOSDAQ_GLOBAL}:
                    state.section[slot] = ADMINISTRATIVE
                    self._relabelled = True
            case Liquidate():
                state.halted[self._family(slot)] = False
                state.liquidating[self._family(slot)] = True

    def _reset_base(self, slot: int, reset: ResetBase, session: date) -> None:
        state = self.state
        previous = int(state.close[slot])
        base = round_up_to_tick(ceil(previous * reset.price_ratio), MARKETS[state.market[slot]], session)
        state.close[slot] = base
        state.anchor[slot] = int(state.anchor[slot]) * base // previous
        self._happenings.append(
            CorporateAction(
                symbol=state.symbol[slot],
                ex_date=session,
                kind=reset.kind,
                base_ratio=Fraction(base, previous),
                share_ratio=reset.share_ratio,
                shares_effective_session=self.sessions[reset.effective],
                previous_close=previous,
                base_price=base,
            )
        )

    def _rename(self, slot: int, session: date) -> None:
        name = self._next_name()
        for member in self._family(slot):
            self.state.name[member] = name if member == slot else preferred_name(name)
            self._happenings.append(Renaming(self.state.symbol[member], session, self.state.name[member]))
        self._relabelled = True

    def _move(self, slot: int, market: int, session: date) -> None:
        self.state.market[slot] = market
        if market != KOSDAQ_GLOBAL:
            self.state.section[slot] = section_of(MARKETS[market], self._trait(slot, 40, 8))
        self._happenings.append(MarketMove(self.state.symbol[slot], session, MARKETS[market]))
        self._relabelled = True

    def _keep_dates(self, session: date) -> None:
        """What happens to many on one date: KOSDAQ GLOBAL opens; sections are reviewed each May."""
        if self.ordinal == 0:
            return
        state = self.state
        yesterday = self.sessions[self.ordinal - 1]
        on_kosdaq = state.listed & (state.market == KOSDAQ) & ~state.busy
        if yesterday < KOSDAQ_GLOBAL_FROM <= session:
            for slot in np.flatnonzero(on_kosdaq):
                if self._is_global(slot):
                    self._move(int(slot), KOSDAQ_GLOBAL, session)
        if session.month == _SECTION_REVIEW_MONTH != yesterday.month:
            words = draw(self.seed, Stream.SECTION, session.toordinal(), self._slots)
            for slot in np.flatnonzero(on_kosdaq & (bits(words, 0, 3) == 0)):
                state.section[slot] = section_of(Market.KOSDAQ, int(bits(words[slot : slot + 1], 8, 8)[0]))
            self._relabelled = True

    def _appoint(self, ordinal: int, *appointments: Appointment) -> None:
        self.state.agenda[ordinal].extend(appointments)

    # --- events

    def _draw_events(self, session: date) -> None:
        words = draw(self.seed, Stream.EVENT, session.toordinal(), self._slots)
        luck = bits(words, 32, 32)
        state = self.state
        hit = state.listed & ~state.busy & ~self._is_preferred & (luck < _THRESHOLDS[-1])
        for slot in np.flatnonzero(hit):
            begin = _EVENTS[int(np.searchsorted(_THRESHOLDS, luck[slot], side="right"))][1]
            begin(self, int(slot), int(words[slot]) & 0xFFFFFFFF)

    def _begin_halt(self, slot: int, chance: int) -> None:
        self._halt_for(slot, 1 + chance % 3)

    def _begin_long_halt(self, slot: int, chance: int) -> None:
        self._halt_for(slot, 20 + chance % 100)

    def _halt_for(self, slot: int, length: int) -> None:
        start = self.ordinal + 1
        self.state.busy[slot] = True
        self._appoint(start, Halt(slot))
        self._appoint(start + length, Resume(slot), Release(slot))

    def _begin_consolidation(self, slot: int, chance: int) -> None:
        """A split of a dear share or a reverse split of a cheap one; nothing for those between."""
        close, shares = int(self.state.close[slot]), int(self.state.shares[slot])
        start = self.ordinal + 1
        resume = start + 3 + (chance >> 3) % 4
        if close >= 15_000:
            new_per_old = Fraction((2, 2, 5, 5, 5, 10, 10, 50 if close >= 1_000_000 else 5)[chance & 7])
            kind, reset = ActionKind.SPLIT, resume
        elif close < 4_000 and shares >= 1_000_000:
            new_per_old = Fraction(1, (2, 3, 5, 5, 5, 10, 10, 20)[chance & 7])
            # The shares are exchanged during the halt, and now and then the base shows it before the end.
            kind, reset = ActionKind.REVERSE_SPLIT, resume - ((chance >> 8) % 10 < 3)
        else:
            return
        delay = 0 if (chance >> 12) % 10 < 6 else 1 + (chance >> 16) % 10
        effective = reset + delay
        self.state.busy[slot] = True
        self._appoint(start, Halt(slot))
        self._appoint(reset, ResetBase(slot, kind, 1 / new_per_old, new_per_old, effective))
        self._appoint(resume, Resume(slot))
        self._appoint(effective, ChangeShares(slot, new_per_old))
        self._appoint(max(effective, resume) + 1, Release(slot))

    def _begin_bonus_issue(self, slot: int, chance: int) -> None:
        new_per_old = 1 + (Fraction(1, 5), Fraction(1, 2), Fraction(1), Fraction(2))[chance & 3]
        self._issue(slot, ActionKind.BONUS_ISSUE, 1 / new_per_old, new_per_old, 5 + (chance >> 8) % 16)

    def _begin_rights_issue(self, slot: int, chance: int) -> None:
        """New shares at a discount: the theoretical price is what old and new shares are worth on average."""
        issued = (Fraction(1, 10), Fraction(1, 5), Fraction(3, 10), Fraction(1, 2))[chance & 3]
        discount = Fraction(10 + (chance >> 2) % 21, 100)
        price_ratio = (1 + issued * (1 - discount)) / (1 + issued)
        self._issue(slot, ActionKind.RIGHTS_ISSUE, price_ratio, 1 + issued, 15 + (chance >> 8) % 26)

    def _issue(self, slot: int, kind: ActionKind, price_ratio: Fraction, new_per_old: Fraction, delay: int) -> None:
        """Go ex at the next session, unless a price is so low that rounding might hide the reset."""
        if any(self.state.close[member] < 2_000 for member in self._family(slot)):
            return
        reset = self.ordinal + 1
        effective = reset + delay
        self.state.busy[slot] = True
        self._appoint(reset, ResetBase(slot, kind, price_ratio, new_per_old, effective))
        self._appoint(effective, ChangeShares(slot, new_per_old), Release(slot))

    def _begin_delisting(self, slot: int, chance: int) -> None:
        start = self.ordinal + 1
        liquidation = start + 15 + chance % 45
        end = liquidation + LIQUIDATION_SESSIONS
        self.state.busy[slot] = True
        self._appoint(start, Condemn(slot))
        self._appoint(liquidation, Liquidate(slot))
        self._appoint(end, Delist(slot))
        self._appoint(end + 5 + (chance >> 8) % 35, List(slot))

    def _begin_renaming(self, slot: int, chance: int) -> None:
        self._appoint(self.ordinal + 1, Rename(slot))

    def _begin_move(self, slot: int, chance: int) -> None:
        """KONEX names graduate to KOSDAQ, KOSDAQ names now and then to KOSPI; KOSPI names stay."""
        market = self.state.market[slot]
        if market == KONEX:
            self._appoint(self.ordinal + 1, Move(slot, KOSDAQ))
        elif market != KOSPI and chance % 8 == 0:
            self._appoint(self.ordinal + 1, Move(slot, KOSPI))

    # --- slots

    def _trait(self, slot: int | np.intp, start: int, width: int) -> int:
        return int(bits(self._traits[slot : slot + 1], start, width)[0])

    def _home_market(self, slot: int | np.intp) -> int:
        """The market of what is listed in ``slot``: 60% KOSDAQ, 5% KONEX; families with two are on KOSPI."""
        chance = self._trait(slot, 0, 16) % 100
        if slot % 16 >= 14 or chance < 35:
            return KOSPI
        return KOSDAQ if chance < 95 else KONEX

    def _is_global(self, slot: int | np.intp) -> bool:
        return self._trait(slot, 48, 8) < 10

    def _preferred_of(self, slot: int) -> int | None:
        return slot + 1 if slot % 16 == 14 and slot + 1 < self._slots else None

    def _family(self, slot: int) -> list[int]:
        preferred = self._preferred_of(slot)
        return [slot] if preferred is None else [slot, preferred]

    def _next_name(self) -> str:
        number = self.state.next_name
        self.state.next_name += 1
        return company_name(number)


_Begin = Callable[[Exchange, int, int], None]
# How often a family sees each event, per ten thousand years.
_EVENTS: tuple[tuple[int, _Begin], ...] = (
    (600, Exchange._begin_halt),
    (60, Exchange._begin_long_halt),
    (500, Exchange._begin_consolidation),
    (250, Exchange._begin_bonus_issue),
    (400, Exchange._begin_rights_issue),
    (250, Exchange._begin_delisting),
    (250, Exchange._begin_renaming),
    (400, Exchange._begin_move),
)
_THRESHOLDS = np.array(
    [
        sum(rate for rate, _ in _EVENTS[: end + 1]) * 2**32 // (10_000 * _SESSIONS_PER_YEAR)
        for end in range(len(_EVENTS))
    ],
    np.int64,
)
