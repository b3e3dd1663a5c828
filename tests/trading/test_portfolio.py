"""A portfolio stepped by hand: what each rule does, with the numbers worked out."""

from __future__ import annotations

from datetime import date

import pytest

from include.market.symbols import Market
from include.trading.fills import Bar, Refusal
from include.trading.portfolio import Obstacle, SessionOrderError, Status, Step, step
from include.trading.rules import Rules
from include.trading.state import Cause, Signal, State

DAYS = tuple(date(2024, 6, day) for day in (3, 4, 5, 7, 10, 11, 12))
A, B, C = "000010", "000020", "000030"
PLAIN = Rules(max_holdings=2, stop_loss_pct=None, daily_loss_limit_pct=None, slippage_ticks=0, participation_pct=100)


def bar(price: int, low: int | None = None, high: int | None = None, close: int | None = None) -> Bar:
    close = price if close is None else close
    lowest = min(price, close) if low is None else low
    highest = max(price, close) if high is None else high
    return Bar(price, highest, lowest, close, price, 1_000_000, Market.KOSPI)


def buys(*symbols: str, strength: float = 50) -> list[Signal]:
    return [Signal(symbol, "buy", strength, "rule") for symbol in symbols]


def sells(*symbols: str) -> list[Signal]:
    return [Signal(symbol, "sell", 50, "exit") for symbol in symbols]


def bought(rules: Rules, price: int = 10_000, symbol: str = A) -> Step:
    """A portfolio of 10 million won on the evening of the second day, having bought ``symbol`` at its open."""
    evening = step(State.start(10_000_000), rules, DAYS[0], {symbol: bar(price)}, buys(symbol)).state
    return step(evening, rules, DAYS[1], {symbol: bar(price)}, ())


def test_a_signal_is_bought_at_the_next_open_and_sold_at_the_one_after_the_next() -> None:
    first = step(State.start(10_000_000), PLAIN, DAYS[0], {A: bar(10_000)}, buys(A))
    assert first.executions == ()
    assert [(order.symbol, order.side, order.shares) for order in first.state.orders] == [(A, "buy", 500)]
    second = step(first.state, PLAIN, DAYS[1], {A: bar(9_900)}, sells(A))
    [purchase] = second.executions
    # 0.015% of 4,950,000 won is 742.5.
    assert (purchase.price, purchase.shares, purchase.fee_krw, purchase.tax_krw) == (9_900, 500, 742, 0)
    assert second.state.cash_krw == 10_000_000 - 4_950_000 - 742
    third = step(second.state, PLAIN, DAYS[2], {A: bar(11_000)}, ())
    [sale] = third.executions
    # Of 5,500,000 won: 0.03% and 0.15% tax, 0.015% fee.
    assert (sale.amount_krw, sale.fee_krw, sale.tax_krw) == (5_500_000, 825, 9_900)
    [closed] = third.closed
    assert closed.gain_krw == 5_500_000 - 825 - 9_900 - 4_950_000 - 742
    assert (closed.cause, closed.strategy, closed.exit_price) == (Cause.SIGNAL, "exit", 11_000)
    assert third.state.equity_krw == third.state.cash_krw == 10_000_000 + closed.gain_krw


@pytest.mark.parametrize(("low", "sold_at"), [(90, None), (85, 85), (80, 80)])
def test_what_was_bought_at_the_open_is_stopped_out_in_the_session_only_below_that_open(
    low: int, sold_at: int | None
) -> None:
    # A tick of an ETN is five won until the end of 2023: bought at 95, with the stop at 90.25 above the open of 90.
    rules = Rules(slippage_ticks=1, participation_pct=100)
    etn = Bar(90, 100, low, 95, 90, 10_000_000, Market.KOSPI, "ETN")
    evening = step(State.start(10_000_000), rules, date(2022, 5, 2), {A: etn}, buys(A)).state
    found = step(evening, rules, date(2022, 5, 3), {A: etn}, ())
    assert found.executions[0].price == 95
    assert [closed.exit_price for closed in found.closed] == ([] if sold_at is None else [sold_at])


def test_the_strongest_are_bought_ties_by_symbol_and_no_more_than_there_is_room_for() -> None:
    signals = [*buys(C, B), *buys(A, strength=90)]
    bars = {symbol: bar(10_000) for symbol in (A, B, C)}
    first = step(State.start(10_000_000), PLAIN, DAYS[0], bars, signals)
    assert [order.symbol for order in first.state.orders] == [A, B]
    second = step(first.state, PLAIN, DAYS[1], bars, buys(A, C))
    assert [position.symbol for position in second.state.positions] == [A, B]
    assert second.state.orders == ()


def test_a_sale_makes_room_for_a_purchase_of_the_same_morning() -> None:
    rules = Rules(max_holdings=1, stop_loss_pct=None, slippage_ticks=0, participation_pct=100)
    held = bought(rules).state
    bars = {A: bar(10_000), B: bar(5_000)}
    evening = step(held, rules, DAYS[2], bars, [*sells(A), *buys(B)]).state
    assert [(order.symbol, order.side) for order in evening.orders] == [(A, "sell"), (B, "buy")]
    assert [position.symbol for position in step(evening, rules, DAYS[3], bars, ()).state.positions] == [B]
    halted = Bar(0, 0, 0, 10_000, 10_000, 0, Market.KOSPI, halted=True)
    stuck = step(evening, rules, DAYS[3], {A: halted, B: bar(5_000)}, buys(B))
    assert [(outcome.status, outcome.reason) for outcome in stuck.outcomes] == [
        (Status.EXPIRED, Refusal.HALTED),
        (Status.EXPIRED, Obstacle.NO_ROOM),
    ]
    # Nothing says that it can be sold tomorrow: it makes no room.
    assert [(order.symbol, order.side) for order in stuck.state.orders] == [(A, "sell")]


def test_an_issue_with_a_buy_and_a_sell_signal_is_not_bought() -> None:
    first = step(State.start(10_000_000), PLAIN, DAYS[0], {A: bar(10_000)}, [*buys(A), *sells(A)])
    assert first.state.orders == ()


def test_a_day_order_expires_with_its_reason() -> None:
    evening = step(State.start(10_000_000), PLAIN, DAYS[0], {A: bar(10_000)}, buys(A)).state
    locked = Bar(13_000, 13_000, 13_000, 13_000, 10_000, 1_000_000, Market.KOSPI)
    second = step(evening, PLAIN, DAYS[1], {A: locked}, ())
    [outcome] = second.outcomes
    assert (outcome.status, outcome.reason, outcome.shares_filled) == (Status.EXPIRED, Refusal.LIMIT_LOCKED, 0)
    assert second.state.orders == ()


def test_a_sale_that_was_not_filled_is_ordered_again_until_nothing_is_left() -> None:
    rules = Rules(max_holdings=2, stop_loss_pct=None, daily_loss_limit_pct=None, slippage_ticks=0)
    state = step(bought(rules).state, rules, DAYS[2], {A: bar(10_000)}, sells(A)).state  # 500 shares
    locked = Bar(7_000, 7_000, 7_000, 7_000, 10_000, 1_000_000, Market.KOSPI)
    halted = Bar(0, 0, 0, 7_000, 7_000, 0, Market.KOSPI, halted=True)
    thin = bar(7_000)._replace(volume=4_000)
    for day, session, left in ((DAYS[3], locked, 500), (DAYS[4], halted, 500), (DAYS[5], thin, 300)):
        done = step(state, rules, day, {A: session}, buys(A))
        state = done.state
        assert [(o.symbol, o.side, o.shares, o.placed, o.strategy) for o in state.orders] == [
            (A, "sell", left, day, "exit")
        ]
        assert [o.status for o in done.outcomes] == [Status.PARTLY if left == 300 else Status.EXPIRED]
    done = step(state, rules, DAYS[6], {A: bar(7_000)}, ())
    assert (done.closed[0].cause, done.closed[0].strategy, done.state.orders) == (Cause.SIGNAL, "exit", ())


def test_volume_and_cash_bound_a_fill() -> None:
    rules = Rules(max_holdings=1, stop_loss_pct=None, slippage_ticks=0, participation_pct=1)
    evening = step(State.start(10_000_000), rules, DAYS[0], {A: bar(10_000)}, buys(A)).state
    thin = step(evening, rules, DAYS[1], {A: bar(10_000)._replace(volume=5_000)}, ())
    assert [(o.status, o.reason, o.shares_filled) for o in thin.outcomes] == [(Status.PARTLY, Refusal.THIN, 50)]
    dear = step(evening, rules, DAYS[1], {A: bar(12_000)}, ())
    # 10,000,000 / (12,000 x 1.00015) = 833.2
    assert [(o.status, o.reason, o.shares_filled) for o in dear.outcomes] == [(Status.PARTLY, Obstacle.NO_CASH, 833)]


def test_a_share_dearer_than_its_part_of_the_equity_is_passed_over() -> None:
    bars = {A: bar(6_000_000), B: bar(10_000)}
    first = step(State.start(10_000_000), PLAIN, DAYS[0], bars, [*buys(A, strength=90), *buys(B)])
    assert [order.symbol for order in first.state.orders] == [B]
    assert [(o.order.symbol, o.status, o.reason) for o in first.outcomes] == [(A, Status.REFUSED, Obstacle.TOO_DEAR)]


def test_a_stop_is_taken_within_the_session_of_the_purchase() -> None:
    rules = Rules(max_holdings=2, stop_loss_pct=5, daily_loss_limit_pct=None, slippage_ticks=0)
    evening = step(State.start(10_000_000), rules, DAYS[0], {A: bar(10_000)}, buys(A)).state
    second = step(evening, rules, DAYS[1], {A: bar(10_000, low=9_400, close=9_800)}, ())
    assert [(e.side, e.price, e.cause) for e in second.executions] == [
        ("buy", 10_000, Cause.SIGNAL),
        ("sell", 9_500, Cause.STOP_LOSS),
    ]
    assert second.closed[0].cause is Cause.STOP_LOSS


def test_the_stop_comes_first_where_both_were_reached_and_a_gap_fills_at_the_open() -> None:
    rules = Rules(max_holdings=2, target_pct=10, daily_loss_limit_pct=None, slippage_ticks=0)
    held = bought(rules).state
    both = step(held, rules, DAYS[2], {A: bar(10_000, low=9_000, high=12_000)}, ())
    assert [(e.price, e.cause) for e in both.executions] == [(9_500, Cause.STOP_LOSS)]
    gap = step(held, rules, DAYS[2], {A: bar(9_000)._replace(base_price=10_000)}, ())
    assert [(e.price, e.cause) for e in gap.executions] == [(9_000, Cause.STOP_LOSS)]
    up = step(held, rules, DAYS[2], {A: bar(10_000, high=11_500)}, ())
    assert [(e.price, e.cause) for e in up.executions] == [(11_000, Cause.TARGET)]


def test_the_daily_loss_limit_keeps_the_evening_from_buying() -> None:
    rules = Rules(max_holdings=2, stop_loss_pct=None, slippage_ticks=0)
    held = bought(rules).state
    fallen = bar(10_000, close=9_300)
    lost = step(held, rules, DAYS[2], {A: fallen, B: bar(10_000)}, buys(B))
    assert lost.loss_limit_hit  # half the equity lost 7%
    assert lost.state.orders == ()
    assert [(o.status, o.reason) for o in lost.outcomes] == [(Status.REFUSED, Obstacle.LOSS_LIMIT)]
    just = Rules(max_holdings=2, stop_loss_pct=None, slippage_ticks=0, daily_loss_limit_pct=50)
    in_cash_and_shares = State(DAYS[1], 0, 10_000_000, 10_000_000, bought(just).state.positions)
    half = in_cash_and_shares._replace(equity_krw=500 * 10_000)
    assert step(half, just, DAYS[2], {A: bar(10_000, close=5_000)}, ()).loss_limit_hit  # exactly 50%
    less = step(held, rules, DAYS[2], {A: bar(10_000, close=9_500), B: bar(10_000)}, buys(B))
    assert not less.loss_limit_hit
    assert [order.symbol for order in less.state.orders] == [B]
    still_sold = step(held, rules, DAYS[2], {A: fallen}, sells(A))
    assert [order.side for order in still_sold.state.orders] == ["sell"]


def test_the_holding_period_ends_at_the_open() -> None:
    rules = Rules(max_holdings=2, stop_loss_pct=None, max_holding_sessions=2, slippage_ticks=0)
    state = bought(rules).state
    assert state.orders == ()
    state = step(state, rules, DAYS[2], {A: bar(10_000)}, ()).state
    assert [order.cause for order in state.orders] == [Cause.HOLDING_PERIOD]
    assert step(state, rules, DAYS[3], {A: bar(10_000)}, ()).closed[0].cause is Cause.HOLDING_PERIOD


def test_a_split_scales_position_stop_target_and_pays_out_the_rest() -> None:
    rules = Rules(max_holdings=2, target_pct=10, daily_loss_limit_pct=None, slippage_ticks=0)
    held = bought(rules).state  # 500 shares at 10,000
    # Not 1:5 to the share: the base was rounded, as in reality.
    split = step(held, rules, DAYS[2], {A: bar(2_005)}, (), {A: 0.2005})
    [position] = split.state.positions
    assert position.shares == 2_493  # 500 / 0.2005 = 2493.77
    assert (position.entry_price, position.stop, position.target) == pytest.approx((2_005, 1_904.75, 2_205.5))
    [paid] = split.paid_out
    assert paid.amount_krw == 1_535  # 5,000,000 less 2,493 x 2,005
    assert split.state.equity_krw == held.equity_krw
    assert split.executions == ()


def test_a_ratio_that_is_none_in_binary_loses_no_share() -> None:
    held = bought(Rules(max_holdings=2, stop_loss_pct=None, slippage_ticks=0)).state
    split = step(held, PLAIN, DAYS[2], {A: bar(700)}, (), {A: 0.07})
    assert split.state.positions[0].shares == 7_142
    tenth = step(held, PLAIN, DAYS[2], {A: bar(1_000)}, (), {A: 0.1})
    assert tenth.state.positions[0].shares == 5_000
    assert tenth.paid_out == ()


def test_orders_are_scaled_too() -> None:
    evening = step(State.start(10_000_000), PLAIN, DAYS[0], {A: bar(10_000), B: bar(5_000)}, buys(A, B)).state
    second = step(evening, PLAIN, DAYS[1], {A: bar(2_000), B: bar(5_000)}, (), {A: 0.2, B: 2_000.0})
    assert [(e.symbol, e.shares, e.price) for e in second.executions] == [(A, 2_500, 2_000)]
    assert [(o.order.symbol, o.reason) for o in second.outcomes if o.status is Status.EXPIRED] == [
        (B, Obstacle.TOO_DEAR)
    ]


def test_a_consolidation_below_one_share_pays_all_of_it_out() -> None:
    rules = Rules(max_holdings=1, stop_loss_pct=None, slippage_ticks=0)
    held = bought(rules, price=4_000_000).state  # two shares
    done = step(held, rules, DAYS[2], {A: bar(20_000_000)}, (), {A: 5.0})
    assert [(closed.cause, closed.gain_krw) for closed in done.closed] == [(Cause.PAID_OUT, -1_200)]
    assert done.state.positions == ()
    assert done.state.cash_krw == 10_000_000 - 1_200


def test_a_delisted_position_is_closed_at_its_last_close() -> None:
    held = bought(PLAIN).state
    done = step(held, PLAIN, DAYS[2], {}, (), delisted={A})
    [closed] = done.closed
    assert (closed.cause, closed.exit_price) == (Cause.DELISTED, 10_000)
    [sale] = done.executions
    assert (sale.fee_krw, sale.tax_krw) == (750, 9_000)
    assert step(held, PLAIN, DAYS[2], {A: bar(10_000)}, (), delisted={A}).closed == ()


def test_a_position_without_a_bar_keeps_its_close() -> None:
    held = bought(PLAIN).state
    assert step(held, PLAIN, DAYS[2], {}, ()).state.equity_krw == held.equity_krw


def test_sessions_go_forward() -> None:
    held = bought(PLAIN).state
    with pytest.raises(SessionOrderError, match="is at 2024-06-04: 2024-06-04 is not after it"):
        step(held, PLAIN, DAYS[1], {}, ())
    with pytest.raises(ValueError, match="the capital is positive, got 0 won"):
        State.start(0)
