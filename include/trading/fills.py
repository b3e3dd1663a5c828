"""What becomes of an order in a session, told from the session's bar: a fill on the tick grid, or why there is none.

The bar is raw, since ticks and limits are of raw prices. It does not tell the path of prices nor the queue of orders,
so where it leaves a doubt the order is the loser:

- An order of the evening trades at the next open, ``slippage_ticks`` worse, but within low and high.
- An issue that opens at its upper limit cannot be bought at that open, and one that opens at its lower limit cannot be
  sold: the queue is long, even where it trades off the limit later.
- A stop trades at its level, ``slippage_ticks`` worse; at the open where that is beyond the level already; not at all
  at the lower limit.
- A price off the grid, as closing auctions of 2026 leave them, is rounded to the grid inside low and high.
- A target is a limit order, never filled below its level: it trades there once the price went *through* it, and at the
  open, without slippage, where that is beyond.
- At most ``participation_pct`` of the session's volume; the rest is not filled.

Where no limit is known (KOSPI before 1995-04-01, KOSDAQ before 1996-11-25), a session with one price off the base
counts as locked at its limit. ETFs and ETNs are held to the 30% of others; leveraged ones have a multiple of it, which
is not told.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import NamedTuple

from include.market.limits import PriceRange, UnknownLimitError, etp_limit_prices, limit_prices
from include.market.symbols import Market
from include.market.ticks import TickTable, etp_tick_table, tick_table
from include.trading.costs import Product
from include.trading.rules import Rules


class Bar(NamedTuple):
    """A session of one issue as the exchange published it; prices in won, 0 where there are none."""

    open: int
    high: int
    low: int
    close: int
    base_price: int
    volume: int
    market: Market
    product: Product = "STOCK"
    halted: bool = False


class Refusal(StrEnum):
    """Why an order was not filled."""

    NO_BAR = "no_bar"
    HALTED = "halted"
    NOT_TRADED = "not_traded"
    LIMIT_LOCKED = "limit_locked"
    OPENED_AT_LIMIT = "opened_at_limit"
    OFF_GRID = "off_grid"
    THIN = "thin"


class Fill(NamedTuple):
    """Shares traded and the price of each, in won."""

    price: int
    shares: int


def buy_at_open(bar: Bar | None, shares: int, session: date, rules: Rules) -> Fill | Refusal:
    """What an order to buy ``shares`` becomes at the open."""
    if isinstance(traded := _require_traded(bar), Refusal):
        return traded
    if traded.open == traded.high and _is_at_upper_limit(traded.open, traded, session):
        return Refusal.LIMIT_LOCKED if traded.low == traded.high else Refusal.OPENED_AT_LIMIT
    grid = _grid(traded, session)
    price = _up(traded.open, grid)
    for _ in range(rules.slippage_ticks):
        price += grid.tick(price)
    return _filled(min(price, _down(traded.high, grid)), shares, traded, rules)


def sell_at_open(bar: Bar | None, shares: int, session: date, rules: Rules) -> Fill | Refusal:
    """What an order to sell ``shares`` becomes at the open."""
    if isinstance(traded := _require_traded(bar), Refusal):
        return traded
    return _unsellable_at_open(traded, session) or _sold(traded.open, shares, traded, session, rules)


def sell_at_stop(bar: Bar | None, stop: float, shares: int, session: date, rules: Rules) -> Fill | Refusal | None:
    """What a stop at ``stop`` won becomes; None where the price did not fall to it, or nothing traded."""
    if isinstance(traded := _require_traded(bar), Refusal) or traded.low > stop:
        return None
    if traded.open <= stop:
        return sell_at_open(traded, shares, session, rules)
    level = _down(int(stop), _grid(traded, session))
    if level <= traded.low and _is_at_lower_limit(traded.low, traded, session):
        return Refusal.LIMIT_LOCKED
    return _sold(level, shares, traded, session, rules)


def sell_at_target(bar: Bar | None, target: float, shares: int, session: date, rules: Rules) -> Fill | Refusal | None:
    """What a limit order to sell at ``target`` won becomes; None where the price did not rise through it."""
    if isinstance(traded := _require_traded(bar), Refusal) or traded.high <= target:
        return None
    grid = _grid(traded, session)
    level = _up(-int(-target // 1), grid)
    if traded.open < level:
        return _filled(level, shares, traded, rules) if level < traded.high else None
    price = max(_down(traded.open, grid), _up(traded.low, grid))
    return _unsellable_at_open(traded, session) or _filled(price, shares, traded, rules)


def _require_traded(bar: Bar | None) -> Bar | Refusal:
    if bar is None:
        return Refusal.NO_BAR
    if bar.halted:
        return Refusal.HALTED
    if not bar.volume or not bar.open:
        return Refusal.NOT_TRADED
    return bar


def _unsellable_at_open(bar: Bar, session: date) -> Refusal | None:
    if bar.open == bar.low and _is_at_lower_limit(bar.open, bar, session):
        return Refusal.LIMIT_LOCKED if bar.low == bar.high else Refusal.OPENED_AT_LIMIT
    return None


def _sold(price: int, shares: int, bar: Bar, session: date, rules: Rules) -> Fill | Refusal:
    """A sale at ``price`` less slippage."""
    grid = _grid(bar, session)
    price = _down(price, grid)
    for _ in range(rules.slippage_ticks):
        price = _down(price - 1, grid)
    return _filled(max(price, _up(bar.low, grid)), shares, bar, rules)


def _filled(price: int, shares: int, bar: Bar, rules: Rules) -> Fill | Refusal:
    if not bar.low <= price <= bar.high:
        return Refusal.OFF_GRID
    available = int(bar.volume * rules.participation_pct / 100)
    return Fill(price, min(shares, available)) if available else Refusal.THIN


def _grid(bar: Bar, session: date) -> TickTable:
    return tick_table(bar.market, session) if bar.product == "STOCK" else etp_tick_table(session)


def _up(price: int, grid: TickTable) -> int:
    return price + -price % grid.tick(price)


def _down(price: int, grid: TickTable) -> int:
    return price - price % grid.tick(price)


def _is_at_upper_limit(price: int, bar: Bar, session: date) -> bool:
    limits = _limits(bar, session)
    return price >= limits.upper > bar.base_price if limits else bar.low == bar.high > bar.base_price


def _is_at_lower_limit(price: int, bar: Bar, session: date) -> bool:
    limits = _limits(bar, session)
    return price <= limits.lower < bar.base_price if limits else bar.low == bar.high < bar.base_price


def _limits(bar: Bar, session: date) -> PriceRange | None:
    """The lowest and highest price allowed; None where no limit is known."""
    try:
        if bar.product == "STOCK":
            return limit_prices(bar.base_price, bar.market, session)
        return etp_limit_prices(bar.base_price, session)
    except UnknownLimitError:
        return None
