"""Values equal TA-Lib's own, and figures worked by hand or published."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from include.indicators import kernels
from include.indicators.compute import Reason, compute
from include.indicators.panel import Panel
from include.indicators.sessions import TradedSessions
from tests.indicators.markets import Floats, market, plain
from tests.indicators.results import values


def talibs_own(panel: Panel) -> dict[str, Floats]:
    """What TA-Lib returns for the columns it has a function of."""
    high, low, close, volume = panel.high, panel.low, panel.close, panel.volume
    own = {f"sma_{sessions}": talib.SMA(close, sessions) for sessions in (5, 20, 50, 60, 120, 200)}
    own |= {f"ema_{sessions}": talib.EMA(close, sessions) for sessions in (12, 26)}
    own |= dict(zip(("macd", "macd_signal", "macd_histogram"), talib.MACD(close, 12, 26, 9), strict=True))
    stochastic = talib.STOCH(high, low, close, 14, 3, talib.MA_Type.SMA, 3, talib.MA_Type.SMA)
    own |= dict(zip(("stochastic_k", "stochastic_d"), stochastic, strict=True))
    bands = ("bollinger_upper", "bollinger_middle", "bollinger_lower")
    own |= dict(zip(bands, talib.BBANDS(close, 20, 2, 2), strict=True))
    own |= {"adx_14": talib.ADX(high, low, close, 14), "plus_di_14": talib.PLUS_DI(high, low, close, 14)}
    own |= {"minus_di_14": talib.MINUS_DI(high, low, close, 14), "mfi_14": talib.MFI(high, low, close, volume, 14)}
    own |= {"rsi_14": talib.RSI(close, 14), "cci_20": talib.CCI(high, low, close, 20)}
    own |= {"atr_14": talib.ATR(high, low, close, 14), "obv": talib.OBV(close, volume), "roc_10": talib.ROC(close, 10)}
    own |= {"williams_r_14": talib.WILLR(high, low, close, 14), "beta_60": talib.BETA(panel.index_close, close, 60)}
    own |= {"high_52_weeks": talib.MAX(high, 250), "low_52_weeks": talib.MIN(low, 250)}
    returns = np.log(close[1:] / close[:-1])
    annual = talib.STDDEV(returns, 20) * np.sqrt(20 / 19 * kernels.SESSIONS_PER_YEAR)
    return own | {"realised_volatility_20": np.concatenate(((np.nan,), annual))}


@given(st.integers(0, 2**32))
@settings(max_examples=25)
def test_values_are_talibs_own_where_every_session_trades_and_no_window_is_flat(seed: int) -> None:
    panel = market(seed, (500,))
    found = compute(panel)
    for name, own in talibs_own(panel).items():
        results = values(found, name)
        both = ~np.isnan(results) & ~np.isnan(own)
        # Where there is nothing flat, no value of TA-Lib's is missing; %K has two more.
        flat = np.count_nonzero(found.reasons(name) == Reason.FLAT)
        assert both.sum() >= (~np.isnan(own)).sum() - flat
        scale = 1.0 if name in ("beta_60", "realised_volatility_20") else np.abs(own[both]).max(initial=1)
        np.testing.assert_allclose(results[both], own[both], rtol=1e-9, atol=1e-9 * scale, err_msg=name)


def test_rsi_is_the_published_one() -> None:
    # The worked example of StockCharts' ChartSchool, "Relative Strength Index": closes of the fund QQQQ from 2009-12-14
    # to 2010-02-01. Its page prints them in cents and the index to two decimals; its worksheet has these digits.
    closes = """44.3389 44.0902 44.1497 43.6124 44.3278 44.8264 45.0955 45.4245 45.8433 46.0826 45.8931 46.0328 45.6140
        46.2820 46.2820 46.0028 46.0328 46.4116 46.2222 45.6439 46.2122 46.2521 45.7137 46.4515 45.7835 45.3548 44.0288
        44.1783 44.2181 44.5672 43.4205 42.6628 43.1314"""
    published = """70.53 66.32 66.55 69.41 66.36 57.97 62.93 63.26 56.06 62.38 54.71 50.42 39.99 41.46 41.87 45.46 37.30
        33.08 37.77"""
    cents = """44.34 44.09 44.15 43.61 44.33 44.83 45.10 45.42 45.84 46.08 45.89 46.03 45.61 46.28 46.28 46.00 46.03
        46.41 46.22 45.64 46.21 46.25 45.71 46.45 45.78 45.35 44.03 44.18 44.22 44.57 43.42 42.66 43.13"""
    for printed, tolerance in ((closes, 0.005), (cents, 0.1)):
        found = values(compute(plain(np.array(printed.split(), float))), "rsi_14")
        np.testing.assert_allclose(found[14:], np.array(published.split(), float), atol=tolerance)


def test_an_exponential_average_is_the_published_one() -> None:
    # StockCharts' ChartSchool, "Moving Averages": 10 sessions.
    closes = """22.2734 22.1940 22.0847 22.1741 22.1840 22.1344 22.2337 22.4323 22.2436 22.2933 22.1542 22.3926 22.3816
        22.6109 23.3558 24.0519 23.7530 23.8324 23.9516 23.6338"""
    published = "22.22 22.21 22.24 22.27 22.33 22.52 22.80 22.97 23.13 23.28 23.34"
    (found,) = kernels.ema(_sessions(np.array(closes.split(), float)), 10)
    np.testing.assert_allclose(found[9:], np.array(published.split(), float), atol=0.006)


def test_a_straight_line() -> None:
    # Closes 1, 2, ..., 300: means are in the middle; 20 whole numbers in a row have the variance 399 / 12.
    close = np.arange(1.0, 301.0)
    index = np.full(300, 2_000.0) + np.arange(300) % 2
    found = compute(replace(plain(close, close + 1, close - 0.5, close * 10), index_close=index))
    deviation = np.sqrt(399 / 12)
    expected = {
        "sma_5": 298,
        "sma_200": 200.5,
        "bollinger_upper": 290.5 + 2 * deviation,
        "bollinger_lower": 290.5 - 2 * deviation,
        "bollinger_width": 4 * deviation / 290.5,
        "bollinger_percent_b": (9.5 + 2 * deviation) / (4 * deviation),
        "rsi_14": 100,
        "mfi_14": 100,
        "stochastic_k": 100 * 13.5 / 14.5,
        "williams_r_14": -100 / 14.5,
        "atr_14": 2,
        "roc_10": 100 * 10 / 290,
        "high_52_weeks": 301,
        "low_52_weeks": 50.5,
        "volume_ratio_20": 300 / 289.5,
        "obv": 10 * np.arange(1, 301).sum(),
        "ichimoku_tenkan": (301 + 291.5) / 2,
        "ichimoku_kijun": (301 + 274.5) / 2,
        "ichimoku_senkou_a": ((301 + 291.5) / 2 + (301 + 274.5) / 2) / 2 - 26,
        "ichimoku_senkou_b": (301 + 248.5) / 2 - 26,
        "ichimoku_chikou": 300,
        "relative_strength_60": 300 / 240 - 1,
        # The upward movement is 1 of a true range of 2.
        "plus_di_14": 50,
        "minus_di_14": 0,
        "adx_14": 100,
    }
    for name, value in expected.items():
        assert values(found, name)[-1] == pytest.approx(value, rel=1e-9), name


def test_beta_of_twice_the_index_is_two() -> None:
    index = market(1, (100,)).index_close
    doubled = 1_000 * np.cumprod(np.concatenate(((1,), 1 + 2 * np.diff(index) / index[:-1])))
    found = compute(replace(plain(doubled), index_close=index))
    np.testing.assert_allclose(values(found, "beta_60")[60:], 2)


def test_flows_are_summed_and_ownership_is_compared() -> None:
    days = np.arange(30.0)
    panel = replace(plain(days + 1), foreign_net_krw=days, institution_net_krw=-days, foreign_pct=days / 2)
    found = compute(panel)
    assert values(found, "foreign_net_krw_5")[-1] == 29 + 28 + 27 + 26 + 25
    assert values(found, "institution_net_krw_20")[-1] == -sum(range(10, 30))
    assert values(found, "foreign_pct_change_20")[-1] == 10


def test_52_week_extremes_of_samsung_are_those_that_were_reported(samples: Path) -> None:
    # The highest price it had ever traded at, 96,800 won on 2021-01-11; the lowest of the March 2020 fall, 42,300 won
    # on 2020-03-19: as the press reported both on their days.
    with (samples / "yahoo" / "005930.KS.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["Date"] >= "2018-06-01" and float(row["Volume"])]
    high, low, close = (np.array([float(row[name]) for row in rows]) for name in ("High", "Low", "Close"))
    sessions = np.array([row["Date"] for row in rows], "datetime64[D]")
    found = compute(replace(plain(close, high, low), sessions=sessions))
    assert values(found, "high_52_weeks")[sessions == np.datetime64("2021-06-30")] == 96_800
    assert values(found, "low_52_weeks")[sessions == np.datetime64("2020-12-30")] == 42_300


def _sessions(close: Floats) -> TradedSessions:
    panel = plain(close)
    nothing = panel.index_close
    first = np.array([0])
    return TradedSessions(
        panel.high, panel.low, close, panel.volume, nothing, nothing, nothing, nothing, first, panel.first_obv
    )
