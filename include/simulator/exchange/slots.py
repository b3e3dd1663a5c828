"""The places on the exchange: which markets and what sort of company each is for, the same for all time."""

from __future__ import annotations

import numpy as np

from include.simulator.exchange.randomness import Stream, bits, draw
from include.simulator.exchange.state import KONEX, KOSDAQ, KOSPI

_PLACES_PER_FAMILY = 16


class Slots:
    """``count`` slots. A family is a common share's slot and that of its preferred share, if it has one."""

    def __init__(self, seed: int, count: int) -> None:
        self.count = count
        # Every sixteenth slot is the preferred share of the one before it.
        self.is_preferred = np.arange(count) % _PLACES_PER_FAMILY == _PLACES_PER_FAMILY - 1
        self._traits = draw(seed, Stream.SLOT, 0, count)

    def trait(self, slot: int | np.intp, start: int, width: int) -> int:
        """Random bits of the slot's own."""
        return int(bits(self._traits[slot : slot + 1], start, width)[0])

    def home_market(self, slot: int | np.intp) -> int:
        """The market of what is listed in ``slot``: 60% KOSDAQ, 5% KONEX; families with two are on KOSPI."""
        chance = self.trait(slot, 0, 16) % 100
        if slot % _PLACES_PER_FAMILY >= _PLACES_PER_FAMILY - 2 or chance < 35:
            return KOSPI
        return KOSDAQ if chance < 95 else KONEX

    def is_global(self, slot: int | np.intp) -> bool:
        """Whether a company here belongs to KOSDAQ GLOBAL."""
        return self.trait(slot, 48, 8) < 10

    def preferred_of(self, slot: int) -> int | None:
        """The slot of the preferred share of ``slot``."""
        has_one = slot % _PLACES_PER_FAMILY == _PLACES_PER_FAMILY - 2 and slot + 1 < self.count
        return slot + 1 if has_one else None

    def family(self, slot: int) -> list[int]:
        """The common share's slot and, where it has one, its preferred share's."""
        preferred = self.preferred_of(slot)
        return [slot] if preferred is None else [slot, preferred]
