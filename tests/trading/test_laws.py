"""Laws of a portfolio, over made-up markets and rules."""

from __future__ import annotations

import json
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from include.market.limits import limit_prices
from include.market.ticks import tick_size
from include.trading.costs import broker_fee, sales_tax
from include.trading.portfolio import Execution, Status, Step, step
from include.trading.rules import Rules
from include.trading.state import Cause, State
from tests.trading.markets import Day, made_up_days

CAPITAL = 3_000_000

rules_of_all_kinds = st.builds(
    Rules,
    max_holdings=st.integers(1, 6),
    stop_loss_pct=st.none() | st.floats(0.5, 40),
    target_pct=st.none() | st.floats(0.5, 40),
    max_holding_sessions=st.none() | st.integers(1, 8),
    daily_loss_limit_pct=st.none() | st.floats(0.5, 20),
    slippage_ticks=st.integers(0, 4),
    participation_pct=st.floats(0.1, 100),
    fee_pct=st.floats(0, 0.5),
)


def stepped(state: State, rules: Rules, day: Day) -> Step:
    return step(state, rules, day.session, day.bars, day.signals, day.ratios, day.delisted)


@settings(max_examples=150)
@given(rules=rules_of_all_kinds, seed=st.integers(0, 10_000))
def test_every_won_is_accounted_for_and_every_fill_is_possible(rules: Rules, seed: int) -> None:
    state = State.start(CAPITAL)
    for day in made_up_days(seed):
        done = stepped(state, rules, day)
        after = done.state
        spent = sum(e.amount_krw + e.fee_krw for e in done.executions if e.side == "buy")
        earned = sum(e.amount_krw - e.fee_krw - e.tax_krw for e in done.executions if e.side == "sell")
        assert after.cash_krw == state.cash_krw - spent + earned + sum(paid.amount_krw for paid in done.paid_out)
        assert after.cash_krw >= 0
        assert after.equity_krw == after.cash_krw + sum(held.shares * held.close for held in after.positions)
        assert after.peak_krw == max(state.peak_krw, after.equity_krw)
        assert len(after.positions) <= rules.max_holdings
        assert all(held.shares > 0 for held in after.positions)
        held_or_gone = [*after.positions, *(closed.position for closed in done.closed)]
        assert sum(p.received_krw - p.paid_krw for p in held_or_gone) - sum(
            p.received_krw - p.paid_krw for p in state.positions
        ) == (after.cash_krw - state.cash_krw)
        for execution in done.executions:
            _check_execution(execution, day, rules)
        _check_orders(done, state)
        state = after


def _check_execution(execution: Execution, day: Day, rules: Rules) -> None:
    amount = execution.shares * execution.price
    assert execution.amount_krw == amount
    assert execution.shares > 0
    assert execution.fee_krw == broker_fee(amount, rules.fee_pct)
    if execution.cause is Cause.DELISTED:
        assert execution.symbol not in day.bars
        return
    bar = day.bars[execution.symbol]
    taxed = execution.side == "sell"
    assert execution.tax_krw == (sales_tax(amount, bar.market, "STOCK", day.session) if taxed else 0)
    assert not bar.halted
    assert bar.volume > 0
    assert bar.low <= execution.price <= bar.high
    assert execution.price % tick_size(execution.price, bar.market, day.session) == 0
    assert execution.shares <= bar.volume * rules.participation_pct / 100
    limits = limit_prices(bar.base_price, bar.market, day.session)
    if bar.low == bar.high:
        assert bar.open != (limits.upper if execution.side == "buy" else limits.lower)


def _check_orders(done: Step, before: State) -> None:
    """Each order of the evening before has one outcome; each of tonight is the only one of its symbol."""
    placed = Counter((order.symbol, order.side) for order in before.orders)
    told = Counter(
        (outcome.order.symbol, outcome.order.side)
        for outcome in done.outcomes
        if outcome.status is not Status.REFUSED and outcome.order.placed == before.session
    )
    assert told == placed
    assert all(count == 1 for count in Counter(order.symbol for order in done.state.orders).values())
    for outcome in done.outcomes:
        assert (outcome.reason is None) == (outcome.status is Status.FILLED)
        assert outcome.shares_filled <= outcome.order.shares or outcome.status is Status.EXPIRED
        assert (outcome.shares_filled > 0) == (outcome.status in (Status.FILLED, Status.PARTLY))


@settings(max_examples=40)
@given(rules=rules_of_all_kinds, seed=st.integers(0, 10_000))
def test_the_same_again_is_the_same_and_a_state_survives_json(rules: Rules, seed: int) -> None:
    kept = carried = State.start(CAPITAL)
    for day in made_up_days(seed):
        reversed_signals = Day(day.session, day.bars, day.signals[::-1], day.ratios, day.delisted)
        done = stepped(kept, rules, day)
        assert stepped(kept, rules, reversed_signals) == done
        carried = stepped(State.from_dict(json.loads(json.dumps(carried.to_dict()))), rules, day).state
        kept = done.state
        assert carried == kept


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000))
def test_nothing_is_sold_below_its_stop_but_at_an_open_or_by_slippage(seed: int) -> None:
    rules = Rules(max_holdings=4, slippage_ticks=0)
    state = State.start(CAPITAL)
    for day in made_up_days(seed):
        done = stepped(state, rules, day)
        entries = {held.symbol: held for held in state.positions}
        for execution in done.executions:
            if execution.cause is Cause.STOP_LOSS and execution.symbol in entries:
                bar = day.bars[execution.symbol]
                stop = (entries[execution.symbol].stop or 0) * day.ratios.get(execution.symbol, 1)
                tick = tick_size(execution.price, bar.market, day.session)
                assert execution.price > min(stop, bar.open) - tick
                assert execution.price <= max(bar.open, stop)
        state = done.state


@settings(max_examples=40)
@given(rules=rules_of_all_kinds, seed=st.integers(0, 10_000))
def test_nothing_is_sold_below_its_target(rules: Rules, seed: int) -> None:
    state = State.start(CAPITAL)
    for day in made_up_days(seed):
        done = stepped(state, rules, day)
        targets = {held.symbol: (held.target or 0) * day.ratios.get(held.symbol, 1) for held in state.positions}
        for execution in done.executions:
            if execution.cause is Cause.TARGET and execution.symbol in targets:
                assert execution.price >= targets[execution.symbol]
        state = done.state


@settings(max_examples=40)
@given(rules=rules_of_all_kinds, seed=st.integers(0, 10_000))
def test_what_was_to_be_sold_is_sold_or_ordered_to_be(rules: Rules, seed: int) -> None:
    state = State.start(CAPITAL)
    for day in made_up_days(seed):
        after = stepped(state, rules, day).state
        wanted = {order.symbol for order in state.orders if order.side == "sell"}
        ordered = {order.symbol: order.shares for order in after.orders if order.side == "sell"}
        for held in after.positions:
            if held.symbol in wanted:
                assert ordered[held.symbol] == held.shares
        state = after


def test_the_made_up_markets_hold_what_the_laws_are_about() -> None:
    causes: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for seed in range(30):
        state = State.start(CAPITAL)
        for day in made_up_days(seed):
            done = stepped(state, Rules(max_holdings=4, target_pct=8, max_holding_sessions=6), day)
            causes.update(execution.cause for execution in done.executions)
            causes.update("paid_out" for _ in done.paid_out)
            reasons.update(outcome.reason for outcome in done.outcomes if outcome.reason)
            state = done.state
    assert {"signal", "stop_loss", "target", "holding_period", "delisted", "paid_out"} <= set(causes)
    expected = {"no_bar", "halted", "not_traded", "limit_locked", "opened_at_limit", "thin", "no_cash", "no_room"}
    assert expected | {"loss_limit"} <= set(reasons)
