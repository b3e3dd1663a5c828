"""All strategies on recorded prices of 32 stocks, December 2023 to April 2024, as Naver adjusts them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pytest

from include.indicators.compute import compute
from include.indicators.panel import Panel
from include.signals.catalogue import CATALOGUE
from include.signals.check import check_no_look_ahead
from include.signals.evaluate import evaluate
from include.signals.history import History

pytestmark = pytest.mark.samples


@pytest.fixture(scope="module")
def history(samples: Path) -> History:
    types = {"종목코드": pa.string(), "날짜": pa.date32()} | dict.fromkeys(
        ("시가", "고가", "저가", "종가"), pa.float64()
    )
    bars = pyarrow.csv.read_csv(
        samples / "naver_adjusted" / "naver_adjusted_20231205_20240430.csv",
        convert_options=pyarrow.csv.ConvertOptions(column_types=types),
    )
    bars = bars.rename_columns(["symbol", "session", "open", "high", "low", "close", "volume", "change_pct"])
    bars = bars.sort_by([("symbol", "ascending"), ("session", "ascending")])
    halted = pc.equal(bars["open"], 0)
    for name in ("open", "high", "low"):
        bars = bars.set_column(bars.column_names.index(name), name, pc.if_else(halted, None, bars[name]))
    panel = Panel.from_arrow(bars)
    return History.of(panel, bars["open"].to_numpy(), compute(panel))


def test_recorded_windows_run_through_and_nothing_looks_ahead(history: History) -> None:
    found = evaluate(history, CATALOGUE)
    for hits in found:
        check_no_look_ahead(hits.strategy, history)
    # What looks further back than these hundred sessions, or at flows, cannot be told.
    silent = {hits.strategy.name for hits in found if not len(hits.rows)}
    assert {hits.strategy.name for hits in found if hits.strategy.of_flows} <= silent
    assert len(CATALOGUE) - len(silent) > 40


def test_recorded_signals(history: History) -> None:
    """SK hynix: RSI 70 on 22 February 2024, and the gap of 22 January: open 145,200 after a close of 141,300."""
    said = {}
    for hits in evaluate(history, CATALOGUE):
        for row, reason in zip(hits.rows, hits.strategy.reasons(history, hits.rows), strict=True):
            if history.symbols[history.symbol_index(np.array([row]))[0]] == "000660":
                said[hits.strategy.name, history.sessions[row].astype(object)] = reason
    assert said["rsi_overbought", date(2024, 2, 22)] == "RSI 70.3 rose above 70; close 156,500"
    assert said["gap_up", date(2024, 1, 22)] == (
        "opened at 145,200, 2.8% above the close before; the low 142,300 left a gap to the high before, 141,300"
    )
    assert said["golden_cross_5_20", date(2024, 1, 23)] == (
        "the 5-session average 138,380 crossed above the 20-session 137,580; close 140,800, +2.3% from it"
    )
