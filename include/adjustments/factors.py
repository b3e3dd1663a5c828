"""Cumulative adjustment factors from base-price events. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

BEGINNING = date(1900, 1, 1)


@dataclass(frozen=True)
class Event:
    """From ``session`` on prices are on a new scale: ``price_factor`` = base price / prior close."""

    symbol: str
    session: date
    price_factor: float


@dataclass(frozen=True)
class FactorInterval:
    """Days, both included, whose prices are multiplied by ``price_factor`` and volumes by ``volume_factor``."""

    symbol: str
    first_session: date
    last_session: date
    price_factor: float
    volume_factor: float


def factor_intervals(events: Iterable[Event]) -> Iterator[FactorInterval]:
    """The intervals before each symbol's last event, from ``BEGINNING`` on; after it the factor is 1.

    ``events`` come ordered by symbol and session. Products are taken from the latest event backwards, so
    that they are the same to the last bit wherever they are computed.
    """
    for symbol, of_symbol in groupby(events, key=lambda event: event.symbol):
        ordered = list(of_symbol)
        starts = [BEGINNING, *(event.session for event in ordered)]
        price_factor = 1.0
        for start, event in reversed(list(zip(starts, ordered, strict=False))):
            price_factor *= event.price_factor
            yield FactorInterval(symbol, start, event.session - timedelta(days=1), price_factor, 1.0 / price_factor)
