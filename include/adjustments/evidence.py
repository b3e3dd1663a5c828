"""What is known of a session that may be an ex-date: its bar, the bar before it and what happened around them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Kind(StrEnum):
    """What a corporate action was."""

    SPLIT = "split"
    REVERSE_SPLIT = "reverse_split"
    BONUS_ISSUE = "bonus_issue"
    RIGHTS_ISSUE = "rights_issue"
    STOCK_DIVIDEND = "stock_dividend"
    CAPITAL_REDUCTION = "capital_reduction"
    MERGER = "merger"
    SPIN_OFF = "spin_off"
    RELISTING = "relisting"
    MARKET_CHANGE = "market_change"
    CODE_CHANGE = "code_change"
    DISTRIBUTION = "distribution"
    UNEXPLAINED = "unexplained"


class Status(StrEnum):
    """Whether an action changes the scale of earlier prices."""

    APPLIED = "applied"
    NOTED = "noted"
    PENDING = "pending"
    DISMISSED = "dismissed"


class Basis(StrEnum):
    """Where the ratio that is applied comes from."""

    BASE = "base"
    SHARES = "shares"
    OPERATOR = "operator"
    NONE = "none"


@dataclass(frozen=True)
class Bar:
    """One issue's session, prices in won; ``open`` is 0 where nothing was traded."""

    session: date
    open: int
    close: int
    base_price: int
    listed_shares: int
    market: str
    halted: bool


@dataclass(frozen=True)
class ShareStep:
    """The listed share count became ``ratio`` times what it was on the session before."""

    session: date
    ratio: float


@dataclass(frozen=True)
class Evidence:
    """What there is to tell an action by, at one moment of knowledge.

    ``sessions_missing`` counts the exchange's sessions between the two bars. ``shares_before`` is the listed count
    of the last session traded before a halt, or of the prior bar. ``later_steps`` are changes of the count after
    the session, in order, known so far. ``resumed`` is the session trading went on after a halt, where known.
    ``fiscal_year_end`` says that the session is the last but one of a year, when stock dividends go ex.
    ``new_listings`` names what was listed on the session. ``par_ratio`` is the par value after over before, where
    masters tell it. ``common`` is what the company's common share did on the session.
    """

    name: str
    is_product: bool
    bar: Bar
    prior: Bar
    sessions_missing: int
    shares_before: int
    later_steps: tuple[ShareStep, ...]
    resumed: date | None
    fiscal_year_end: bool
    new_listings: tuple[str, ...]
    par_ratio: float | None
    common: Finding | None = None


@dataclass(frozen=True)
class Finding:
    """A corporate action as told by the evidence; ratios as in ``market.corporate_action``."""

    kind: Kind
    status: Status
    prior_session: date | None
    prior_close: int | None
    base_price: int | None
    base_ratio: float | None
    share_ratio: float | None
    applied_ratio: float
    applied_basis: Basis
    confidence: float
    evidence: str


@dataclass(frozen=True)
class Rounding:
    """A base price that is the previous close rounded up to a tick: no action."""

    prior_session: date
    prior_close: int
    base_price: int
