"""Draws signals on the chart of a simulated share, as the picture of docs/signals.md.

``python -m tools.draw_signals`` draws it into docs/images/signals.svg. The same picture comes out, to the byte, with
the same version of matplotlib.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import typer
from matplotlib.axes import Axes

from include.indicators.compute import compute
from include.indicators.panel import Panel
from include.settings import PROJECT_ROOT
from include.signals.catalogue import strategy_named
from include.signals.evaluate import evaluate
from include.signals.history import History
from include.simulator.exchange.market import SimulatedMarket

PICTURE = PROJECT_ROOT / "docs" / "images" / "signals.svg"

_MARKET = SimulatedMarket(seed=1, symbols=60, first=date(2023, 1, 2), last=date(2024, 12, 30))
_SYMBOL = "938070"
_SHOWN = slice(-200, None)
_INK, _LINES = "#333a46", ("#1f5fa8", "#c2571a")
_BUY, _SELL = "#2f7d4f", "#c0392b"

# By title of the chart: the lines drawn on the price, and the strategies marked on it.
_CHARTS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Golden and dead cross 20/60": (("sma_20", "sma_60"), ("golden_cross_20_60", "dead_cross_20_60")),
    "Bollinger reversals": (
        ("bollinger_lower", "bollinger_upper"),
        ("bollinger_reversal_up", "bollinger_reversal_down"),
    ),
    "Stochastic crosses at the ends of the range": ((), ("stochastic_cross_up", "stochastic_cross_down")),
}


def main(path: Annotated[Path, typer.Argument(help="Where to draw it.")] = PICTURE) -> None:
    """Draw the picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(draw(_history()), encoding="utf-8")


def draw(history: History) -> str:
    """The charts of one share, as SVG."""
    # The same bytes for the same bars; text as text.
    style: Any = {
        "svg.hashsalt": "krx-warehouse",
        "svg.fonttype": "none",
        "date.converter": "concise",
        "font.size": 10,
        "axes.edgecolor": _INK,
        "text.color": _INK,
    }
    with mpl.rc_context(style):
        figure, grid = plt.subplots(
            len(_CHARTS), 1, sharex=True, squeeze=False, figsize=(8.6, 2.5 * len(_CHARTS)), layout="constrained"
        )
        for chart, (title, (lines, strategies)) in zip(grid[:, 0], _CHARTS.items(), strict=True):
            _draw_price(chart, history, title, lines)
            for name in strategies:
                _mark(chart, history, name)
            chart.legend(
                frameon=False, fontsize=8, ncols=5, columnspacing=1.2, loc="lower left", bbox_to_anchor=(0, 0.98)
            )
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
        plt.close(figure)
    # Coordinates to a tenth of a point: half the size, and nothing an eye could see.
    return re.sub(r' d="[^"]*"', _rounded, out.getvalue())


def _rounded(found: re.Match[str]) -> str:
    return re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.1f}".removesuffix(".0"), found[0])


def _draw_price(chart: Axes, history: History, title: str, lines: tuple[str, ...]) -> None:
    days = history.sessions[_SHOWN]
    chart.set_title(title, loc="left", fontsize=10, pad=18)
    chart.fill_between(days, history["low"][_SHOWN], history["high"][_SHOWN], color="#d5dae3", linewidth=0)
    chart.plot(days, history["close"][_SHOWN], color=_INK, linewidth=1.0, label="close")
    for name, colour in zip(lines, _LINES, strict=False):
        chart.plot(days, history[name][_SHOWN], color=colour, linewidth=1.2, label=name)
    chart.set_xlim(days[0], days[-1])
    chart.set_ylabel("KRW")
    chart.yaxis.set_major_formatter("{x:,.0f}")
    chart.margins(y=0.12)
    chart.spines[["top", "right"]].set_visible(False)
    chart.grid(axis="y", linewidth=0.4, alpha=0.5)


def _mark(chart: Axes, history: History, name: str) -> None:
    """Triangles below what says to buy and above what says to sell, the larger the stronger."""
    strategy = strategy_named(name)
    [hits] = evaluate(history, [strategy])
    shown = history.sessions[hits.rows] >= history.sessions[_SHOWN][0]
    rows = hits.rows[shown]
    buys = strategy.side == "buy"
    span = float(np.ptp(history["close"][_SHOWN]))
    place = history["low"][rows] - 0.05 * span if buys else history["high"][rows] + 0.05 * span
    chart.scatter(
        history.sessions[rows],
        place,
        s=25 + hits.strengths[shown],
        marker="^" if buys else "v",
        color=_BUY if buys else _SELL,
        linewidth=0,
        zorder=4,
        label=name,
    )


def _history() -> History:
    """The share's sessions from its first one on."""
    bars = pa.concat_tables(
        block.filter(pc.equal(block["symbol"], _SYMBOL)) for block in _MARKET.iter_blocks()
    ).sort_by("session")
    missing = pa.nulls(bars.num_rows, pa.int64())
    prices = {name: pc.if_else(pc.equal(bars[name], 0), missing, bars[name]) for name in ("open", "high", "low")}
    panel = Panel.from_arrow(
        bars.select(["symbol", "session", "close", "volume"])
        .append_column("high", prices["high"])
        .append_column("low", prices["low"])
    )
    return History.of(panel, prices["open"].cast(pa.float64()).to_numpy(), compute(panel))


if __name__ == "__main__":
    typer.run(main)
