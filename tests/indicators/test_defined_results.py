"""What there is no number for is null, and the reason is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from include.indicators.catalogue import CATALOGUE, COLUMNS, LOOKBACK
from include.indicators.compute import HAS_VALUE, InsufficientHistoryError, Reason, compute
from include.indicators.panel import Panel, PanelError
from tests.indicators.markets import FIRST_DAY, market, only, plain
from tests.indicators.results import values

# 300 sessions whose price is not a round number in binary, and never moves.
STILL = plain(np.full(300, 12_345 * 0.200717))
NEEDS_MOVEMENT = {
    "adx_14", "plus_di_14", "minus_di_14", "rsi_14", "stochastic_k", "stochastic_d", "williams_r_14", "cci_20",
    "bollinger_percent_b", "mfi_14", "beta_60",
}  # fmt: skip
OF_OTHER_INPUTS = {
    column.name
    for indicator in CATALOGUE
    for column in indicator.columns
    if {"index_close", "foreign_net_krw", "institution_net_krw", "foreign_pct"} & set(indicator.inputs)
}


def test_a_price_that_never_moves() -> None:
    found = compute(replace(STILL, index_close=np.full(300, 2_000.0)))
    for column in COLUMNS:
        reason = found.reasons(column.name)[-1]
        if column.name in NEEDS_MOVEMENT:
            assert reason == Reason.FLAT, column.name
        elif column.name not in OF_OTHER_INPUTS:
            assert reason == HAS_VALUE, column.name
    for name in ("macd", "macd_histogram", "atr_14", "realised_volatility_20", "roc_10", "bollinger_width"):
        assert values(found, name)[-1] == pytest.approx(0, abs=1e-9), name
    for name in ("sma_20", "ema_26", "bollinger_upper", "ichimoku_senkou_b", "high_52_weeks"):
        assert values(found, name)[-1] == pytest.approx(STILL.close[0], rel=1e-12), name
    assert values(found, "obv")[-1] == STILL.volume[0]


def test_rounding_of_an_adjusted_price_is_not_a_movement() -> None:
    noise = 1 + 1e-15 * np.arange(300) % 3
    close = STILL.close * noise
    found = compute(plain(close, close * 1.0000000000001, close))
    for name in NEEDS_MOVEMENT - {"beta_60"}:
        assert found.reasons(name)[-1] == Reason.FLAT, name
    assert values(found, "obv")[-1] == STILL.volume[0]


def test_movement_ends_flatness_at_once_but_for_adx() -> None:
    close = np.concatenate((STILL.close, STILL.close[:1] * [1.01, 1.02, 1.01]))
    found = compute(plain(close))
    for name in NEEDS_MOVEMENT - {"beta_60", "adx_14", "stochastic_k", "stochastic_d"}:
        assert (found.reasons(name)[-3:] == HAS_VALUE).all(), name
    assert found.reasons("stochastic_k")[-3:].tolist() == [Reason.FLAT, Reason.FLAT, HAS_VALUE]
    longer = compute(plain(np.concatenate((close, close[:1] * (1 + 0.01 * (np.arange(40) % 3))))))
    since_movement = longer.reasons("adx_14")[300:]
    assert (since_movement[:26] == Reason.FLAT).all()
    assert (since_movement[26:] == HAS_VALUE).all()


def test_no_volume_leaves_money_flow_and_volume_ratio_without_a_value() -> None:
    moving = market(3, (60,))
    found = compute(replace(moving, volume=np.zeros(60)))
    assert found.reasons("mfi_14")[-1] == Reason.FLAT
    assert found.reasons("volume_ratio_20")[-1] == Reason.FLAT
    assert values(found, "obv")[-1] == 0


@pytest.mark.parametrize("length", [1, 2, 14, 15, 250])
def test_a_short_history_warms_up(length: int) -> None:
    found = compute(market(5, (length,)))
    for column in COLUMNS:
        warming = found.reasons(column.name) == Reason.WARM_UP
        np.testing.assert_array_equal(warming, np.arange(length) < column.warm_up, column.name)


def test_a_halt_is_null_on_its_sessions_and_skipped_afterwards() -> None:
    trading = market(7, (300,))
    halted = np.zeros(310, np.bool_)
    halted[200:210] = True
    sessions = FIRST_DAY + np.arange(310)
    spread = {"sessions": sessions, "offsets": np.array([0, 310])}
    for name in ("high", "low", "close", "volume", "index_close", "foreign_net_krw", "institution_net_krw"):
        spread[name] = np.insert(getattr(trading, name), 200, [np.nan] * 10)
    spread["foreign_pct"] = np.insert(trading.foreign_pct, 200, [50.0] * 10)
    spread["close"][halted], spread["volume"][halted] = trading.close[199], 0
    found, expected = compute(replace(trading, **spread)), compute(trading)
    for column in COLUMNS:
        assert (found.reasons(column.name)[halted] == Reason.NO_TRADE).all()
        np.testing.assert_array_equal(values(found, column.name)[~halted], values(expected, column.name))


def test_a_symbol_that_never_traded_has_no_values() -> None:
    nothing = np.full(5, np.nan)
    found = compute(plain(np.full(5, 1_000.0), nothing, nothing, np.zeros(5)))
    for column in COLUMNS:
        assert (found.reasons(column.name) == Reason.NO_TRADE).all()


def test_a_delisted_symbol_keeps_its_results_and_gets_no_further_ones() -> None:
    panel = market(9, (100, 300))
    last = only(panel, 0, 0, 90)
    gone = replace(last, sessions=last.sessions)
    since = gone.sessions[-1] + np.timedelta64(1, "D")
    assert len(compute(gone, since=since.astype(object))) == 0
    assert compute(gone).sessions[-1] == gone.sessions[-1]


def test_a_missing_index_is_missing_only_while_it_is_in_the_window() -> None:
    panel = market(11, (300,))
    index = panel.index_close.copy()
    index[100] = np.nan
    found = compute(replace(panel, index_close=index))
    assert (np.flatnonzero(found.reasons("beta_60") == Reason.NO_INPUT) == np.arange(100, 161)).all()
    assert np.flatnonzero(found.reasons("relative_strength_60") == Reason.NO_INPUT).tolist() == [100, 160]


def test_a_missing_flow_is_missing_only_while_it_is_in_the_window() -> None:
    panel = market(13, (300,))
    flow = panel.foreign_net_krw.copy()
    flow[100] = np.nan
    found = compute(replace(panel, foreign_net_krw=flow, foreign_pct=flow))
    assert np.flatnonzero(found.reasons("foreign_net_krw_5") == Reason.NO_INPUT).tolist() == [100, 101, 102, 103, 104]
    assert np.flatnonzero(found.reasons("foreign_pct_change_20") == Reason.NO_INPUT).tolist() == [100, 120]
    assert (found.reasons("institution_net_krw_5")[4:] == HAS_VALUE).all()


def test_too_little_history_is_refused() -> None:
    part = only(market(15, (LOOKBACK + 10,)), 0, 5, LOOKBACK + 10, first_obv=1.0)
    assert len(compute(part, since=part.sessions[LOOKBACK].astype(object))) == 5
    with pytest.raises(InsufficientHistoryError, match=r"1 symbols .* fewer than 600 traded sessions .*: 000000"):
        compute(part, since=part.sessions[LOOKBACK - 1].astype(object))
    with pytest.raises(InsufficientHistoryError):
        compute(part)


def test_the_table_has_no_number_where_there_is_no_value() -> None:
    found = compute(market(17, (40, 300), halts=True, still=0.5))
    table = found.table()
    assert table.column_names == ["symbol", "session", *(column.name for column in COLUMNS)]
    assert table["symbol"].to_pylist() == ["000000"] * 40 + ["000010"] * 300
    for column in COLUMNS:
        valid = table[column.name].is_valid().to_numpy()
        np.testing.assert_array_equal(valid, found.reasons(column.name) == HAS_VALUE)
        assert np.isfinite(table[column.name].drop_null().to_numpy()).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sessions": FIRST_DAY + np.array([0, 1, 1])}, "005930 has two bars on 2010-01-05; 1 rows are so"),
        ({"sessions": FIRST_DAY + np.array([0, 2, 1])}, "005930 is not after the session before on 2010-01-05"),
        ({"close": np.array([1.0, 0.0, 1.0])}, "005930 has no positive close on 2010-01-05; 1 rows are so"),
        ({"close": np.array([1.0, np.nan, np.nan])}, "no positive close on 2010-01-05; 2 rows"),
        ({"high": np.array([1.0, np.nan, 1.0])}, "only one of high and low"),
        ({"low": np.array([1.0, 2.0, 1.0])}, "has no range of prices"),
        ({"volume": np.array([1.0, -1.0, 1.0])}, "has no volume"),
        ({"volume": np.array([1.0, 1.0])}, "volume has 2 values, expected 3"),
        ({"offsets": np.array([0, 2])}, "offsets do not divide 3 rows among 1 symbols"),
    ],
)
def test_bars_nothing_can_be_computed_of_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(PanelError, match=message):
        replace(plain(np.ones(3)), **wrong)


def test_a_panel_of_arrow_bars_is_the_same_panel() -> None:
    panel = market(19, (30, 50), halts=True)
    table = _as_arrow(panel)
    found = Panel.from_arrow(table)
    for column in COLUMNS:
        np.testing.assert_array_equal(
            values(compute(found), column.name), values(compute(panel), column.name), column.name
        )
    without = Panel.from_arrow(table.drop_columns(["index_close", "first_obv"]))
    assert (compute(without).reasons("beta_60")[-1:] == Reason.WARM_UP).all()
    with pytest.raises(PanelError, match="do not stand together"):
        Panel.from_arrow(table.sort_by("session"))
    with pytest.raises(PanelError, match="there are no bars"):
        Panel.from_arrow(table.slice(0, 0))


def _as_arrow(panel: Panel) -> object:
    import pyarrow as pa

    counts = np.diff(panel.offsets)
    names = ("high", "low", "close", "volume", "index_close", "foreign_net_krw", "institution_net_krw", "foreign_pct")
    columns = {"symbol": pa.array(np.repeat(panel.symbols, counts), pa.string()), "session": pa.array(panel.sessions)}
    columns |= {name: pa.array(getattr(panel, name), from_pandas=True) for name in names}
    return pa.table(columns | {"first_obv": pa.array(np.repeat(panel.first_obv, counts), from_pandas=True)})
