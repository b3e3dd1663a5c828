"""What the simulated exchange knows and a warehouse has to find out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum
from fractions import Fraction

from include.market.symbols import Market


class ActionKind(Enum):
    """What a company did to its shares."""

    SPLIT = "split"
    REVERSE_SPLIT = "reverse_split"
    BONUS_ISSUE = "bonus_issue"
    RIGHTS_ISSUE = "rights_issue"
    STOCK_DIVIDEND = "stock_dividend"
    CAPITAL_REDUCTION = "capital_reduction"
    MERGER = "merger"
    SPIN_OFF = "spin_off"
    RELISTING = "relisting"
    CODE_CHANGE = "code_change"


@dataclass(frozen=True)
class CorporateAction:
    """On ``ex_date`` the base was ``base_price`` and not ``previous_close`` (both won).

    ``base_ratio`` is base / previous close as published, the base rounded up to a tick. ``share_ratio`` is
    new shares per old share, exactly (1 for a relisting); the listed count follows on
    ``shares_effective_session``, truncated.

    Two sorts show no reset, and their ``base_ratio`` is 1: a split or reverse split whose base was left at
    the old close (prices move by the ratio all the same), and a code change, told of the new ``symbol``.
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
    """``symbol`` trades for the first time on ``session``, or traded already on the simulation's first.

    ``offer_price`` is None for the latter, for what a spin-off lists and for a new code of an old share.
    """

    symbol: str
    session: date
    name: str
    market: Market
    offer_price: int | None


@dataclass(frozen=True)
class Delisting:
    """``symbol`` has no row from ``session`` on; the share goes on as ``successor``, if any."""

    symbol: str
    session: date
    successor: str | None = None


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

    ``offer_price`` is as in :class:`Listing`, ``successor`` as in :class:`Delisting`.
    """

    symbol: str
    listed: date
    delisted: date | None
    names: tuple[tuple[date, str], ...]
    markets: tuple[tuple[date, Market], ...]
    offer_price: int | None
    successor: str | None


def instruments_of(happenings: list[Happening]) -> list[Instrument]:
    """The instruments that ``happenings``, in order of session, tell of; in order of symbol."""
    listings: dict[str, Listing] = {}
    delistings: dict[str, Delisting] = {}
    names: dict[str, list[tuple[date, str]]] = {}
    markets: dict[str, list[tuple[date, Market]]] = {}
    for happening in happenings:
        match happening:
            case Listing(symbol, session, name, market):
                listings[symbol] = happening
                names[symbol] = [(session, name)]
                markets[symbol] = [(session, market)]
            case Delisting(symbol):
                delistings[symbol] = happening
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
            delisted=delistings[symbol].session if symbol in delistings else None,
            names=tuple(names[symbol]),
            markets=tuple(markets[symbol]),
            offer_price=listing.offer_price,
            successor=delistings[symbol].successor if symbol in delistings else None,
        )
        for symbol, listing in sorted(listings.items())
    ]
