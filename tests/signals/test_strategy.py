"""Declarations that cannot be are refused when they are made, with the reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from include.signals.check import check_memory, check_no_look_ahead
from include.signals.evaluate import evaluate
from include.signals.history import History, LookAheadError, UnknownColumnError
from include.signals.strategies import averages, bands, combined, flows, levels, oscillators, trends
from include.signals.strategy import Scale, Strategy, StrategyError, View, priority_of
from tests.signals.histories import of_values, simulated


def declared(**changes: Any) -> Strategy:
    fields: dict[str, Any] = {
        "name": "trial",
        "version": 1,
        "title": "Trial",
        "family": "trials",
        "side": "buy",
        "memory": 1,
        "condition": lambda history: history.crosses_below("rsi_14", 30),
        "words": "`rsi_14` crosses below 30",
        "strength": (Scale("rsi_14", 40, 20, "`rsi_14`"),),
        "reason": "RSI {rsi_14:.1f} fell by {fall:.1f}",
        "source": "A test",
        "figures": {"fall": lambda at: at.before("rsi_14", 1) - at["rsi_14"]},
    }
    return Strategy(**fields | changes)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": ""}, "it has no name"),
        ({"name": "RSI low"}, "lower-case letters, digits and underscores"),
        ({"words": " "}, "it has no words"),
        ({"side": "hold"}, "side is 'hold', expected 'buy' or 'sell'"),
        ({"version": 0}, "version is 0, expected a whole number from 1 on"),
        ({"memory": -1}, "memory is -1, expected a whole number from 0 on"),
        ({"memory": 1.5}, "memory is 1.5, expected a whole number from 0 on"),
        ({"memory": 0}, "memory is 0 sessions, and it looks 1 back"),
        ({"condition": lambda history: history.lowest("close", 20) > 1}, "memory is 1 sessions, and it looks 20 back"),
        ({"condition": lambda history: history["rsi_14"]}, "does not give true or false for each row"),
        ({"condition": lambda history: True}, "does not give true or false for each row"),
        ({"strength": ()}, "nothing says how strong a signal is"),
        ({"strength": (Scale("rsi_14", 30, 30, "`rsi_14`"),)}, "goes from 30 to 30"),
        ({"strength": (Scale("rsi_14", 30, float("nan"), "`rsi_14`"),)}, "goes from 30 to nan"),
        (
            {"figures": {"fall": lambda at: at["rsi_14"], "close": lambda at: at["open"]}},
            "called as columns are: close",
        ),
        ({"stop_loss_pct": 0}, "stop_loss_pct is 0, expected more than 0"),
        ({"stop_loss_pct": 100}, "stop_loss_pct is 100, expected more than 0 and less than 100"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(StrategyError, match=told):
        declared(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"condition": lambda history: history.above("rsi14", 30)},
        {"condition": lambda history: history.before("rsi14", 1) > 30},
        {"strength": (Scale("rsi14", 40, 20, "`rsi_14`"),)},
        {"reason": "RSI {rsi14}"},
        {"figures": {"fall": lambda at: at["rsi14"]}},
    ],
)
def test_an_unknown_column_is_refused_wherever_it_is_named(changes: dict[str, Any]) -> None:
    with pytest.raises(UnknownColumnError, match="strategy 'trial': there is no column 'rsi14'; did you mean rsi_14"):
        declared(**changes)


@pytest.mark.parametrize("sessions", [-1, 0, 0.5])
def test_an_offset_into_the_future_is_refused(sessions: int) -> None:
    with pytest.raises(LookAheadError, match=f"strategy 'trial': {sessions} sessions before of 'close'"):
        declared(condition=lambda history: history.before("close", sessions) > history["close"])
    with pytest.raises(LookAheadError, match="strategy 'trial': "):
        declared(figures={"fall": lambda at: at.before("close", sessions)})


def rsi_oversold(threshold: float) -> Strategy:
    return oscillators.extreme("rsi", "rsi_14", "RSI", threshold, ends=(40, 20), span=(0, 100), source="A test")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: combined.desk_rule("buy", rsi=130), "rsi is 130, expected 0 to 100"),
        (lambda: rsi_oversold(-1), "threshold of rsi_14 is -1, expected 0 to 100"),
        (lambda: oscillators.rsi_divergence("buy", sessions=-5), "sessions is -5, expected a whole number from 6 on"),
        (lambda: oscillators.rsi_divergence("buy", recent=0), "recent is 0, expected a whole number from 1 on"),
        (lambda: oscillators.stochastic_cross("buy", extreme_pct=51), "extreme_pct is 51, expected 0 to 50"),
        (lambda: averages.average_breakout(20, "buy", pct=-2), "pct is -2, expected 0 to 50"),
        (lambda: averages.average_breakout(-20, "buy"), "sessions is -20, expected a whole number from 1 on"),
        (lambda: averages.average_cross(20, 5, "buy", strongest_pct=9), "slow is 5, expected a whole number from 21"),
        (lambda: bands.squeeze("buy", sessions=0), "sessions is 0, expected a whole number from 1 on"),
        (lambda: trends.adx_trend("buy", threshold=101), "threshold of adx_14 is 101, expected 0 to 100"),
        (lambda: levels.volume_surge("buy", times=float("nan")), "times is nan, expected 1 to 1000"),
        (lambda: levels.gap("sell", pct=31), "pct is 31, expected 0 to 30"),
        (lambda: flows.accumulation("foreign", pct=101), "pct is 101, expected 0 to 100"),
        (lambda: combined.momentum_breakout(sessions=-20), "sessions is -20, expected a whole number from 1 on"),
    ],
)  # fmt: skip
def test_a_parameter_out_of_range_is_refused(make: Any, told: str) -> None:
    with pytest.raises(StrategyError, match=told):
        make()


def test_an_average_that_is_no_column_is_refused() -> None:
    with pytest.raises(UnknownColumnError, match="there is no column 'sma_7'; did you mean sma_"):
        averages.average_breakout(7, "buy")


def peeks(history: History) -> Any:
    """Tomorrow's close, by the back door."""
    return np.append(history["close"][1:], np.inf) > 1.01 * history["close"]


def knows_the_best(history: History) -> Any:
    """The highest close of all history."""
    return history["close"] >= history["close"].max(initial=0)


def knows_how_it_ends(history: History) -> Any:
    """Nothing but whether there is a session after."""
    rows = np.arange(len(history))
    return ~np.isin(rows + 1, history.offsets[1:]) & history.above("rsi_14", 50)


@pytest.mark.parametrize("condition", [peeks, knows_the_best, knows_how_it_ends])
def test_a_strategy_that_looks_ahead_is_caught(condition: Any) -> None:
    strategy = declared(condition=condition, strength=(Scale("close", 0, 1e6, "`close`"),))
    with pytest.raises(LookAheadError, match="strategy 'trial' looks ahead: its signals up to 20"):
        check_no_look_ahead(strategy, simulated())


def test_a_strength_that_looks_ahead_is_caught() -> None:
    strategy = declared(
        condition=lambda history: history.above("close", 0),
        strength=(Scale("ahead", 0, 1, "the mean close"),),
        figures={"ahead": lambda at: at["close"] / at["close"].max(initial=1), "fall": lambda at: at["close"]},
    )
    with pytest.raises(LookAheadError, match="strategy 'trial' looks ahead"):
        check_no_look_ahead(strategy, simulated())


def breakout(history: History) -> Any:
    """The first session above the 20 before: whether it is the first depends on the one before those, too."""
    return history.began(history.above("close", history.highest("high", 20)))


def deep_dip(history: History) -> Any:
    """The close of ten sessions before was the lowest of the ten before that."""
    return history.before(history.below("close", history.lowest("low", 10)), 10)


def far_strength(view: View) -> Any:
    return np.nan_to_num(view.history.before(view.history.before("close", 1), 1)[view.rows], nan=1.0)


@pytest.mark.parametrize(
    ("changes", "memory"),
    [
        ({"condition": breakout}, 21),
        ({"condition": deep_dip}, 20),
        ({"condition": lambda history: history.above("rsi_14", 60), "figures": {"far": far_strength}}, 2),
    ],
)
def test_looks_back_of_looks_back_add_up(changes: dict[str, Any], memory: int) -> None:
    figures = changes.get("figures", {"far": lambda at: at["close"]})
    scale = (Scale("far", 0, 1e6, "`close`"),)
    enough, short = (
        declared(**changes | {"memory": sessions, "figures": figures, "strength": scale, "reason": "{close}"})
        for sessions in (memory, memory - 1)
    )
    check_memory(enough, simulated())
    with pytest.raises(StrategyError, match=f"'trial' looks further back than its memory of {memory - 1} sessions"):
        check_memory(short, simulated())


def test_signals_without_sessions_before_them_that_have_no_strength_can_be_left_out() -> None:
    strategy = declared(condition=lambda history: history.above("close", 0), memory=1)
    history = of_values(close=[1, 2, 3], rsi_14=[30, 31, 32])
    [hits] = evaluate(history, [strategy], history.rows_before() >= 1)
    assert hits.rows.tolist() == [1, 2]


def test_a_signal_without_a_strength_is_an_error_that_names_it() -> None:
    strategy = declared(condition=lambda history: history.above("close", 0), memory=1)
    with pytest.raises(StrategyError, match="strategy 'trial': the condition holds for 005930 on 2024-01-01"):
        evaluate(of_values(close=[1, 2]), [strategy])


def test_reasons_have_the_numbers_in_them() -> None:
    history = of_values(rsi_14=[35, 28.04, 40, 25])
    [hits] = evaluate(history, [declared()])
    assert hits.rows.tolist() == [1, 3]
    assert hits.strengths.tolist() == pytest.approx([59.8, 75])
    assert declared().reasons(history, hits.rows) == ["RSI 28.0 fell by 7.0", "RSI 25.0 fell by 15.0"]


def test_strength_grows_with_what_it_measures_from_0_to_100() -> None:
    values = np.linspace(-10, 110, 241)
    rising, falling = Scale("rsi_14", 60, 80, "`rsi_14`").of(values), Scale("rsi_14", 40, 20, "`rsi_14`").of(values)
    assert (np.diff(rising) >= 0).all()
    assert (np.diff(falling) <= 0).all()
    for strengths in (rising, falling):
        assert strengths.min() == 0
        assert strengths.max() == 100


def test_priority() -> None:
    assert [priority_of(strength) for strength in (0, 69.99, 70, 100)] == ["medium", "medium", "high", "high"]
