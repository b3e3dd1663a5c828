"""What the simulated exchange knows and a warehouse has to find out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum
from fractions import Fraction

from include.market.symbols import Market


class ActionKind(Enum):
    """Why the exchange reset a base price."""

    SPLIT = "split"
    REVERSE_SPLIT = "reverse_split"
    BONUS_ISSUE = "bonus_issue"
    RIGHTS_ISSUE = "rights_issue"


@dataclass(frozen=True)
class CorporateAction:
    """A base price reset: on ``ex_date`` the base was ``base_price`` and not ``previous_close`` (both won).

    ``base_ratio`` is base / previous close as published, the base rounded up to a tick. ``share_ratio`` is
    new shares per old share, exactly; the listed count follows on ``shares_effective_session``, truncated.
    """

    symbol: str
    ex_date: date
    kind: ActionKind
    base_ratio: Fraction
    share_ratio: Fraction
    shares_effective_session: date
    previous_close: int
    base_price: int


@dataclass(frozen=True)
class Listing:
    """``symbol`` trades for the first time on ``session``, or traded already on the simulation's first."""

    symbol: str
    session: date
    name: str
    market: Market
    offer_price: int | None


@dataclass(frozen=True)
class Delisting:
    """``symbol`` has no row from ``session`` on."""

    symbol: str
    session: date


@dataclass(frozen=True)
class Renaming:
    """``symbol`` is called ``name`` from ``session`` on."""

    symbol: str
    session: date
    name: str


@dataclass(frozen=True)
class MarketMove:
    """``symbol`` trades on ``market`` from ``session`` on."""

    symbol: str
    session: date
    market: Market


Happening = CorporateAction | Listing | Delisting | Renaming | MarketMove


@dataclass(frozen=True)
class Instrument:
    """One share's life: first session, first session without a row, names and markets with their starts.

    ``offer_price`` is None for what was listed before the simulation began.
    """

    symbol: str
    listed: date
    delisted: date | None
    names: tuple[tuple[date, str], ...]
    markets: tuple[tuple[date, Market], ...]
    offer_price: int | None


def instruments_of(happenings: list[Happening]) -> list[Instrument]:
    """The instruments that ``happenings``, in order of session, tell of; in order of symbol."""
    listings: dict[str, Listing] = {}
    delisted: dict[str, date] = {}
    names: dict[str, list[tuple[date, str]]] = {}
    markets: dict[str, list[tuple[date, Market]]] = {}
    for happening in happenings:
        match happening:
            case Listing(symbol, session, name, market):
                listings[symbol] = happening
                names[symbol] = [(session, name)]
                markets[symbol] = [(session, market)]
            case Delisting(symbol, session):
                delisted[symbol] = session
            case Renaming(symbol, session, name):
                names[symbol].append((session, name))
            case MarketMove(symbol, session, market):
                markets[symbol].append((session, market))
            case CorporateAction():
                pass
    return [
        Instrument(
            symbol=symbol,
            listed=listing.session,
            delisted=delisted.get(symbol),
            names=tuple(names[symbol]),
            markets=tuple(markets[symbol]),
            offer_price=listing.offer_price,
        )
        for symbol, listing in sorted(listings.items())
    ]
