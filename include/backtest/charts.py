"""Charts of equity curves, as SVG that stands in a page."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter
from numpy.typing import NDArray

from include.backtest.market_bars import Floats

_INK, _PORTFOLIO, _INDEX, _LOSS = "#1c2330", "#2458c5", "#98a3b6", "#c8452f"
# Text stays text, and the same figures give the same bytes.
_STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "krx-warehouse", "font.family": "sans-serif", "font.size": 9}


def equity_chart(sessions: Sequence[date], equity: NDArray[np.int64], index: Floats) -> str:
    """The growth of 100 won in a portfolio and in an index, on a scale of ratios, above the portfolio's drawdown."""
    with rc_context(_STYLE):
        figure = Figure(figsize=(9.2, 4.4), layout="constrained")
        growth, fall = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        grown = 100 * equity / equity[0]
        if (known := np.flatnonzero(~np.isnan(index))).size:
            # Where the index begins later, it begins where the portfolio is.
            beside = grown[known[0]] * index / index[known[0]]
            growth.plot(sessions, beside, color=_INDEX, linewidth=1, label="KOSPI")
        growth.plot(sessions, grown, color=_PORTFOLIO, linewidth=1.3, label="portfolio")
        growth.set_yscale("log")
        growth.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
        growth.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        growth.yaxis.set_minor_formatter(NullFormatter())
        growth.set_ylabel("100 at the start")
        growth.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderpad=0)
        drawdown = equity / np.maximum.accumulate(equity) - 1
        fall.fill_between(sessions, drawdown, color=_LOSS, alpha=0.35, linewidth=0)
        fall.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        fall.set_ylabel("drawdown")
        for axes in (growth, fall):
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(axis="y", color="#e6eaf1")
            axes.tick_params(colors=_INK)
        return _svg(figure)


def spark_line(equity: NDArray[np.int64]) -> str:
    """The shape of a curve, small and bare."""
    with rc_context(_STYLE):
        figure = Figure(figsize=(1.5, 0.36))
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.plot(equity[:: max(len(equity) // 150, 1)], color=_PORTFOLIO, linewidth=1)
        axes.axhline(equity[0], color=_INDEX, linewidth=0.6)
        axes.set_axis_off()
        return _svg(figure)


def _svg(figure: Figure) -> str:
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata={"Date": None}, transparent=True)
    text = written.getvalue()
    return text[text.index("<svg") :]
