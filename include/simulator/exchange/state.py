"""The state of the simulated exchange between two sessions: arrays over slots, and an agenda.

A slot is a place on the exchange: one share at a time, another one some weeks after it was delisted. The
number of slots never changes, so neither does the memory a simulation needs.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from include.market.symbols import Market
from include.simulator.exchange.agenda import Appointment

MARKETS = tuple(Market)
KOSPI, KOSDAQ, KOSDAQ_GLOBAL, KONEX = range(len(MARKETS))


@dataclass
class State:
    """Everything the next session depends on. Arrays have one element per slot; prices and amounts in won.

    ``close`` is the last close, or an offer price before the first session. ``anchor`` is the level a price
    is drawn back to. ``volatility_ppm`` is the standard deviation of a day's own return, ``turnover_ppm``
    the usual daily volume over listed shares. ``spac`` marks companies that only look for one to merge with.
    ``busy`` bars new events until the last one is over.
    ``agenda`` maps a session's ordinal to what happens before it opens.
    """

    listed: NDArray[np.bool_]
    halted: NDArray[np.bool_]
    liquidating: NDArray[np.bool_]
    busy: NDArray[np.bool_]
    spac: NDArray[np.bool_]
    market: NDArray[np.int8]
    close: NDArray[np.int64]
    anchor: NDArray[np.int64]
    shares: NDArray[np.int64]
    volatility_ppm: NDArray[np.int64]
    turnover_ppm: NDArray[np.int64]
    symbol: NDArray[np.object_]
    name: NDArray[np.object_]
    section: NDArray[np.object_]
    agenda: defaultdict[int, list[Appointment]]
    next_instrument: int = 0
    next_name: int = 0
    next_spac: int = 0

    @staticmethod
    def empty(slots: int) -> State:
        """A state in which no slot is taken."""
        texts = np.full(slots, "", dtype=object)
        numbers = np.zeros(slots, np.int64)
        flags = np.zeros(slots, np.bool_)
        return State(
            listed=flags.copy(),
            halted=flags.copy(),
            liquidating=flags.copy(),
            busy=flags.copy(),
            spac=flags.copy(),
            market=np.zeros(slots, np.int8),
            close=numbers.copy(),
            anchor=numbers.copy(),
            shares=numbers.copy(),
            volatility_ppm=numbers.copy(),
            turnover_ppm=numbers.copy(),
            symbol=texts.copy(),
            name=texts.copy(),
            section=texts.copy(),
            agenda=defaultdict(list),
        )

    def copy(self) -> State:
        """A state that lives on its own from here."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        copied = {key: value.copy() for key, value in values.items() if isinstance(value, np.ndarray)}
        agenda = defaultdict(list, {ordinal: list(items) for ordinal, items in self.agenda.items()})
        return State(**{**values, **copied, "agenda": agenda})
