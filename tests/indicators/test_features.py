from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.indicators.bars import read_panel
from include.indicators.compute import compute
from include.indicators.factors import Factor
from include.indicators.features import FEATURES, compute_features, read_features
from include.indicators.panel import PanelError
from tests.indicators.markets import market, plain
from tests.indicators.results import values


def bars(symbol: str, first: date, prices: list[int]) -> pa.Table:
    """Raw daily bars; a price of 0 is a halted session, which carries the close."""
    carried = [next(price for price in reversed(prices[: place + 1]) if price) for place in range(len(prices))]
    sessions = [date.fromordinal(first.toordinal() + place) for place in range(len(prices))]
    columns = {"symbol": [symbol] * len(prices), "session": sessions, "open": prices, "high": prices, "low": prices}
    columns |= {"close": carried, "volume": [10 if price else 0 for price in prices]}
    return pa.table(columns)


def write(folder: Path, name: str, *tables: pa.Table) -> Path:
    pq.write_table(pa.concat_tables(tables), folder / name)
    return folder / name


def test_years_are_put_together_and_adjusted(tmp_path: Path) -> None:
    files = [
        write(tmp_path, "2024", bars("A", date(2024, 1, 1), [500, 0, 50]), bars("C", date(2024, 1, 1), [7])),
        write(tmp_path, "2023", bars("A", date(2023, 12, 30), [400, 450]), bars("B", date(2023, 12, 30), [9])),
    ]
    factors = [
        Factor("A", date(2023, 1, 1), date(2024, 1, 2), 0.1, 10.0),
        Factor("X", date(2023, 1, 1), date(2024, 1, 2), 0.1, 10.0),
    ]
    panel = read_panel(files, factors)
    assert panel.symbols.tolist() == ["A", "B", "C"]
    assert panel.offsets.tolist() == [0, 5, 6, 7]
    assert panel.close.tolist() == pytest.approx([40, 45, 50, 50, 50, 9, 7])
    assert panel.volume.tolist() == [100, 100, 100, 0, 10, 10, 10]
    assert panel.traded.tolist() == [True, True, True, False, True, True, True]


def test_bars_that_are_not_sorted_or_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PanelError, match="no files"):
        read_panel([], [])
    with pytest.raises(PanelError, match="no bars"):
        read_panel([write(tmp_path, "none", bars("A", date(2024, 1, 1), []))], [])
    twice = bars("A", date(2024, 1, 1), [5])
    with pytest.raises(PanelError, match="A has two bars on 2024-01-01"):
        read_panel([write(tmp_path, "one", twice), write(tmp_path, "two", twice)], [])


def test_features_are_the_catalogues_indicators(tmp_path: Path) -> None:
    prices = (5_000 + 100 * np.cumsum(np.random.default_rng(3).integers(-2, 3, 90))).tolist()
    table = read_features([write(tmp_path, "bars", bars("A", date(2024, 1, 1), prices))], [])
    close = np.array(prices, float)
    indicators = compute(plain(close, volume=np.full(90, 10.0)))
    expected = {
        "sma_20_ratio": values(indicators, "sma_20") / close,
        "ema_26_ratio": values(indicators, "ema_26") / close,
        "realised_volatility_20": values(indicators, "realised_volatility_20"),
        "bollinger_percent_b": values(indicators, "bollinger_percent_b"),
        "rsi_14_ratio": values(indicators, "rsi_14") / 100,
        "volume_ratio_20": values(indicators, "volume_ratio_20"),
        "atr_14_ratio": values(indicators, "atr_14") / close,
        "place_in_range_14": 1 + values(indicators, "williams_r_14") / 100,
        "return_5": np.concatenate((np.full(5, np.nan), close[5:] / close[:-5] - 1)),
    }
    assert table.column_names == ["symbol", "session", *(feature.name for feature in FEATURES)]
    for name, column in expected.items():
        assert table[name].type == pa.float32()
        np.testing.assert_allclose(table[name].to_numpy(), column, rtol=1e-6, err_msg=name)


def test_a_feature_is_null_where_its_indicator_is() -> None:
    panel = market(25, (70, 400, 5), halts=True, still=0.3)
    table = compute_features(panel)
    indicators = compute(panel)
    for name, indicator in (("rsi_14_ratio", "rsi_14"), ("bollinger_percent_b",) * 2, ("sma_60_ratio", "sma_60")):
        assert table[name].is_null().to_pylist() == indicators.column(indicator).is_null().to_pylist()
    for feature in FEATURES:
        present = table[feature.name].drop_null().to_numpy()
        assert np.isfinite(present).all()
        firsts = table[feature.name].to_numpy()[70:][panel.traded[70:]][: feature.warm_up]
        assert np.isnan(firsts).all()


def test_the_14_features_are_14() -> None:
    assert len({feature.name for feature in FEATURES}) == 14
