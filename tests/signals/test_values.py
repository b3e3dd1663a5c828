"""Signals checked by hand on a few sessions."""

from __future__ import annotations

import numpy as np
import pytest

from include.signals.catalogue import strategy_named
from include.signals.evaluate import evaluate
from include.signals.history import History
from tests.indicators.markets import plain
from tests.signals.histories import of_panel, of_values

NAN = float("nan")


def signals(history: History, name: str) -> list[tuple[int, float, str]]:
    """Rows, strengths and reasons of one strategy."""
    strategy = strategy_named(name)
    [hits] = evaluate(history, [strategy])
    reasons = strategy.reasons(history, hits.rows)
    return [
        (int(row), round(float(strength), 1), reason)
        for row, strength, reason in zip(hits.rows, hits.strengths, reasons, strict=True)
    ]


def test_breakout_of_an_average() -> None:
    # 102 is exactly 2% above 100, which is not more than 2%. The third session is, the fourth still is.
    history = of_values(close=[100, 102, 104, 105, 101, 103], sma_20=[100] * 6)
    assert signals(history, "ma20_breakout") == [
        (2, 50.0, "close 104 is 4.0% above its 20-session average 100"),
        (5, 37.5, "close 103 is 3.0% above its 20-session average 100"),
    ]
    falls = of_values(close=[100, 98, 96, 92], sma_200=[100] * 4)
    assert signals(falls, "ma200_breakdown") == [(2, 50.0, "close 96 is 4.0% below its 200-session average 100")]


def test_golden_and_dead_cross_of_averages_computed_of_closes() -> None:
    # 20 sessions at 100, then 110: the mean of 5 is 102, that of 20 is 100.5. Back at 50 the mean of 5 is
    # (110 + 4 x 50) / 5 = 62 four sessions on, but already (3 x 100 + 110 + 50) / 5 = 92 on the next.
    history = of_panel(plain(np.array([100.0] * 20 + [110.0] + [50.0] * 4)))
    assert signals(history, "golden_cross_5_20") == [
        (20, 94.5, "the 5-session average 102 crossed above the 20-session 100; close 110, +9.5% from it")
    ]
    assert signals(history, "dead_cross_5_20") == [
        (21, 100.0, "the 5-session average 92 crossed below the 20-session 98; close 50, -49.0% from it")
    ]


def test_an_oscillator_beyond_its_threshold_is_a_signal_once() -> None:
    history = of_values(rsi_14=[NAN, 29, 31, 30, 26, 20, 50, 69, 74])
    assert signals(history, "rsi_oversold") == [(4, 70.0, "RSI 26.0 fell below 30; close 100")]
    assert signals(history, "rsi_overbought") == [(8, 70.0, "RSI 74.0 rose above 70; close 100")]
    assert signals(of_values(mfi_14=[50, 5]), "mfi_oversold") == [(1, 100.0, "MFI 5.0 fell below 20; close 100")]
    assert signals(of_values(cci_20=[90, 200]), "cci_overbought") == [(1, 80.0, "CCI 200.0 rose above 100; close 100")]


def test_the_desk_rule_is_a_state() -> None:
    history = of_values(rsi_14=[29, 26, 20, 30, 71], sma_20=[101, 101, 99, 101, 101], sma_50=[100] * 5)
    assert signals(history, "desk_buy") == [
        (0, 55.0, "RSI 29.0 is below 30, MA20 101 above MA50 100; close 100"),
        (1, 70.0, "RSI 26.0 is below 30, MA20 101 above MA50 100; close 100"),
    ]
    assert signals(history, "desk_sell") == [(4, 55.0, "RSI 71.0 is above 70; close 100")]


def test_divergence() -> None:
    # RSI's low of 25 is 10 sessions before the close falls below all closes of 25 sessions, at an RSI of 37.
    close = [100.0] * 20 + [90.0] + [95.0] * 9 + [89.0, 88.0]
    rsi = [50.0] * 20 + [25.0] + [40.0] * 9 + [37.0, 36.0]
    [(row, strength, reason)] = signals(of_values(close=close, rsi_14=rsi), "rsi_divergence_bullish")
    assert (row, strength) == (30, 60.0)
    assert reason == "close 89 is the lowest in 26 sessions, RSI 37.0 stays 12.0 from its lowest, 25.0"
    # The same upside down.
    upside = of_values(close=[200 - value for value in close], rsi_14=[100 - value for value in rsi])
    assert [found[:2] for found in signals(upside, "rsi_divergence_bearish")] == [(30, 60.0)]
    # RSI's low must not be one of the last five sessions.
    near = [50.0] * 26 + [25.0] + [40.0] * 3 + [37.0, 36.0]
    assert signals(of_values(close=close, rsi_14=near), "rsi_divergence_bullish") == []


def test_bands() -> None:
    history = of_values(
        close=[100, 111, 112, 105],
        bollinger_upper=[110] * 4,
        bollinger_lower=[90] * 4,
        bollinger_percent_b=[0.5, 1.05, 1.1, 0.75],
    )
    assert signals(history, "bollinger_breakout") == [(1, 37.5, "close 111 crossed above the upper band 110, %b 1.05")]
    assert signals(history, "bollinger_reversal_down") == [
        (3, 66.7, "close 105 is back within the upper band 110: %b 0.75 after 1.10")
    ]


def test_squeeze_needs_the_narrowest_bands_of_half_a_year_and_volume() -> None:
    width, close, volume = np.full(130, 0.2), np.full(130, 100.0), np.full(130, 1.0)
    width[120:129], close[129], volume[129] = 0.1, 106.0, 4.0
    place = np.where(close > 105, 1.05, 0.5)
    columns = {"close": close, "volume_ratio_20": volume, "bollinger_percent_b": place}
    columns["bollinger_upper"] = np.full(130, 105.0)
    [(row, strength, reason)] = signals(of_values(bollinger_width=width, **columns), "bollinger_squeeze_up")
    assert (row, strength) == (129, 100.0)
    assert "after a width of 10.0%, near the lowest of 125 sessions, on 4.0 times the volume" in reason
    width[10], width[120:129] = 0.09, 0.12
    assert signals(of_values(bollinger_width=width, **columns), "bollinger_squeeze_up") == []
    volume[129] = 1.0
    width[10] = 0.2
    assert signals(of_values(bollinger_width=width, **columns), "bollinger_squeeze_up") == []


def test_macd_stochastic_and_directional_movement() -> None:
    macd = {
        "macd": [-2, -1, 1],
        "macd_signal": [-1.5, -1.5, -0.5],
        "macd_histogram": [-0.5, 0.5, 1.5],
        "atr_14": [5] * 3,
    }
    [(row, strength, reason)] = signals(of_values(**macd), "macd_cross_up")
    assert (row, strength) == (1, 50.0)
    assert reason == "MACD -1.0 crossed above its signal -1.5, by 0.10 of the average true range"
    assert signals(of_values(**macd), "macd_zero_up")[0][:2] == (2, 60.0)
    stochastic = of_values(stochastic_k=[10, 22, 18, 30], stochastic_d=[15, 17.5, 19, 22])
    assert [found[:2] for found in signals(stochastic, "stochastic_cross_up")] == [(1, 50.0)]
    trend = of_values(adx_14=[24, 26, 27], plus_di_14=[30] * 3, minus_di_14=[9] * 3)
    assert signals(trend, "adx_trend_up") == [(1, 70.0, "ADX 26.0 rose above 25 with +DI 30.0 over -DI 9.0")]
    assert signals(trend, "adx_trend_down") == []


def test_ichimoku() -> None:
    history = of_values(
        close=[104, 106, 99, 90],
        ichimoku_senkou_a=[105] * 4,
        ichimoku_senkou_b=[100] * 4,
        ichimoku_tenkan=[102, 101, 100, 99],
        ichimoku_kijun=[101, 101, 101, 101],
    )
    assert signals(history, "ichimoku_cloud_breakout") == [
        (1, 19.0, "close 106 is 1.0% above the cloud's upper edge 105")
    ]
    assert [found[:2] for found in signals(history, "ichimoku_cloud_breakdown")] == [(2, 20.0)]
    # (99 / 102.5 - 1) is -3.4%: on the way from +10% (0) to -10% (100).
    assert [found[:2] for found in signals(history, "ichimoku_tk_cross_down")] == [(2, 67.1)]


def test_a_new_high_is_above_the_high_before_its_own_session() -> None:
    # The session's own high is part of high_52_weeks: compared to that no close could ever be above it.
    history = of_values(close=[100, 103, 104, 101, 107], high_52_weeks=[102, 104, 105, 105, 108])
    assert signals(history, "high_52_weeks_breakout") == [
        (4, 38.1, "close 107 is 1.9% above the 52-week high so far, 105")
    ]


def test_volume_surge_and_gap() -> None:
    history = of_values(
        open=[100, 104, 100],
        high=[102, 108, 106],
        low=[98, 103, 99],
        close=[100, 106, 100],
        volume_ratio_20=[1, 4.5, 4.5],
    )
    assert signals(history, "volume_surge_up") == [(1, 50.0, "close 106, +6.0%, on 4.5 times the usual volume")]
    [(row, strength, _)] = signals(history, "volume_surge_down")
    assert (row, strength) == (2, pytest.approx(48.6, abs=0.05))
    assert signals(history, "gap_up") == [
        (1, 50.0, "opened at 104, 4.0% above the close before; the low 103 left a gap to the high before, 102")
    ]
    assert signals(history, "gap_down") == []


def test_accumulation_is_measured_against_the_turnover() -> None:
    # 20 sessions' turnover: 20 x 1,000 won x 1,000 shares = 20 million won.
    history = of_values(
        sma_20=[1_000] * 4,
        volume=[2_000] * 4,
        volume_ratio_20=[2] * 4,
        foreign_net_krw_20=[0.5e6, 1.5e6, 1.8e6, 1.8e6],
        foreign_net_krw_5=[1, -1, 1, 1],
    )
    assert signals(history, "foreign_accumulation") == [
        (2, 60.0, "foreigners bought 2 million won net in 20 sessions, 9.0% of the turnover; close 100")
    ]
    assert signals(history, "institution_accumulation") == []


def test_rules_that_need_agreement() -> None:
    agree = {"close": [100, 110, 111], "sma_20": [105] * 3, "sma_60": [100] * 3, "volume_ratio_20": [2] * 3}
    [(row, strength, _)] = signals(of_values(rsi_14=[57.5] * 3, **agree), "triple_confirmation_buy")
    assert (row, strength) == (1, 50.0)
    assert signals(of_values(rsi_14=[75] * 3, **agree), "triple_confirmation_buy") == []
    rebound = of_values(close=[100, 90, 94], open=[100, 95, 91], rsi_14=[40, 25, 35], volume_ratio_20=[1, 1, 2])
    [(row, strength, reason)] = signals(rebound, "oversold_rebound")
    assert (row, strength) == (2, 52.8)
    assert reason == "close 94, +4.4%, after RSI 25.0; 2.0 times the usual volume"
    calm = {"sma_20": [99] * 2, "sma_60": [98] * 2, "sma_120": [97] * 2, "adx_14": [19, 25]}
    assert [found[:2] for found in signals(of_values(realised_volatility_20=[0.25] * 2, **calm), "stable_trend")] == [
        (1, 50.0)
    ]
    rise = np.array([100.0] * 21 + [115.0])
    breakout = of_values(close=rise, high=rise, roc_10=[0.0] * 21 + [15.0], volume_ratio_20=[1.0] * 21 + [3.0])
    assert [found[:2] for found in signals(breakout, "momentum_breakout")] == [(21, 50.0)]
