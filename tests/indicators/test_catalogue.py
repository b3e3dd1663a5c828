from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from include.indicators.catalogue import CATALOGUE, COLUMNS, LOOKBACK
from include.indicators.compute import HAS_VALUE, compute
from include.indicators.panel import VALUES
from tests.indicators.markets import market

UNITS = {"KRW", "shares", "percent", "ratio", "ratio per year", "percentage points"}
ASKED_FOR = """sma_5 sma_20 sma_50 sma_60 sma_120 sma_200 ema_12 ema_26 rsi_14 macd macd_signal macd_histogram
    stochastic_k stochastic_d bollinger_upper bollinger_middle bollinger_lower bollinger_width bollinger_percent_b
    ichimoku_tenkan ichimoku_kijun ichimoku_senkou_a ichimoku_senkou_b ichimoku_chikou adx_14 plus_di_14 minus_di_14
    mfi_14 cci_20 atr_14 obv williams_r_14 roc_10 high_52_weeks low_52_weeks volume_ratio_20 realised_volatility_20
    beta_60 relative_strength_60 foreign_net_krw_5 foreign_net_krw_20 institution_net_krw_5 institution_net_krw_20
    foreign_pct_change_20"""


def test_everything_asked_for_is_declared_once() -> None:
    assert sorted(column.name for column in COLUMNS) == sorted(ASKED_FOR.split())


def test_every_declaration_is_complete() -> None:
    for indicator in CATALOGUE:
        assert indicator.title
        assert indicator.source
        assert set(indicator.inputs) <= set(VALUES), indicator.title
        assert indicator.memory is None or indicator.memory >= max(column.warm_up for column in indicator.columns)
        assert indicator.memory is None or indicator.memory <= LOOKBACK
        for column in indicator.columns:
            assert re.fullmatch("[a-z][a-z0-9_]*", column.name)
            assert column.unit in UNITS, column.name
            assert len(column.meaning) > 10


def test_every_column_has_values_from_its_warm_up_on() -> None:
    found = compute(market(21, (400,)))
    for column in COLUMNS:
        reasons = found.reasons(column.name)
        assert (reasons[: column.warm_up] != HAS_VALUE).all(), column.name
        assert reasons[column.warm_up] == HAS_VALUE, column.name


def test_an_indicator_looks_at_its_inputs_and_at_nothing_else() -> None:
    panel = market(23, (400,))
    expected = compute(panel)
    for changed in VALUES:
        if changed in ("high", "low", "close"):
            continue
        values = np.random.default_rng(1).uniform(1, 100, 400)
        found = compute(replace(panel, **{changed: values}))
        for indicator in CATALOGUE:
            for column in indicator.columns:
                same = found.column(column.name).equals(expected.column(column.name))
                assert same == (changed not in indicator.inputs), (column.name, changed)
