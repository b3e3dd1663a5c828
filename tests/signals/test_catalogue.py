"""What holds for every strategy."""

from __future__ import annotations

import re

import numpy as np
import pytest

from include.indicators.panel import Panel
from include.signals.catalogue import CATALOGUE, UnknownStrategyError, strategy_named
from include.signals.check import check_memory, check_no_look_ahead, check_on_signals
from include.signals.evaluate import evaluate
from include.signals.history import History
from include.signals.page import PAGE, with_tables
from include.signals.strategy import Strategy
from tests.indicators.markets import market
from tests.signals.histories import last_rows, of_panel, simulated

ASKED_FOR = """ma20_breakout ma20_breakdown ma50_breakout ma50_breakdown ma200_breakout ma200_breakdown
    golden_cross_5_20 dead_cross_5_20 golden_cross_20_60 dead_cross_20_60 golden_cross_50_200 dead_cross_50_200
    rsi_oversold rsi_overbought rsi_divergence_bullish rsi_divergence_bearish
    bollinger_squeeze_up bollinger_squeeze_down bollinger_breakout bollinger_breakdown
    bollinger_reversal_up bollinger_reversal_down macd_cross_up macd_cross_down macd_zero_up macd_zero_down
    stochastic_cross_up stochastic_cross_down ichimoku_cloud_breakout ichimoku_cloud_breakdown
    ichimoku_tk_cross_up ichimoku_tk_cross_down adx_trend_up adx_trend_down mfi_oversold mfi_overbought
    cci_oversold cci_overbought volume_surge_up volume_surge_down high_52_weeks_breakout low_52_weeks_breakdown
    gap_up gap_down triple_confirmation_buy triple_confirmation_sell foreign_accumulation institution_accumulation
    momentum_breakout oversold_rebound stable_trend desk_buy desk_sell"""

strategies = pytest.mark.parametrize("strategy", CATALOGUE, ids=lambda strategy: strategy.name)


def test_everything_asked_for_is_declared_once() -> None:
    assert sorted(strategy.name for strategy in CATALOGUE) == sorted(ASKED_FOR.split())


def test_a_strategy_is_found_by_its_name() -> None:
    assert strategy_named("desk_buy").stop_loss_pct == 5
    with pytest.raises(UnknownStrategyError, match="no strategy is called 'deskbuy'; did you mean desk_buy"):
        strategy_named("deskbuy")


@strategies
def test_every_strategy_gives_signals_with_a_strength_and_a_reason(strategy: Strategy) -> None:
    history = simulated()
    [hits] = evaluate(history, [strategy])
    assert 3 <= len(hits.rows) < len(history) / 4
    assert (np.diff(hits.rows) > 0).all()
    assert 0 <= hits.strengths.min() < hits.strengths.max() <= 100
    for reason in strategy.reasons(history, hits.rows[:20]):
        assert re.search(r"\d", reason)
        assert not re.search(r"nan|inf|[{}]", reason), reason


@strategies
def test_no_strategy_looks_ahead(strategy: Strategy) -> None:
    check_no_look_ahead(strategy, simulated())


@strategies
def test_no_strategy_looks_further_back_than_its_memory(strategy: Strategy) -> None:
    check_memory(strategy, simulated())


@strategies
def test_a_strategy_counts_as_checked_once_a_signal_has_sessions_around_it(strategy: Strategy) -> None:
    history = simulated()
    assert check_on_signals(strategy, history)
    assert not check_on_signals(strategy, history.only(last_rows(history, 15)))
    assert not check_on_signals(strategy, History.without_rows())


@strategies
def test_the_last_sessions_have_the_signals_of_the_whole_history(strategy: Strategy) -> None:
    history = simulated()
    [whole] = evaluate(history, [strategy])
    wanted, kept = last_rows(history, 30), last_rows(history, 30 + strategy.memory)
    [part] = evaluate(history.only(kept), [strategy])
    rows = np.flatnonzero(kept)[part.rows]
    np.testing.assert_array_equal(rows[wanted[rows]], whole.rows[wanted[whole.rows]])
    np.testing.assert_array_equal(part.strengths[wanted[rows]], whole.strengths[wanted[whole.rows]])


def _scaled(panel: Panel, factor: float) -> Panel:
    """``panel`` as a split leaves it: prices times ``factor``, and shares divided by it."""
    values = {name: getattr(panel, name) * factor for name in ("high", "low", "close")}
    rest = {name: getattr(panel, name) for name in ("index_close", "foreign_net_krw", "institution_net_krw")}
    return Panel(
        panel.symbols, panel.offsets, panel.sessions, **values, **rest, volume=panel.volume / factor,
        foreign_pct=panel.foreign_pct, first_obv=panel.first_obv,
    )  # fmt: skip


# Where the highs rise by as much as the lows fall, TA-Lib lets the rounding of a product decide which way it went.
DECIDED_BY_ROUNDING = {"adx_14", "plus_di_14", "minus_di_14"}


@pytest.mark.parametrize("factor", [0.25, 0.02, 0.200717])
def test_a_change_of_scale_changes_no_signal(factor: float) -> None:
    exact = factor == 0.25
    catalogue = [each for each in CATALOGUE if exact or DECIDED_BY_ROUNDING.isdisjoint(each.columns)]
    panel = market(17, (400,) * 20, halts=True, still=0.05)
    before, after = of_panel(panel), of_panel(_scaled(panel, factor))
    for one, other in zip(evaluate(before, catalogue), evaluate(after, catalogue), strict=True):
        np.testing.assert_array_equal(one.rows, other.rows, err_msg=one.strategy.name)
        np.testing.assert_allclose(one.strengths, other.strengths, atol=1e-5, err_msg=one.strategy.name)


def test_a_symbol_that_does_not_move_has_no_signals() -> None:
    still = market(1, (300,), still=0.0)
    price = np.full(300, 3_131.313)
    panel = Panel(
        still.symbols, still.offsets, still.sessions, high=price, low=price, close=price, volume=np.full(300, 100.0),
        index_close=still.index_close, foreign_net_krw=np.zeros(300), institution_net_krw=np.zeros(300),
        foreign_pct=still.foreign_pct, first_obv=still.first_obv,
    )  # fmt: skip
    assert [hits.strategy.name for hits in evaluate(of_panel(panel), CATALOGUE) if len(hits.rows)] == []


def test_evaluation_in_blocks_is_evaluation_of_each_symbol() -> None:
    history = simulated()
    whole = evaluate(history, CATALOGUE)
    for first, block in history.blocks(1):
        for hits, of_block in zip(whole, evaluate(block, CATALOGUE), strict=True):
            mine = (hits.rows >= first) & (hits.rows < first + len(block))
            np.testing.assert_array_equal(hits.rows[mine], first + of_block.rows)
            np.testing.assert_array_equal(hits.strengths[mine], of_block.strengths)


def test_a_history_without_rows_has_no_signals() -> None:
    assert all(not len(hits.rows) for hits in evaluate(History.without_rows(), CATALOGUE))


def test_declarations_are_complete() -> None:
    for strategy in CATALOGUE:
        assert strategy.of_flows == (strategy.family == "flows"), strategy.name
        for scale in strategy.strength:
            assert scale.words
        # Every column a condition names to people is one it looks at.
        named = set(re.findall(r"`(\w+)`", strategy.words))
        assert named <= strategy.columns, strategy.name


def test_the_page_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_tables(page) == page, "run: python -m include.signals.page"
    for strategy in CATALOGUE:
        assert f"| `{strategy.name}` |" in page
