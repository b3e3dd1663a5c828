"""``python -m benchmarks.indicators``: every indicator of a simulated market, against bare calls of TA-Lib.

Both work on the same arrays in memory, block after block by turns, so that both see the machine in the same state. Bare
calls are given each symbol's traded sessions, picked out beforehand, and throw away what they get. The index and the
flows are random: the time does not depend on their values.

python -m benchmarks.indicators time FOLDER: in a process of its own.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import talib
import typer
from rich.console import Console

from benchmarks.bar_files import BarFiles, bar_files
from benchmarks.figures import Figures
from include.indicators.bars import read_panel
from include.indicators.compute import compute
from include.indicators.panel import VALUES, Panel
from include.settings import load_settings

RATIO_AIM = 1.5
RSS_LIMIT = 2_000_000_000
SESSIONS_PER_YEAR = 246
_SYMBOLS_PER_BLOCK = 20


@dataclass(frozen=True)
class IndicatorResult:
    """Seconds over the whole market, and the most memory the process had."""

    rows: int
    seconds: float
    bare_seconds: float
    table_seconds: float
    peak_rss_bytes: int


def add_indicators(figures: Figures, home: Path, symbols: int, years: int) -> None:
    """Measure, on a market written under ``home`` the first time."""
    files = bar_files(home, symbols, years * SESSIONS_PER_YEAR)
    command = [sys.executable, "-m", "benchmarks.indicators", "time", str(files.folder)]
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = IndicatorResult(**json.loads(finished.stdout.splitlines()[-1]))
    ratio = found.seconds / found.bare_seconds
    figures.add("indicators", "", found.rows / found.seconds, "rows/s", f"{found.rows:,} rows")
    figures.add("bare TA-Lib calls", "", found.rows / found.bare_seconds, "rows/s", "the same arrays")
    figures.add("indicators / bare TA-Lib", "", ratio, "", f"aim {RATIO_AIM}, less is better", met=ratio <= RATIO_AIM)
    figures.add("  as Arrow tables with nulls", "", found.table_seconds, "s", f"after {found.seconds:.1f} s")
    met = found.peak_rss_bytes <= RSS_LIMIT
    limit = f"limit {RSS_LIMIT / 1e6:,.0f} MB, the market's arrays included"
    figures.add("indicators, peak memory", "", found.peak_rss_bytes / 1e6, "MB", limit, met=met)


def _time(files: BarFiles) -> IndicatorResult:
    panel = _with_index_and_flows(read_panel(files.files, files.factors()))
    seconds = bare_seconds = table_seconds = 0.0
    for block in panel.blocks(_SYMBOLS_PER_BLOCK):
        traded = _only_traded(block)
        began = time.perf_counter()
        _call_talib(traded)
        called = time.perf_counter()
        results = compute(block)
        computed = time.perf_counter()
        results.table()
        bare_seconds += called - began
        seconds += computed - called
        table_seconds += time.perf_counter() - computed
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return IndicatorResult(len(panel.sessions), seconds, bare_seconds, table_seconds, peak)


def _with_index_and_flows(panel: Panel) -> Panel:
    random = np.random.default_rng(1)
    days, place = np.unique(panel.sessions, return_inverse=True)
    index = 2_000 * np.exp(np.cumsum(random.normal(0, 0.01, len(days))))
    flow = np.round(random.normal(0, 1e9, len(panel.sessions)))
    return replace(
        panel,
        index_close=index[place],
        foreign_net_krw=flow,
        institution_net_krw=flow[::-1].copy(),
        foreign_pct=random.uniform(0, 100, len(flow)),
    )


def _only_traded(panel: Panel) -> Panel:
    traded = panel.traded
    counts = np.add.reduceat(traded, panel.offsets[:-1], dtype=np.int64)
    trades = counts > 0
    return Panel(
        panel.symbols[trades],
        np.concatenate(((0,), np.cumsum(counts[trades]))),
        panel.sessions[traded],
        **{name: getattr(panel, name)[traded] for name in VALUES},
        first_obv=panel.first_obv[trades],
    )


def _call_talib(panel: Panel) -> None:
    """TA-Lib's function of everything in the catalogue, or the functions it is made of."""
    for start, stop in zip(panel.offsets[:-1], panel.offsets[1:], strict=True):
        rows = slice(start, stop)
        high, low, close, volume = panel.high[rows], panel.low[rows], panel.close[rows], panel.volume[rows]
        index, bars = panel.index_close[rows], (high, low, close)
        for sessions in (5, 20, 50, 60, 120, 200):
            talib.SMA(close, sessions)
        for sessions in (12, 26):
            talib.EMA(close, sessions)
        talib.MACD(close, 12, 26, 9)
        for sessions in (9, 26, 52, 250):
            talib.MAX(high, sessions)
            talib.MIN(low, sessions)
        talib.ADX(*bars, 14)
        talib.PLUS_DI(*bars, 14)
        talib.MINUS_DI(*bars, 14)
        talib.RSI(close, 14)
        talib.STOCH(*bars, 14, 3, talib.MA_Type.SMA, 3, talib.MA_Type.SMA)
        talib.WILLR(*bars, 14)
        talib.CCI(*bars, 20)
        talib.ROC(close, 10)
        talib.BBANDS(close, 20, 2, 2)
        talib.ATR(*bars, 14)
        talib.STDDEV(talib.LN(talib.ROCR(close, 1)), 20)
        talib.MFI(*bars, volume, 14)
        talib.OBV(close, volume)
        talib.SMA(volume, 20)
        talib.BETA(index, close, 60)
        talib.ROCR(close, 60)
        talib.ROCR(index, 60)
        for flow in (panel.foreign_net_krw[rows], panel.institution_net_krw[rows]):
            for sessions in (5, 20):
                talib.SUM(flow, sessions)
        talib.MOM(panel.foreign_pct[rows], 20)


def main(
    symbols: Annotated[int, typer.Option(help="Rows of a session, about.", min=1)] = 2_700,
    years: Annotated[int, typer.Option(help="Years of bars.", min=1)] = 15,
) -> None:
    """Measure indicators on this machine, with nothing else running."""
    home = load_settings().home / "bench"
    home.mkdir(parents=True, exist_ok=True)
    figures = Figures(f"Indicators, {years} years of {symbols:,} symbols")
    add_indicators(figures, home, symbols, years)
    Console().print(figures.table())


if __name__ == "__main__":
    if sys.argv[1:2] == ["time"]:
        print(json.dumps(asdict(_time(BarFiles(Path(sys.argv[2]), 0, 0)))))
    else:
        typer.run(main)
