"""Trends that begin or turn: MACD, Ichimoku and the directional movement."""

from __future__ import annotations

import numpy as np

from include.indicators.windows import Flags, Floats
from include.signals.history import History
from include.signals.strategy import Scale, Side, Strategy, View, within

_FAMILY = "trends"
_APPEL = "Appel, Technical Analysis (2005)"
_HOSODA = "Hosoda, Ichimoku Kinko Hyo (1969)"


def macd_cross(side: Side) -> Strategy:
    """MACD crosses its signal line; strongest with the histogram at a fifth of the average true range."""
    rises = side == "buy"
    over, sign = ("above", 1) if rises else ("below", -1)

    def condition(history: History) -> Flags:
        return history.crosses_above("macd", "macd_signal") if rises else history.crosses_below("macd", "macd_signal")

    return Strategy(
        name=f"macd_cross_{'up' if rises else 'down'}",
        version=1,
        title=f"MACD crosses {over} its signal",
        family=_FAMILY,
        side=side,
        memory=1,
        condition=condition,
        words=f"`macd` crosses {over} `macd_signal`",
        strength=(Scale("histogram", 0, 0.2, f"`macd` {over} `macd_signal`, in units of `atr_14`"),),
        reason=f"MACD {{macd:,.1f}} crossed {over} its signal {{macd_signal:,.1f}}, by {{histogram:.2f}} of the "
        "average true range",
        source=_APPEL,
        figures={"histogram": lambda at: sign * at["macd_histogram"] / at["atr_14"]},
    )


def macd_zero(side: Side) -> Strategy:
    """MACD crosses zero: the fast average crosses the slow one; strongest with a histogram of half the true range."""
    rises = side == "buy"
    over, sign = ("above", 1) if rises else ("below", -1)

    def condition(history: History) -> Flags:
        return history.crosses_above("macd", 0) if rises else history.crosses_below("macd", 0)

    return Strategy(
        name=f"macd_zero_{'up' if rises else 'down'}",
        version=1,
        title=f"MACD crosses {over} zero",
        family=_FAMILY,
        side=side,
        memory=1,
        condition=condition,
        words=f"`macd` crosses {over} 0",
        strength=(Scale("histogram", 0, 0.5, f"`macd` {over} `macd_signal`, in units of `atr_14`"),),
        reason=f"MACD {{macd:,.1f}} crossed {over} zero; its signal is {{macd_signal:,.1f}}",
        source=_APPEL,
        figures={"histogram": lambda at: sign * at["macd_histogram"] / at["atr_14"]},
    )


def _cloud(history: History | View, side: Side) -> Floats:
    """The cloud's edge a rise, or a fall, has to cross."""
    edge = np.maximum if side == "buy" else np.minimum
    found: Floats = edge(history["ichimoku_senkou_a"], history["ichimoku_senkou_b"])
    return found


def cloud_breakout(side: Side) -> Strategy:
    """The close leaves Ichimoku's cloud; strongest at 5% beyond it."""
    rises = side == "buy"
    over, edge, sign = ("above", "upper", 1) if rises else ("below", "lower", -1)

    def condition(history: History) -> Flags:
        cross = history.crosses_above if rises else history.crosses_below
        return cross("close", _cloud(history, side))

    return Strategy(
        name=f"ichimoku_cloud_{'breakout' if rises else 'breakdown'}",
        version=1,
        title=f"Ichimoku cloud {'breakout' if rises else 'breakdown'}",
        family=_FAMILY,
        side=side,
        memory=1,
        condition=condition,
        words=f"`close` crosses {over} both `ichimoku_senkou_a` and `ichimoku_senkou_b`",
        strength=(Scale("distance_pct", 0, 5, f"`close` {over} the cloud, %"),),
        reason=f"close {{close:,.0f}} is {{distance_pct:.1f}}% {over} the cloud's {edge} edge {{edge:,.0f}}",
        source=_HOSODA,
        figures={
            "edge": lambda at: _cloud(at, side),
            "distance_pct": lambda at: sign * 100 * (at["close"] / _cloud(at, side) - 1),
        },
    )


def tenkan_cross(side: Side) -> Strategy:
    """Tenkan crosses kijun; stronger the further the close is on that side of the cloud, strongest at 10%."""
    rises = side == "buy"
    over, sign = ("above", 1) if rises else ("below", -1)

    def condition(history: History) -> Flags:
        cross = history.crosses_above if rises else history.crosses_below
        cloud_known = history.above("ichimoku_senkou_b", 0) & history.above("ichimoku_senkou_a", 0)
        return cross("ichimoku_tenkan", "ichimoku_kijun") & cloud_known

    def from_cloud(at: View) -> Floats:
        middle = (at["ichimoku_senkou_a"] + at["ichimoku_senkou_b"]) / 2
        return 100 * (at["close"] / middle - 1)

    return Strategy(
        name=f"ichimoku_tk_cross_{'up' if rises else 'down'}",
        version=1,
        title=f"Ichimoku TK cross, {'upwards' if rises else 'downwards'}",
        family=_FAMILY,
        side=side,
        memory=1,
        condition=condition,
        words=f"`ichimoku_tenkan` crosses {over} `ichimoku_kijun`, the cloud being known",
        strength=(Scale("beyond_cloud_pct", -10, 10, f"`close` {over} the middle of the cloud, %"),),
        reason=f"tenkan {{ichimoku_tenkan:,.0f}} crossed {over} kijun {{ichimoku_kijun:,.0f}}; close {{close:,.0f}}, "
        "{from_cloud_pct:+z.1f}% from the middle of the cloud",
        source=f"{_HOSODA}: strong beyond the cloud, weak before it",
        figures={"from_cloud_pct": from_cloud, "beyond_cloud_pct": lambda at: sign * from_cloud(at)},
    )


def adx_trend(side: Side, *, threshold: float = 25) -> Strategy:
    """ADX rises above ``threshold``, with the directional indicators telling the direction.

    Raises:
        StrategyError: the threshold is not from 0 to 100.
    """
    within("the threshold of adx_14", threshold, 0, 100)
    rises = side == "buy"
    leads, trails = ("plus_di_14", "minus_di_14") if rises else ("minus_di_14", "plus_di_14")
    signs = ("+", "-") if rises else ("-", "+")
    return Strategy(
        name=f"adx_trend_{'up' if rises else 'down'}",
        version=1,
        title=f"ADX {'up' if rises else 'down'}trend",
        family=_FAMILY,
        side=side,
        memory=1,
        condition=lambda history: history.crosses_above("adx_14", threshold) & history.above(leads, trails),
        words=f"`adx_14` crosses above {threshold:g}, and `{leads}` is above `{trails}`",
        strength=(Scale("lead", 0, 30, f"`{leads}` less `{trails}`"),),
        reason=f"ADX {{adx_14:.1f}} rose above {threshold:g} with {signs[0]}DI {{{leads}:.1f}} over {signs[1]}DI "
        f"{{{trails}:.1f}}",
        source="Wilder, New Concepts in Technical Trading Systems (1978)",
        figures={"lead": lambda at: at[leads] - at[trails]},
    )


STRATEGIES = tuple(
    kind(side) for kind in (macd_cross, macd_zero, cloud_breakout, tenkan_cross, adx_trend) for side in ("buy", "sell")
)
