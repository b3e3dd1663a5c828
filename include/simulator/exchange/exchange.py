"""The simulated exchange: what happens before each session opens, then the session's trading.

Events (:mod:`include.simulator.exchange.events`) are drawn at a session and take effect from the next one on,
through the agenda. Rules it follows:

* A base is the previous close, except where an action resets it: then it is the theoretical price rounded up
  to a tick (Kakao 5:1, 558,000 -> 111,600 -> 112,000), or the price an opening auction settles at.
* A close that is off the grid because the table or the market changed, or because a midpoint order set it (from
  2026 on, nearly all in SPACs), is rounded up likewise, which is no corporate action.
* Preferred shares follow their common share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from math import ceil

import numpy as np

from include.market.symbols import Market
from include.market.ticks import round_down_to_tick, round_up_to_tick
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
from include.simulator.exchange.events import AUCTIONS, Events
from include.simulator.exchange.names import (
    common_symbol,
    company_name,
    holding_name,
    preferred_name,
    preferred_symbol,
    spac_name,
)
from include.simulator.exchange.prices import Openings, Trading, trade
from include.simulator.exchange.randomness import Stream, bits, draw
from include.simulator.exchange.sections import ADMINISTRATIVE, SPAC_SECTION, section_of
from include.simulator.exchange.slots import Slots
from include.simulator.exchange.state import KONEX, KOSDAQ, KOSDAQ_GLOBAL, MARKETS, State
from include.simulator.exchange.truth import (
    ActionKind,
    CorporateAction,
    Delisting,
    Happening,
    Listing,
    MarketMove,
    Renaming,
)

SPACS_FROM = date(2010, 3, 3)
KONEX_FROM = date(2013, 7, 1)
KOSDAQ_GLOBAL_FROM = date(2022, 11, 21)
_SECTION_REVIEW_MONTH = 5

_PRICE_LEVELS = (700, 1_500, 2_500, 3_500, 5_000, 7_000, 9_000, 12_000)
_HIGH_PRICE_LEVELS = (16_000, 22_000, 30_000, 45_000, 70_000, 120_000, 300_000, 800_000)
_SIZES = (1, 1, 2, 2, 4, 8, 16, 64)
_SPAC_OFFER_PRICE = 2_000
_SPAC_VALUE = 2_100


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
        self._slots = Slots(seed, slots)
        self._events = Events(seed, self._slots, sessions, self.state)
        self._happenings: list[Happening] = []
        self._openings = Openings()
        self._relabelled = False

    def step(self) -> Outcome:
        """Run the next session."""
        session = self.sessions[self.ordinal]
        self._happenings, self._openings, self._relabelled = [], Openings(), False
        if self.ordinal == 0:
            self._populate(session)
        for appointment in self.state.agenda.pop(self.ordinal, []):
            self._keep(appointment, session)
        self._keep_dates(session)
        trading = trade(self.seed, session, self.state, self._openings)
        self.state.close = np.where(self.state.listed, trading.close, self.state.close)
        self._events.draw(self.ordinal)
        self.ordinal += 1
        return Outcome(session, trading, self._happenings, self._relabelled)

    # --- listing and delisting

    def _populate(self, session: date) -> None:
        """Fill the slots, but for a few that are listed over the next two years and KONEX before its time."""
        for slot in np.flatnonzero(~self._slots.is_preferred):
            delay = self._slots.trait(slot, 16, 16) % 500
            if self._slots.home_market(slot) == KONEX and session < KONEX_FROM:
                opening = sum(1 for day in self.sessions if day < KONEX_FROM)
                self._appoint(opening + delay % 250, List(int(slot)))
            elif self._slots.trait(slot, 32, 8) < 8:
                self._appoint(1 + delay, List(int(slot)))
            else:
                self._list(int(slot), session, is_new=False)

    def _list(self, slot: int, session: date, is_new: bool) -> None:
        number = self._next_number()
        words = draw(self.seed, Stream.INSTRUMENT, number, 4)
        symbol = common_symbol(number, session if is_new else date.min)
        market = self._slots.home_market(slot)
        is_spac = market == KOSDAQ and session >= SPACS_FROM and _is_spac(words, is_new)
        if market == KOSDAQ and not is_new and session >= KOSDAQ_GLOBAL_FROM and self._slots.is_global(slot):
            market = KOSDAQ if is_spac else KOSDAQ_GLOBAL
        name = self._next_spac_name() if is_spac else self._next_name()
        self._take(slot, session, market, symbol, name, words[:2])
        if is_spac:
            self._make_spac(slot, session, words[:1], is_new)
        self._announce(slot, session, is_new)
        preferred = self._slots.preferred_of(slot)
        if preferred is not None:
            self._take(preferred, session, market, preferred_symbol(symbol), preferred_name(name), words[2:])
            self.state.shares[preferred] //= 16
            self._announce(preferred, session, is_new)

    def _take(
        self,
        slot: int,
        session: date,
        market: int,
        symbol: str,
        name: str,
        words: np.ndarray[tuple[int], np.dtype[np.uint64]],
    ) -> None:
        """Put a share into ``slot``, its figures drawn from two ``words``."""
        state = self.state

        def of(word: int, start: int, width: int) -> int:
            return int(bits(words[word : word + 1], start, width)[0])

        levels = _HIGH_PRICE_LEVELS if of(0, 0, 3) < 3 else _PRICE_LEVELS
        price = levels[of(0, 3, 3)] * (768 + of(0, 6, 9)) // 1_024
        state.listed[slot] = True
        state.halted[slot] = state.liquidating[slot] = state.busy[slot] = state.spac[slot] = False
        state.market[slot] = market
        self._set_price(slot, round_down_to_tick(price, MARKETS[market], session))
        state.shares[slot] = (1_000_000 + of(0, 16, 23)) * _SIZES[of(0, 40, 3)]
        state.volatility_ppm[slot] = 12_000 + of(1, 0, 15)
        state.turnover_ppm[slot] = 300 + of(1, 16, 13)
        state.symbol[slot], state.name[slot] = symbol, name
        state.section[slot] = section_of(MARKETS[market], of(1, 32, 8))
        self._relabelled = True

    def _make_spac(
        self, slot: int, session: date, words: np.ndarray[tuple[int], np.dtype[np.uint64]], is_new: bool
    ) -> None:
        """A SPAC stays near the price it was offered at, which is held for its shareholders in cash."""
        state = self.state
        earned = 0 if is_new else int(bits(words, 0, 8)[0])
        self._set_price(slot, round_down_to_tick(_SPAC_OFFER_PRICE + earned, Market.KOSDAQ, session))
        state.anchor[slot] = max(int(state.close[slot]), _SPAC_VALUE)
        state.spac[slot] = True
        state.shares[slot] = 4_000_000 + int(bits(words, 16, 23)[0])
        state.volatility_ppm[slot] = 2_000 + int(bits(words, 40, 11)[0])
        state.section[slot] = SPAC_SECTION

    def _set_price(self, slot: int, price: int) -> None:
        self.state.close[slot] = self.state.anchor[slot] = price

    def _announce(self, slot: int, session: date, is_offered: bool) -> None:
        """Tell of the listing in ``slot``, of shares offered at the price there if ``is_offered``."""
        state = self.state
        if is_offered:
            self._openings.first_days.append(slot)
        price = int(state.close[slot]) if is_offered else None
        market = MARKETS[state.market[slot]]
        self._happenings.append(Listing(state.symbol[slot], session, state.name[slot], market, price))

    def _list_part(self, listing: ListPart, session: date) -> None:
        """List the part split off: it takes the business and its name, and leaves the old company a holding."""
        state, parent, slot = self.state, listing.parent, listing.slot
        number = self._next_number()
        words = draw(self.seed, Stream.INSTRUMENT, number, 2)
        name = state.name[parent]
        holding = holding_name(name)
        if holding is None:
            raise ValueError(f"a company that is a holding already cannot be divided: {name}")
        self._call(parent, holding, session)
        self._take(slot, session, state.market[parent], common_symbol(number, session), name, words)
        state.shares[slot] = max(int(state.shares[parent] * (1 - listing.kept)), 1)
        self._set_price(slot, self._auction(slot, Fraction(int(state.close[parent])), ActionKind.SPIN_OFF, session))
        self._announce(slot, session, is_offered=False)

    def _delist(self, slot: int, session: date) -> None:
        for member in self._slots.family(slot):
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
            case Divide():
                self._events.divide(self.ordinal, slot)
            case ListPart():
                self._list_part(appointment, session)
            case Delist():
                self._delist(slot, session)
            case Halt():
                state.halted[self._slots.family(slot)] = True
            case Resume():
                state.halted[self._slots.family(slot)] = False
            case Release():
                state.busy[slot] = False
            case ResetBase():
                for member in self._slots.family(slot):
                    self._reset_base(member, appointment, session)
            case ChangeShares(share_ratio=ratio):
                for member in self._slots.family(slot):
                    state.shares[member] = int(state.shares[member]) * ratio.numerator // ratio.denominator
            case Rename():
                self._call(slot, self._next_name(), session)
            case Recode():
                self._recode(slot, session)
            case Absorb():
                self._absorb(slot, session)
            case Move(market=market):
                self._move(slot, market, session)
            case Condemn():
                state.halted[self._slots.family(slot)] = True
                if state.market[slot] in {KOSDAQ, KOSDAQ_GLOBAL}:
                    state.section[slot] = ADMINISTRATIVE
                    self._relabelled = True
            case Liquidate():
                state.halted[self._slots.family(slot)] = False
                state.liquidating[self._slots.family(slot)] = True

    def _reset_base(self, slot: int, reset: ResetBase, session: date) -> None:
        state = self.state
        previous = int(state.close[slot])
        theoretical = previous * reset.price_ratio
        if reset.kind in AUCTIONS:
            base = self._auction(slot, theoretical, reset.kind, session)
        else:
            base = round_up_to_tick(ceil(theoretical), MARKETS[state.market[slot]], session)
        state.close[slot] = base
        state.anchor[slot] = int(state.anchor[slot]) * base // previous
        published = base
        if reset.unmarked:
            published = round_up_to_tick(previous, MARKETS[state.market[slot]], session)
            self._openings.unmarked[slot] = published
        self._record(slot, session, reset.kind, reset.share_ratio, self.sessions[reset.effective], previous, published)

    def _auction(self, slot: int, appraised: Fraction, kind: ActionKind, session: date) -> int:
        """The price the opening auction settles at; never just the close before, rounded up."""
        lowest, highest = AUCTIONS[kind]
        market = MARKETS[self.state.market[slot]]
        lower = round_up_to_tick(ceil(appraised * lowest / 100), market, session)
        upper = round_down_to_tick(int(appraised * highest / 100), market, session)
        words = draw(self.seed, Stream.AUCTION, session.toordinal(), slot + 1)[-1:]
        # The mean of two: most settle near the middle.
        chance = int(bits(words, 0, 16)[0] + bits(words, 16, 16)[0]) // 2
        price = round_down_to_tick(lower + max(upper - lower, 0) * chance // 65_536, market, session)
        previous = int(self.state.close[slot])
        if price in {previous, round_up_to_tick(previous, market, session)}:
            price = round_up_to_tick(price + 1, market, session)
        self._openings.auctioned.append(slot)
        return price

    def _record(
        self,
        slot: int,
        session: date,
        kind: ActionKind,
        share_ratio: Fraction,
        effective: date,
        previous: int,
        published: int,
    ) -> None:
        self._happenings.append(
            CorporateAction(
                symbol=self.state.symbol[slot],
                ex_date=session,
                kind=kind,
                base_ratio=Fraction(published, previous),
                share_ratio=share_ratio,
                shares_effective_session=effective,
                previous_close=previous,
                base_price=published,
            )
        )

    def _call(self, slot: int, name: str, session: date) -> None:
        for member in self._slots.family(slot):
            self.state.name[member] = name if member == slot else preferred_name(name)
            self._happenings.append(Renaming(self.state.symbol[member], session, self.state.name[member]))
        self._relabelled = True

    def _recode(self, slot: int, session: date) -> None:
        """The same shares at the same price under another code, to every source a delisting and a listing."""
        state = self.state
        code = common_symbol(self._next_number(), session)
        for member in self._slots.family(slot):
            successor = code if member == slot else preferred_symbol(code)
            self._happenings.append(Delisting(state.symbol[member], session, successor))
            state.symbol[member] = successor
            self._announce(member, session, is_offered=False)
            previous = int(state.close[member])
            base = round_up_to_tick(previous, MARKETS[state.market[member]], session)
            self._record(member, session, ActionKind.CODE_CHANGE, Fraction(1), session, previous, base)
        self._relabelled = True

    def _absorb(self, slot: int, session: date) -> None:
        state = self.state
        words = draw(self.seed, Stream.INSTRUMENT, self._next_number(), 2)
        price, shares = int(state.close[slot]), int(state.shares[slot])
        self._call(slot, self._next_name(), session)
        self._take(slot, session, KOSDAQ, state.symbol[slot], state.name[slot], words)
        self._set_price(slot, price)
        state.shares[slot] = shares
        # The merger is not over before the next session.
        state.busy[slot] = True

    def _move(self, slot: int, market: int, session: date) -> None:
        self.state.market[slot] = market
        if market != KOSDAQ_GLOBAL:
            self.state.section[slot] = section_of(MARKETS[market], self._slots.trait(slot, 40, 8))
        self._happenings.append(MarketMove(self.state.symbol[slot], session, MARKETS[market]))
        self._relabelled = True

    def _keep_dates(self, session: date) -> None:
        """What happens to many on one date: KOSDAQ GLOBAL opens; sections are reviewed each May."""
        if self.ordinal == 0:
            return
        state = self.state
        yesterday = self.sessions[self.ordinal - 1]
        on_kosdaq = state.listed & (state.market == KOSDAQ) & ~state.busy & ~state.spac
        if yesterday < KOSDAQ_GLOBAL_FROM <= session:
            for slot in np.flatnonzero(on_kosdaq):
                if self._slots.is_global(slot):
                    self._move(int(slot), KOSDAQ_GLOBAL, session)
        if session.month == _SECTION_REVIEW_MONTH != yesterday.month:
            words = draw(self.seed, Stream.SECTION, session.toordinal(), self._slots.count)
            for slot in np.flatnonzero(on_kosdaq & (bits(words, 0, 3) == 0)):
                state.section[slot] = section_of(Market.KOSDAQ, int(bits(words[slot : slot + 1], 8, 8)[0]))
            self._relabelled = True

    def _appoint(self, ordinal: int, *appointments: Appointment) -> None:
        self.state.agenda[ordinal].extend(appointments)

    # --- counters

    def _next_number(self) -> int:
        number = self.state.next_instrument
        self.state.next_instrument += 1
        return number

    def _next_name(self) -> str:
        number = self.state.next_name
        self.state.next_name += 1
        return company_name(number)

    def _next_spac_name(self) -> str:
        number = self.state.next_spac
        self.state.next_spac += 1
        return spac_name(number)


def _is_spac(words: np.ndarray[tuple[int], np.dtype[np.uint64]], is_new: bool) -> bool:
    """Of the companies listed on KOSDAQ one in twenty is a SPAC, of those that are new one in two."""
    return int(bits(words[1:2], 40, 8)[0]) < (128 if is_new else 13)
