"""What is to happen in a slot before a session opens."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from include.simulator.exchange.truth import ActionKind


@dataclass(frozen=True)
class Halt:
    """Trading stops."""

    slot: int


@dataclass(frozen=True)
class Resume:
    """Trading goes on."""

    slot: int


@dataclass(frozen=True)
class ResetBase:
    """The base becomes close x ``price_ratio``, rounded up; shares follow at the ordinal ``effective``.

    For some kinds the opening auction settles it, around that price. ``unmarked``: the share trades around that
    price, but the base published stays the old close.
    """

    slot: int
    kind: ActionKind
    price_ratio: Fraction
    share_ratio: Fraction
    effective: int
    unmarked: bool = False


@dataclass(frozen=True)
class ChangeShares:
    """The listed share count changes by ``share_ratio``, truncated."""

    slot: int
    share_ratio: Fraction


@dataclass(frozen=True)
class Release:
    """The slot is open to new events."""

    slot: int


@dataclass(frozen=True)
class Rename:
    """The company takes its next name."""

    slot: int


@dataclass(frozen=True)
class Recode:
    """The share goes on under a new short code."""

    slot: int


@dataclass(frozen=True)
class Absorb:
    """A SPAC has become the company it merged with, and takes its name."""

    slot: int


@dataclass(frozen=True)
class Move:
    """The share moves to another market, given by its place in ``state.MARKETS``."""

    slot: int
    market: int


@dataclass(frozen=True)
class Condemn:
    """Delisting is decided: administrative section, and a halt until liquidation trading."""

    slot: int


@dataclass(frozen=True)
class Liquidate:
    """Liquidation trading begins, without a price limit."""

    slot: int


@dataclass(frozen=True)
class Delist:
    """The share is gone, and the slot free."""

    slot: int


@dataclass(frozen=True)
class List:
    """A new common share, and its preferred share where the slot has one, trades for the first time."""

    slot: int


@dataclass(frozen=True)
class Divide:
    """A company is halted to be divided, its new part to be listed in the free slot ``slot``."""

    slot: int


@dataclass(frozen=True)
class ListPart:
    """The new part of the company in the slot ``parent``, which keeps the part ``kept``, trades for the first time."""

    slot: int
    parent: int
    kept: Fraction


Appointment = (
    Halt
    | Resume
    | ResetBase
    | ChangeShares
    | Release
    | Rename
    | Recode
    | Absorb
    | Move
    | Condemn
    | Liquidate
    | Delist
    | List
    | Divide
    | ListPart
)
