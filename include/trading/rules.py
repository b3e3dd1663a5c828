"""What a portfolio is run by: how many positions, when they are closed, what trading costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

# An issue without a bar in so many sessions with bars of its kind has left the market, whether or not a list of
# delistings says so.
SESSIONS_ABSENT = 5


class InvalidRulesError(ValueError):
    """A rule is out of its range, or is none."""


@dataclass(frozen=True)
class Rules:
    """Rules of a portfolio; percentages are of 100.

    Attributes:
        max_holdings: positions held at most; each is bought for an equal part of the equity.
        stop_loss_pct: a position is sold this far below its entry; None: never.
        target_pct: a position is sold this far above its entry; None: never.
        max_holding_sessions: a position is sold at the open after so many evenings; None: never.
        daily_loss_limit_pct: nothing is bought after a session that lost at least this much of the equity; None:
            no limit.
        slippage_ticks: how many ticks worse than the open or the stop an order is filled.
        participation_pct: an order takes at most this share of the session's volume.
        fee_pct: the broker's fee on each side.

    Raises:
        InvalidRulesError: a value is out of its range; the message names it.
    """

    max_holdings: int = 10
    stop_loss_pct: float | None = 5.0
    target_pct: float | None = None
    max_holding_sessions: int | None = None
    daily_loss_limit_pct: float | None = 3.0
    slippage_ticks: int = 1
    participation_pct: float = 5.0
    fee_pct: float = 0.015

    def __post_init__(self) -> None:
        self._require("max_holdings", "a whole number from 1 to 1,000", _is_whole(self.max_holdings, 1, 1_000))
        self._require("slippage_ticks", "a whole number from 0 to 100", _is_whole(self.slippage_ticks, 0, 100))
        participation = _is_number(self.participation_pct) and 0 < self.participation_pct <= 100
        self._require("participation_pct", "above 0 and at most 100 percent", participation)
        self._require("fee_pct", "from 0 to 5 percent", _is_number(self.fee_pct) and 0 <= self.fee_pct <= 5)
        if self.stop_loss_pct is not None:
            stop = _is_number(self.stop_loss_pct) and 0 < self.stop_loss_pct < 100
            self._require("stop_loss_pct", "above 0 and below 100 percent", stop)
        if self.target_pct is not None:
            target = _is_number(self.target_pct) and 0 < self.target_pct <= 10_000
            self._require("target_pct", "above 0 and at most 10,000 percent", target)
        if self.daily_loss_limit_pct is not None:
            limit = _is_number(self.daily_loss_limit_pct) and 0 < self.daily_loss_limit_pct < 100
            self._require("daily_loss_limit_pct", "above 0 and below 100 percent", limit)
        if self.max_holding_sessions is not None:
            sessions = _is_whole(self.max_holding_sessions, 1, 10_000)
            self._require("max_holding_sessions", "a whole number from 1 to 10,000", sessions)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Rules:
        """The rules of ``values`` by name; what is not named is as by default.

        Raises:
            InvalidRulesError: a name is no rule's, or a value is out of its range.
        """
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise InvalidRulesError(f"there is no rule {unknown[0]!r}; there are: {', '.join(sorted(known))}")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """The rules by name."""
        return asdict(self)

    def _require(self, name: str, expected: str, holds: bool) -> None:
        if not holds:
            raise InvalidRulesError(f"{name} is {expected}, got {getattr(self, name)!r}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
