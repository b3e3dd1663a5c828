"""Draws every indicator on the chart of a simulated share, as the pictures of docs/indicators/.

``python -m tools.draw_indicators`` draws all of them into docs/images/indicators, ``python -m tools.draw_indicators
rsi`` one. The share was halted for 51 sessions, so that a warm-up and sessions without a value are to be seen. The same
pictures come out, to the byte, with the same version of matplotlib.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import typer
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter
from numpy.typing import NDArray

from include.indicators.compute import Indicators, compute
from include.indicators.panel import Panel
from include.settings import PROJECT_ROOT
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.world import World

FOLDER = PROJECT_ROOT / "docs" / "images" / "indicators"

_SYMBOL, _INDEX = "938070", "코스닥"
_FIRST, _LAST = date(2023, 1, 2), date(2024, 12, 30)
# From the share's first session on: short pictures end some weeks after the halt.
_SHORT, _LONG = 245, 488
_INK, _QUIET, _BAND = "#333a46", "#8a93a3", "#e9ecf1"
_COLOURS = ("#1f5fa8", "#c2571a", "#2f7d4f", "#7a4fa3", "#b08a12", "#1c8c9c")
_RISE, _FALL = "#c0392b", "#1f5fa8"
_CLOSE_BACK = 26

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pane:
    """A chart below the price: lines of ``columns``, bars of one, and levels readers look at.

    ``inputs`` are columns of the panel drawn with them: as bars where they are quantities of a session.
    """

    columns: tuple[str, ...]
    unit: str
    levels: tuple[float, ...] = ()
    bars: str | None = None
    inputs: tuple[str, ...] = ()
    large: bool = False
    limits: tuple[float, float] | None = None


@dataclass(frozen=True)
class Picture:
    """The close with ``over`` drawn on it, above its panes; ``title`` says what to look at."""

    family: str
    title: str
    over: tuple[str, ...] = ()
    panes: tuple[Pane, ...] = ()
    sessions: int = _SHORT

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it shows."""
        return self.over + tuple(name for pane in self.panes for name in pane.columns)


_ICHIMOKU = tuple(f"ichimoku_{name}" for name in ("tenkan", "kijun", "senkou_a", "senkou_b", "chikou"))

PICTURES: Mapping[str, Picture] = {
    "sma": Picture(
        "trend",
        "Simple moving averages: each begins when its window is full",
        tuple(f"sma_{sessions}" for sessions in (5, 20, 50, 60, 120, 200)),
        sessions=_LONG,
    ),
    "ema": Picture("trend", "Exponential moving averages follow the close more closely", ("ema_12", "ema_26")),
    "macd": Picture(
        "trend",
        "MACD: the fast less the slow average, its own average, and the gap between them",
        panes=(Pane(("macd", "macd_signal", "macd_histogram"), "KRW", (0,), bars="macd_histogram"),),
    ),
    "ichimoku": Picture("trend", "Ichimoku: the cloud stands where it was computed 26 sessions before", _ICHIMOKU),
    "adx": Picture(
        "trend",
        "ADX says how strong the trend is, the directional indicators which way",
        panes=(Pane(("adx_14", "plus_di_14", "minus_di_14"), "percent", (20,)),),
    ),
    "rsi": Picture(
        "momentum",
        "RSI: oversold below 30, overbought above 70",
        panes=(Pane(("rsi_14",), "percent", (30, 70), limits=(0, 100)),),
    ),
    "stochastic": Picture(
        "momentum",
        "Stochastic: where the close is in the range of 14 sessions",
        panes=(Pane(("stochastic_k", "stochastic_d"), "percent", (20, 80), limits=(0, 100)),),
    ),
    "williams_r": Picture(
        "momentum",
        "Williams %R: 0 is the highest high of 14 sessions, -100 the lowest low",
        panes=(Pane(("williams_r_14",), "percent", (-80, -20), limits=(-100, 0)),),
    ),
    "cci": Picture(
        "momentum",
        "Commodity channel index: how far from its mean, in mean deviations",
        panes=(Pane(("cci_20",), "ratio", (-100, 100)),),
    ),
    "roc": Picture("momentum", "Rate of change over ten sessions", panes=(Pane(("roc_10",), "percent", (0,)),)),
    "bollinger": Picture(
        "volatility",
        "Bollinger bands: two standard deviations about the mean of 20 sessions",
        ("bollinger_upper", "bollinger_middle", "bollinger_lower"),
        (Pane(("bollinger_percent_b",), "ratio", (0, 1)), Pane(("bollinger_width",), "ratio")),
    ),
    "atr": Picture("volatility", "Average true range: what a session moves, in won", panes=(Pane(("atr_14",), "KRW"),)),
    "realised_volatility": Picture(
        "volatility",
        "Realised volatility of 20 returns, per year",
        panes=(Pane(("realised_volatility_20",), "ratio per year"),),
    ),
    "52_weeks": Picture(
        "levels",
        "52-week high and low: 250 traded sessions make the first",
        ("high_52_weeks", "low_52_weeks"),
        sessions=_LONG,
    ),
    "mfi": Picture(
        "volume", "Money flow index: RSI of the money", panes=(Pane(("mfi_14",), "percent", (20, 80), limits=(0, 100)),)
    ),
    "obv": Picture(
        "volume", "On-balance volume, since the first session", panes=(Pane(("obv",), "shares", large=True),)
    ),
    "volume_ratio": Picture(
        "volume",
        "Volume, and how many times the usual it is",
        panes=(
            Pane((), "shares", inputs=("volume",), large=True),
            Pane(("volume_ratio_20",), "ratio", (1,)),
        ),
    ),
    "beta": Picture(
        "market",
        "Beta to the index: the slope of 60 returns on the index's",
        panes=(Pane((), "points", inputs=("index_close",)), Pane(("beta_60",), "ratio", (1,))),
    ),
    "relative_strength": Picture(
        "market",
        "Relative strength to the index: above 0 the share did better over 60 sessions",
        panes=(Pane((), "points", inputs=("index_close",)), Pane(("relative_strength_60",), "ratio", (0,))),
    ),
    "foreign_net": Picture(
        "flows",
        "Net buying by foreigners: the session's (bars), and sums over 5 and 20 sessions",
        panes=(
            Pane(("foreign_net_krw_5", "foreign_net_krw_20"), "KRW", (0,), inputs=("foreign_net_krw",), large=True),
        ),
    ),
    "institution_net": Picture(
        "flows",
        "Net buying by institutions: the session's (bars), and sums over 5 and 20 sessions",
        panes=(
            Pane(
                ("institution_net_krw_5", "institution_net_krw_20"),
                "KRW",
                (0,),
                inputs=("institution_net_krw",),
                large=True,
            ),
        ),
    ),
    "foreign_pct_change": Picture(
        "flows",
        "Foreign ownership, and its change over 20 sessions",
        panes=(
            Pane((), "percent", inputs=("foreign_pct",)),
            Pane(("foreign_pct_change_20",), "percentage points", (0,)),
        ),
    ),
}
# Not an indicator's own: what all of them make of a price that stands still.
FLAT_PICTURE = "flat_window"
_FLAT_SESSIONS = slice(60, 100)


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Pictures; by default all.")] = None,
    folder: Annotated[Path, typer.Option(help="Where to draw them.")] = FOLDER,
) -> None:
    """Draw the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or [*PICTURES, FLAT_PICTURE]:
        if name == FLAT_PICTURE:
            text = draw_flat_window(_share())
        elif name in PICTURES:
            text = draw(_share(), PICTURES[name])
        else:
            raise typer.BadParameter(f"no picture is called {name!r}; there are: {', '.join(PICTURES)}")
        (folder / f"{name}.svg").write_text(text, encoding="utf-8")


def draw_flat_window(panel: Panel) -> str:
    """What has no value where nothing moves: ``panel``, made to stand still for 40 sessions."""
    standing: dict[str, Any] = {}
    for name in ("high", "low", "close"):
        values = getattr(panel, name).copy()
        values[_FLAT_SESSIONS] = panel.close[_FLAT_SESSIONS.start - 1]
        standing[name] = values
    picture = Picture(
        "overview",
        "A price that stands still: no value is made up",
        panes=(
            Pane(("rsi_14", "stochastic_k"), "percent", limits=(0, 100)),
            Pane(("bollinger_percent_b",), "ratio"),
        ),
        sessions=140,
    )
    return draw(replace(panel, **standing), picture, ("same price", panel.sessions[_FLAT_SESSIONS]))


def draw(panel: Panel, picture: Picture, marked: tuple[str, NDArray[np.datetime64]] | None = None) -> str:
    """The picture of a panel of one share, as SVG; ``marked`` names some sessions in it."""
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
        heights = [2.2 if picture.panes else 3.0, *(1.7 for _ in picture.panes)]
        figure, grid = plt.subplots(
            len(heights), 1, sharex=True, squeeze=False, figsize=(8.6, 1.15 * sum(heights)), height_ratios=heights,
            layout="constrained",
        )  # fmt: skip
        charts: list[Axes] = list(grid[:, 0])
        shown = slice(0, picture.sessions)
        results = compute(panel)
        figure.suptitle(picture.title, x=0.01, ha="left", fontsize=11)
        _draw_price(charts[0], panel, results, picture, shown)
        for chart, pane in zip(charts[1:], picture.panes, strict=True):
            _draw_pane(chart, panel, results, pane, shown)
        for chart in charts:
            _mark_halt(chart, panel, shown)
            if marked:
                chart.axvspan(marked[1][0], marked[1][-1], color=_BAND, linewidth=0, zorder=0)
            _finish(chart, panel.sessions[shown])
        if marked:
            _label(charts[0], marked[0], marked[1][0])
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
        plt.close(figure)
    return _lighter(out.getvalue())


def _draw_price(chart: Axes, panel: Panel, results: Indicators, picture: Picture, shown: slice) -> None:
    days, traded = panel.sessions[shown], panel.traded[shown]
    close = np.where(traded, panel.close[shown], np.nan)
    chart.fill_between(days, panel.low[shown], panel.high[shown], color="#d5dae3", linewidth=0, zorder=1)
    chart.plot(days, close, color=_INK, linewidth=1.0, label="close", zorder=3)
    if "ichimoku_tenkan" in picture.over:
        _draw_ichimoku(chart, results, days, shown)
    else:
        _draw_lines(chart, results, picture.over, days, shown)
    chart.set_ylabel("KRW")
    chart.yaxis.set_major_formatter("{x:,.0f}")
    _shade_warm_up(chart, results, picture.over, days, shown)


def _draw_pane(chart: Axes, panel: Panel, results: Indicators, pane: Pane, shown: slice) -> None:
    days = panel.sessions[shown]
    for name in pane.inputs:
        values = np.where(panel.traded[shown], getattr(panel, name)[shown], np.nan)
        if name in ("volume", "foreign_net_krw", "institution_net_krw"):
            label = f"{name.replace('_', ' ')} of the session"
            chart.fill_between(days, values, step="mid", color="#b9c2d0", linewidth=0, label=label)
        else:
            chart.plot(days, values, color=_QUIET, linewidth=1.2, label=name.replace("_", " "))
    if pane.bars:
        values = _values(results, pane.bars, shown)
        for colour, part in ((_RISE, np.fmax(values, 0)), (_FALL, np.fmin(values, 0))):
            chart.fill_between(
                days, np.where(np.isnan(values), np.nan, part), step="mid", color=colour, alpha=0.45, linewidth=0
            )
        chart.plot([], [], color=_RISE, alpha=0.45, linewidth=5, label=pane.bars)
    _draw_lines(chart, results, tuple(name for name in pane.columns if name != pane.bars), days, shown)
    for level in pane.levels:
        chart.axhline(level, color=_QUIET, linewidth=0.8, linestyle="--", zorder=0)
    chart.set_ylabel(pane.unit)
    chart.yaxis.set_major_formatter(EngFormatter(sep="") if pane.large else "{x:,g}")
    if pane.limits:
        chart.set_ylim(*pane.limits)
    _shade_warm_up(chart, results, pane.columns, days, shown)


def _draw_lines(
    chart: Axes, results: Indicators, columns: tuple[str, ...], days: NDArray[np.datetime64], shown: slice
) -> None:
    """Each with a dot where its first value is."""
    for name, colour in zip(columns, _COLOURS, strict=False):
        values = _values(results, name, shown)
        chart.plot(days, values, color=colour, linewidth=1.3, label=name, zorder=2)
        first = int(np.flatnonzero(~np.isnan(values))[0])
        chart.plot(days[first], values[first], "o", color=colour, markersize=4, zorder=4)


def _draw_ichimoku(chart: Axes, results: Indicators, days: NDArray[np.datetime64], shown: slice) -> None:
    span_a, span_b = (_values(results, name, shown) for name in _ICHIMOKU[2:4])
    chart.fill_between(days, span_a, span_b, where=span_a >= span_b, color=_RISE, alpha=0.15, linewidth=0)
    chart.fill_between(days, span_a, span_b, where=span_a < span_b, color=_FALL, alpha=0.15, linewidth=0)
    _draw_lines(chart, results, _ICHIMOKU[:4], days, shown)
    # As a chart does: sessions without trading are not counted.
    there = np.flatnonzero(~np.isnan(_values(results, "ichimoku_tenkan", slice(None))))
    back = np.full(len(results), np.nan)
    back[there[:-_CLOSE_BACK]] = _values(results, "ichimoku_chikou", slice(None))[there[_CLOSE_BACK:]]
    label = "ichimoku_chikou, 26 sessions back"
    chart.plot(days, back[shown], color=_COLOURS[4], linewidth=1.1, linestyle=":", label=label)


def _shade_warm_up(
    chart: Axes, results: Indicators, columns: tuple[str, ...], days: NDArray[np.datetime64], shown: slice
) -> None:
    """From the share's first session to the first value of any of the columns."""
    if not columns:
        return
    first = min(int(np.flatnonzero(~np.isnan(_values(results, name, shown)))[0]) for name in columns)
    if first > 5:
        chart.axvspan(days[0], days[first], color=_BAND, linewidth=0, zorder=0)
        _label(chart, "warm-up", days[0])


def _mark_halt(chart: Axes, panel: Panel, shown: slice) -> None:
    days, halted = panel.sessions[shown], np.flatnonzero(~panel.traded[shown])
    if not len(halted):
        return
    chart.axvspan(
        days[halted[0]], days[halted[-1]], facecolor="none", edgecolor="#c9cfda", hatch="///", linewidth=0, zorder=0
    )
    _label(chart, "halted", days[halted[0]])


def _label(chart: Axes, text: str, day: np.datetime64) -> None:
    """Over the foot of the chart, from ``day`` on."""
    place: Any = (day, 0.0)
    chart.annotate(
        text, place, (3, 3), xycoords=("data", "axes fraction"), textcoords="offset points", color=_QUIET, fontsize=8
    )


def _finish(chart: Axes, days: NDArray[np.datetime64]) -> None:
    chart.set_xlim(days[0], days[-1])
    chart.spines[["top", "right"]].set_visible(False)
    chart.grid(axis="y", linewidth=0.4, alpha=0.5)
    handles, labels = chart.get_legend_handles_labels()
    if len(labels) > 1 or labels != ["close"]:
        chart.legend(
            handles, labels, frameon=False, fontsize=8, ncols=min(len(labels), 4), loc="lower left",
            bbox_to_anchor=(0, 1.0), borderaxespad=0.1,
        )  # fmt: skip


def _values(results: Indicators, name: str, shown: slice) -> Floats:
    values: Floats = results.column(name).to_numpy(zero_copy_only=False)[shown]
    return values


def _lighter(svg: str) -> str:
    """Coordinates to a tenth of a point: half the size, and nothing an eye could see."""

    def rounded(found: re.Match[str]) -> str:
        return re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.1f}".removesuffix(".0"), found[0])

    return re.sub(r' d="[^"]*"', rounded, svg)


@cache
def _share() -> Panel:
    """The share's bars with index, flows and holdings, from its first session on."""
    world = World(SimulatedMarket(seed=1, symbols=60, first=_FIRST, last=_LAST))
    bars = _history(world, "daily_bar", _SYMBOL, ("high", "low", "close", "volume", "market"))
    days = bars["session"].to_pylist()
    flows = world.history("investor_flow", _SYMBOL, _FIRST, _LAST)
    # A class that did not trade has no row.
    net = {
        who: dict.fromkeys(days, 0) | _by_session(flows.filter(pc.equal(flows["investor"], who)), "net_krw")
        for who in ("foreign", "institution")
    }
    holdings = _by_session(_history(world, "foreign_holding", _SYMBOL, ("foreign_pct",)), "foreign_pct")
    index = _by_session(_history(world, "index_bar", _INDEX, ("close",)), "close")
    missing = pa.nulls(bars.num_rows, pa.int64())
    prices = {name: pc.if_else(pc.equal(bars[name], 0), missing, bars[name]) for name in ("high", "low")}
    return Panel.from_arrow(
        pa.table(
            {
                "symbol": [_SYMBOL] * len(days),
                "session": days,
                **prices,
                "close": bars["close"],
                "volume": bars["volume"],
                "index_close": [float(index[day]) for day in days],
                "foreign_net_krw": [net["foreign"][day] for day in days],
                "institution_net_krw": [net["institution"][day] for day in days],
                "foreign_pct": [float(holdings[day]) if day in holdings else None for day in days],
            }
        )
    )


def _history(world: World, dataset: str, subject: str, columns: tuple[str, ...]) -> pa.Table:
    return world.history(dataset, subject, _FIRST, _LAST).select(["session", *columns])


def _by_session(rows: pa.Table, column: str) -> dict[date, Any]:
    return dict(zip(rows["session"].to_pylist(), rows[column].to_pylist(), strict=True))


if __name__ == "__main__":
    typer.run(main)
