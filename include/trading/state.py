"""What a portfolio is between two sessions: cash, positions and the orders for the next session. It survives JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from include.market.symbols import Market
from include.trading.costs import Product

Side = Literal["buy", "sell"]


class Cause(StrEnum):
    """What makes an order, or closes a position."""

    SIGNAL = "signal"
    STOP_LOSS = "stop_loss"
    TARGET = "target"
    HOLDING_PERIOD = "holding_period"
    DELISTED = "delisted"
    PAID_OUT = "paid_out"  # a consolidation left less than one share


class Signal(NamedTuple):
    """What a strategy says of an issue on an evening; ``strength`` from 0 to 100."""

    symbol: str
    side: Side
    strength: float
    strategy: str


class Order(NamedTuple):
    """An order for the session after ``placed``; a day order. A stop or a target is placed by its own session."""

    symbol: str
    side: Side
    shares: int
    placed: date
    cause: Cause
    strategy: str
    strength: float | None = None


class Position(NamedTuple):
    """Shares held of one issue, bought at once.

    ``entry_price``, ``stop`` and ``target`` are on the scale of today's prices, so no longer whole won after a
    corporate action. ``paid_krw`` is all that was paid for it with fees, ``received_krw`` what came back so far, less
    fees and taxes. ``evenings`` are those it was held, ``close`` the last one known.
    """

    symbol: str
    market: Market
    product: Product
    strategy: str
    opened: date
    shares: int
    entry_price: float
    stop: float | None
    target: float | None
    paid_krw: int
    received_krw: int
    evenings: int
    close: int

    @property
    def value_krw(self) -> int:
        """Shares at the last close."""
        return self.shares * self.close


class State(NamedTuple):
    """A portfolio on the evening of ``session``; None before its first one. ``peak_krw`` is its highest equity so far.

    ``equity_krw`` is ``cash_krw`` and the positions at their last closes. Orders are for the next session.
    """

    session: date | None
    cash_krw: int
    equity_krw: int
    peak_krw: int
    positions: tuple[Position, ...] = ()
    orders: tuple[Order, ...] = ()

    @classmethod
    def start(cls, capital_krw: int) -> State:
        """A portfolio of cash only.

        Raises:
            ValueError: the capital is not positive.
        """
        if capital_krw <= 0:
            raise ValueError(f"the capital is positive, got {capital_krw:,} won")
        return cls(session=None, cash_krw=capital_krw, equity_krw=capital_krw, peak_krw=capital_krw)

    @property
    def symbols(self) -> set[str]:
        """What is held or ordered."""
        return {position.symbol for position in self.positions} | {order.symbol for order in self.orders}

    def to_dict(self) -> dict[str, Any]:
        """The state in types JSON has."""
        return {
            **self._asdict(),
            "session": None if self.session is None else self.session.isoformat(),
            "positions": [
                {**position._asdict(), "market": position.market.value, "opened": position.opened.isoformat()}
                for position in self.positions
            ],
            "orders": [{**order._asdict(), "placed": order.placed.isoformat()} for order in self.orders],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> State:
        """The state :meth:`to_dict` told.

        Raises:
            KeyError, TypeError, ValueError: ``values`` are not what :meth:`to_dict` tells.
        """
        session = values["session"]
        positions = (
            Position(
                **{**position, "market": Market(position["market"]), "opened": date.fromisoformat(position["opened"])}
            )
            for position in values["positions"]
        )
        orders = (
            Order(**{**order, "cause": Cause(order["cause"]), "placed": date.fromisoformat(order["placed"])})
            for order in values["orders"]
        )
        return cls(
            session=None if session is None else date.fromisoformat(session),
            cash_krw=values["cash_krw"],
            equity_krw=values["equity_krw"],
            peak_krw=values["peak_krw"],
            positions=tuple(positions),
            orders=tuple(orders),
        )
