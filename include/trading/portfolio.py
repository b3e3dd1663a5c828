"""A portfolio stepped from session to session: the morning's orders, the day's stops, the evening's marks and orders.

:func:`step` is a function of what it is given and nothing else: the same state, bars and signals give the same result
to the won. Amounts are whole won; every one is in cash, in a position, or in a fee or tax that is told.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from datetime import date
from enum import StrEnum
from typing import NamedTuple, Protocol

from include.trading.costs import affordable_shares, broker_fee, sales_tax
from include.trading.fills import Bar, Fill, Refusal, buy_at_open, sell_at_open, sell_at_stop, sell_at_target
from include.trading.rules import Rules
from include.trading.state import Cause, Order, Position, Side, Signal, State

# What a corporate action leaves is cut off to whole shares and won; a ratio such as 0.07 is none in binary.
_NEARLY = 1e-6


class SessionOrderError(ValueError):
    """The session is not after the portfolio's last one."""


class Bars(Protocol):
    """The bars of one session."""

    def get(self, symbol: str, /) -> Bar | None:
        """The bar of ``symbol``; None where it has none."""


class Status(StrEnum):
    """What became of an order."""

    FILLED = "filled"
    PARTLY = "partly"
    EXPIRED = "expired"
    REFUSED = "refused"  # never sent to the exchange


class Obstacle(StrEnum):
    """Why an order was not filled, or not wholly, where the exchange was not the reason."""

    NO_CASH = "no_cash"
    NO_ROOM = "no_room"
    LOSS_LIMIT = "loss_limit"
    TOO_DEAR = "too_dear"
    GONE = "gone"


class Execution(NamedTuple):
    """A trade: ``amount_krw`` is price x shares, before fee and tax."""

    symbol: str
    side: Side
    shares: int
    price: int
    amount_krw: int
    fee_krw: int
    tax_krw: int
    cause: Cause
    strategy: str


class Outcome(NamedTuple):
    """What became of an order; ``reason`` where it was not filled wholly."""

    order: Order
    status: Status
    reason: Refusal | Obstacle | None
    shares_filled: int


class Closed(NamedTuple):
    """A position that is no more; its ``received_krw`` less ``paid_krw`` was gained."""

    position: Position
    session: date
    cause: Cause
    exit_price: float
    strategy: str

    @property
    def gain_krw(self) -> int:
        """What came back less what was paid, fees and taxes included."""
        return self.position.received_krw - self.position.paid_krw


class PaidOut(NamedTuple):
    """Cash for the part of a share that a corporate action left."""

    symbol: str
    amount_krw: int


class Step(NamedTuple):
    """A session of a portfolio: its state on the evening, and what happened."""

    state: State
    executions: tuple[Execution, ...]
    outcomes: tuple[Outcome, ...]
    closed: tuple[Closed, ...]
    paid_out: tuple[PaidOut, ...]
    loss_limit_hit: bool


def step(
    state: State,
    rules: Rules,
    session: date,
    bars: Bars,
    signals: Iterable[Signal],
    ratios: Mapping[str, float] | None = None,
    delisted: Container[str] = (),
) -> Step:
    """The portfolio's next session.

    In this order: corporate actions, issues that are gone, the orders of the evening before at the open (sales first),
    stops and targets, marks, and the orders that follow from the evening's signals. A sale that the open did not fill
    wholly is ordered again every evening until the position is gone.

    Args:
        state: the portfolio on the evening before.
        rules: what it is run by.
        session: the session to step through.
        bars: the session's raw bars, asked for symbols held, ordered or signalled only.
        signals: what was said on the session's evening. An issue with a sell signal is not bought.
        ratios: what earlier raw prices of a symbol are multiplied by from this session on.
        delisted: symbols that left the market by this session; one that still has a bar is not looked at.

    Raises:
        SessionOrderError: ``session`` is not after the state's.
        UnknownTaxError: a sale before the taxes that are known.
    """
    if state.session is not None and session <= state.session:
        raise SessionOrderError(f"the portfolio is at {state.session}: {session} is not after it")
    day = _Day(state, rules, session, bars)
    if ratios:
        day.apply_corporate_actions(ratios)
    if delisted:
        day.close_delisted(delisted)
    day.execute_orders()
    day.execute_stops_and_targets()
    return day.evening(signals)


class _Day:
    """A session while it goes on."""

    def __init__(self, state: State, rules: Rules, session: date, bars: Bars) -> None:
        self.before = state
        self.rules = rules
        self.session = session
        self.bars = bars
        self.cash = state.cash_krw
        self.positions = {position.symbol: position for position in state.positions}
        self.orders = state.orders
        self.executions: list[Execution] = []
        self.outcomes: list[Outcome] = []
        self.closed: list[Closed] = []
        self.paid_out: list[PaidOut] = []

    def apply_corporate_actions(self, ratios: Mapping[str, float]) -> None:
        """Positions and orders on the session's scale; parts of shares are paid out at the last close."""
        for symbol, position in list(self.positions.items()):
            if (ratio := ratios.get(symbol)) is None:
                continue
            shares = int(position.shares / ratio + _NEARLY)
            close = position.close * ratio
            paid = max(int(position.value_krw - shares * close + _NEARLY), 0)
            if paid:
                self.cash += paid
                self.paid_out.append(PaidOut(symbol, paid))
            position = position._replace(
                shares=shares,
                entry_price=position.entry_price * ratio,
                stop=None if position.stop is None else position.stop * ratio,
                target=None if position.target is None else position.target * ratio,
                received_krw=position.received_krw + paid,
                close=max(round(close), 1),
            )
            if shares:
                self.positions[symbol] = position
            else:
                self._close(position, Cause.PAID_OUT, position.close, position.strategy)
        self.orders = tuple(
            order._replace(shares=int(order.shares / ratios[order.symbol] + _NEARLY))
            if order.symbol in ratios
            else order
            for order in self.orders
        )

    def close_delisted(self, delisted: Container[str]) -> None:
        """Positions in issues that are gone are closed at their last close, as if sold."""
        for symbol, position in list(self.positions.items()):
            if symbol in delisted and self.bars.get(symbol) is None:
                self._sell(position, Fill(position.close, position.shares), Cause.DELISTED, position.strategy)

    def execute_orders(self) -> None:
        """The orders of the evening before, sales first: what they bring can be spent at once."""
        for order in self.orders:
            if order.side == "sell":
                self._execute_sale(order)
        for order in self.orders:
            if order.side == "buy":
                self._execute_purchase(order)

    def _execute_sale(self, order: Order) -> None:
        position = self.positions.get(order.symbol)
        if position is None:
            self._expire(order, Obstacle.GONE)
            return
        fill = sell_at_open(self.bars.get(order.symbol), min(order.shares, position.shares), self.session, self.rules)
        if isinstance(fill, Refusal):
            self._expire(order, fill)
            return
        self._report(order, fill, Refusal.THIN)
        self._sell(position, fill, order.cause, order.strategy)

    def _execute_purchase(self, order: Order) -> None:
        if len(self.positions) >= self.rules.max_holdings:
            self._expire(order, Obstacle.NO_ROOM)
            return
        if not order.shares:  # less than one after a consolidation
            self._expire(order, Obstacle.TOO_DEAR)
            return
        if (bar := self.bars.get(order.symbol)) is None:
            self._expire(order, Refusal.NO_BAR)
            return
        fill = buy_at_open(bar, order.shares, self.session, self.rules)
        if isinstance(fill, Refusal):
            self._expire(order, fill)
            return
        affordable = affordable_shares(self.cash, fill.price, self.rules.fee_pct)
        if not affordable:
            self._expire(order, Obstacle.NO_CASH)
            return
        reason = Obstacle.NO_CASH if affordable < fill.shares else Refusal.THIN
        fill = Fill(fill.price, min(fill.shares, affordable))
        self._report(order, fill, reason)
        self._buy(order, fill, bar)

    def execute_stops_and_targets(self) -> None:
        """Those of positions that were not to be sold at the open; the stop first, where both were reached."""
        at_the_open = {order.symbol for order in self.orders if order.side == "sell"}
        for position in list(self.positions.values()):
            if position.symbol in at_the_open:
                continue
            bar = self.bars.get(position.symbol)
            fill, cause = None, Cause.STOP_LOSS
            if position.stop is not None:
                stop = position.stop
                if bar is not None and position.opened == self.session:
                    # Bought at this open, however much worse: it has to fall below it first.
                    stop = min(stop, bar.open - 1)
                fill = sell_at_stop(bar, stop, position.shares, self.session, self.rules)
            if fill is None and position.target is not None:
                fill = sell_at_target(bar, position.target, position.shares, self.session, self.rules)
                cause = Cause.TARGET
            if fill is None:
                continue
            order = Order(position.symbol, "sell", position.shares, self.session, cause, position.strategy)
            if isinstance(fill, Refusal):
                self._expire(order, fill)
                continue
            self._report(order, fill, Refusal.THIN)
            self._sell(position, fill, cause, position.strategy)

    def evening(self, signals: Iterable[Signal]) -> Step:
        """Marks, the daily loss, and the orders for the next session."""
        for symbol, position in self.positions.items():
            bar = self.bars.get(symbol)
            marked = position if bar is None else position._replace(close=bar.close, market=bar.market)
            self.positions[symbol] = marked._replace(evenings=marked.evenings + 1)
        equity = self.cash + sum(position.shares * position.close for position in self.positions.values())
        limit, before = self.rules.daily_loss_limit_pct, self.before.equity_krw
        loss_limit_hit = limit is not None and (before - equity) * 100 >= limit * before
        state = State(
            session=self.session,
            cash_krw=self.cash,
            equity_krw=equity,
            peak_krw=max(self.before.peak_krw, equity),
            positions=tuple(self.positions.values()),
            orders=self._orders(sorted(signals, key=_rank), equity, loss_limit_hit=loss_limit_hit),
        )
        return Step(
            state=state,
            executions=tuple(self.executions),
            outcomes=tuple(self.outcomes),
            closed=tuple(self.closed),
            paid_out=tuple(self.paid_out),
            loss_limit_hit=loss_limit_hit,
        )

    def _orders(self, signals: list[Signal], equity: int, *, loss_limit_hit: bool) -> tuple[Order, ...]:
        sales = self._sales(signals)
        # What could not be sold this morning may not be sold tomorrow either.
        unsold = {order.symbol for order in self.orders if order.side == "sell"}
        leaving = sum(sale.symbol not in unsold for sale in sales)
        room = self.rules.max_holdings - len(self.positions) + leaving
        purchases: dict[str, Order] = {}
        passed_over = {signal.symbol for signal in signals if signal.side == "sell"}
        for signal in signals:
            symbol = signal.symbol
            if len(purchases) >= room:
                break
            if symbol in passed_over or symbol in self.positions or symbol in purchases:
                continue
            if (bar := self.bars.get(symbol)) is None:
                continue
            shares = equity // self.rules.max_holdings // bar.close
            order = Order(symbol, "buy", shares, self.session, Cause.SIGNAL, signal.strategy, signal.strength)
            if not shares:
                passed_over.add(symbol)
                self._refuse(order, Obstacle.TOO_DEAR)
                continue
            purchases[symbol] = order
        if loss_limit_hit:
            for order in purchases.values():
                self._refuse(order, Obstacle.LOSS_LIMIT)
            return tuple(sales)
        return (*sales, *purchases.values())

    def _sales(self, signals: list[Signal]) -> list[Order]:
        """Orders to sell what is held: by the strongest signal, by the holding period, or again what was not sold."""
        said: dict[str, Signal] = {}
        for signal in signals:
            if signal.side == "sell" and signal.symbol in self.positions:
                said.setdefault(signal.symbol, signal)
        unsold = {order.symbol: order for order in self.orders if order.side == "sell"}
        sales = []
        longest = self.rules.max_holding_sessions
        for symbol, position in self.positions.items():
            if (told := said.get(symbol)) is not None:
                cause, strategy, strength = Cause.SIGNAL, told.strategy, told.strength
                sales.append(Order(symbol, "sell", position.shares, self.session, cause, strategy, strength))
            elif (order := unsold.get(symbol)) is not None:
                sales.append(order._replace(shares=position.shares, placed=self.session))
            elif longest is not None and position.evenings >= longest:
                cause, strategy = Cause.HOLDING_PERIOD, position.strategy
                sales.append(Order(symbol, "sell", position.shares, self.session, cause, strategy))
        return sales

    def _buy(self, order: Order, fill: Fill, bar: Bar) -> None:
        amount = fill.price * fill.shares
        fee = broker_fee(amount, self.rules.fee_pct)
        self.cash -= amount + fee
        execution = Execution(order.symbol, "buy", fill.shares, fill.price, amount, fee, 0, order.cause, order.strategy)
        self.executions.append(execution)
        stop, target = self.rules.stop_loss_pct, self.rules.target_pct
        self.positions[order.symbol] = Position(
            symbol=order.symbol,
            market=bar.market,
            product=bar.product,
            strategy=order.strategy,
            opened=self.session,
            shares=fill.shares,
            entry_price=fill.price,
            stop=None if stop is None else fill.price * (100 - stop) / 100,
            target=None if target is None else fill.price * (100 + target) / 100,
            paid_krw=amount + fee,
            received_krw=0,
            evenings=0,
            close=bar.close,
        )

    def _sell(self, position: Position, fill: Fill, cause: Cause, strategy: str) -> None:
        amount = fill.price * fill.shares
        fee = broker_fee(amount, self.rules.fee_pct)
        tax = sales_tax(amount, position.market, position.product, self.session)
        self.cash += amount - fee - tax
        self.executions.append(
            Execution(position.symbol, "sell", fill.shares, fill.price, amount, fee, tax, cause, strategy)
        )
        position = position._replace(
            shares=position.shares - fill.shares, received_krw=position.received_krw + amount - fee - tax
        )
        if position.shares:
            self.positions[position.symbol] = position
        else:
            self._close(position, cause, fill.price, strategy)

    def _close(self, position: Position, cause: Cause, exit_price: float, strategy: str) -> None:
        del self.positions[position.symbol]
        self.closed.append(Closed(position, self.session, cause, exit_price, strategy))

    def _report(self, order: Order, fill: Fill, reason: Refusal | Obstacle) -> None:
        partly = fill.shares < order.shares
        status = Status.PARTLY if partly else Status.FILLED
        self.outcomes.append(Outcome(order, status, reason if partly else None, fill.shares))

    def _expire(self, order: Order, reason: Refusal | Obstacle) -> None:
        self.outcomes.append(Outcome(order, Status.EXPIRED, reason, 0))

    def _refuse(self, order: Order, reason: Obstacle) -> None:
        self.outcomes.append(Outcome(order, Status.REFUSED, reason, 0))


def _rank(signal: Signal) -> tuple[float, str, str]:
    """Strongest first, then by symbol."""
    return (-signal.strength, signal.symbol, signal.strategy)
