"""Oscillators at their extremes: RSI, MFI, CCI and the stochastic, and RSI that does not follow the price."""

from __future__ import annotations

from include.indicators.windows import Flags
from include.signals.history import History
from include.signals.strategy import Scale, Side, Strategy, whole, within

_FAMILY = "oscillators"
_WILDER = "Wilder, New Concepts in Technical Trading Systems (1978)"


def extreme(
    name: str,
    column: str,
    title: str,
    threshold: float,
    *,
    ends: tuple[float, float],
    span: tuple[float, float],
    source: str,
) -> Strategy:
    """An oscillator goes beyond ``threshold``: to buy where the scale of strength ``ends`` lower than it begins.

    ``span`` is the least and the greatest value the oscillator, or a threshold of it, can have.

    Raises:
        StrategyError: the threshold is outside of ``span``.
        UnknownColumnError: there is no such column.
    """
    within(f"the threshold of {column}", threshold, *span)
    oversold = ends[1] < ends[0]
    side: Side = "buy" if oversold else "sell"
    beyond = "below" if oversold else "above"

    def condition(history: History) -> Flags:
        return history.crosses_below(column, threshold) if oversold else history.crosses_above(column, threshold)

    return Strategy(
        name=f"{name}_{'oversold' if oversold else 'overbought'}",
        version=1,
        title=f"{title} {'oversold' if oversold else 'overbought'}",
        family=_FAMILY,
        side=side,
        memory=1,
        condition=condition,
        words=f"`{column}` crosses {beyond} {threshold:g}",
        strength=(Scale(column, *ends, f"`{column}`"),),
        reason=f"{title} {{{column}:.1f}} fell below {threshold:g}; close {{close:,.0f}}"
        if oversold
        else f"{title} {{{column}:.1f}} rose above {threshold:g}; close {{close:,.0f}}",
        source=source,
    )


def rsi_divergence(side: Side, *, sessions: int = 25, recent: int = 5, points: float = 5, weak: float = 35) -> Strategy:
    """The close goes beyond all of ``sessions`` before, and RSI stays ``points`` short of its own extreme of them.

    That extreme is more than ``recent`` sessions ago, and beyond ``weak``, mirrored at 50 for the bearish one.

    Raises:
        StrategyError: a window is not of whole sessions or ``recent`` not the shorter one; ``points`` or ``weak`` are
            not from 0 to 50.
    """
    whole("recent", recent)
    whole("sessions", sessions, recent + 1)
    within("points", points, 0, 50)
    within("weak", weak, 0, 50)
    bullish = side == "buy"
    threshold = weak if bullish else 100 - weak

    def condition(history: History) -> Flags:
        if bullish:
            low = history.lowest("rsi_14", sessions)
            new_low = history.below("close", history.lowest("close", sessions))
            earlier = history.lowest("rsi_14", recent) > low
            return history.began(new_low & earlier & (low < threshold) & history.above("rsi_14", low + points))
        high = history.highest("rsi_14", sessions)
        new_high = history.above("close", history.highest("close", sessions))
        earlier = history.highest("rsi_14", recent) < high
        return history.began(new_high & earlier & (high > threshold) & history.below("rsi_14", high - points))

    least, beyond = ("lowest", "below") if bullish else ("highest", "above")
    return Strategy(
        name=f"rsi_divergence_{'bullish' if bullish else 'bearish'}",
        version=1,
        title=f"RSI divergence, {'bullish' if bullish else 'bearish'}",
        family=_FAMILY,
        side=side,
        memory=sessions + 1,
        condition=condition,
        words=f"`close` is {beyond} all {sessions} before; `rsi_14` is more than {points:g} from its own {least} of "
        f"these {sessions} sessions, which is {beyond} {threshold:g} and more than {recent} sessions ago; the first "
        "session on which all this is so",
        strength=(Scale("points", 0, 20, f"`rsi_14` from its own {least} of {sessions} sessions"),),
        reason=f"close {{close:,.0f}} is the {least} in {sessions + 1} sessions, RSI {{rsi_14:.1f}} stays "
        f"{{points:.1f}} from its {least}, {{extreme:.1f}}",
        source=f"{_WILDER}, divergence; the windows are ours",
        figures={
            "extreme": lambda at: at.lowest("rsi_14", sessions) if bullish else at.highest("rsi_14", sessions),
            "points": lambda at: (
                at["rsi_14"] - at.lowest("rsi_14", sessions)
                if bullish
                else at.highest("rsi_14", sessions) - at["rsi_14"]
            ),
        },
    )


def stochastic_cross(side: Side, *, extreme_pct: float = 20) -> Strategy:
    """%K crosses %D while %D is within ``extreme_pct`` percent of the end of its range.

    Raises:
        StrategyError: ``extreme_pct`` is not from 0 to 50.
    """
    within("extreme_pct", extreme_pct, 0, 50)
    buys = side == "buy"
    threshold = extreme_pct if buys else 100 - extreme_pct

    def condition(history: History) -> Flags:
        if buys:
            return history.crosses_above("stochastic_k", "stochastic_d") & history.below("stochastic_d", threshold)
        return history.crosses_below("stochastic_k", "stochastic_d") & history.above("stochastic_d", threshold)

    beyond = "below" if buys else "above"
    return Strategy(
        name=f"stochastic_cross_{'up' if buys else 'down'}",
        version=1,
        title=f"Stochastic cross {'up from the bottom' if buys else 'down from the top'}",
        family=_FAMILY,
        side=side,
        memory=1,
        condition=condition,
        words=f"`stochastic_k` crosses {'above' if buys else 'below'} `stochastic_d`, and `stochastic_d` is {beyond} "
        f"{threshold:g}",
        strength=(Scale("stochastic_d", *((30, 5) if buys else (70, 95)), "`stochastic_d`"),),
        reason=f"%K {{stochastic_k:.1f}} crossed {'above' if buys else 'below'} %D {{stochastic_d:.1f}}, {beyond} "
        f"{threshold:g}; close {{close:,.0f}}",
        source="Lane, see Murphy, Technical Analysis of the Financial Markets (1999), chapter 10",
    )


_PERCENT = (0.0, 100.0)
_QUONG = "Quong and Soudack, Stocks & Commodities (March 1989)"
_LAMBERT = "Lambert's lines, Commodities (October 1980); as extremes, Murphy (1999), chapter 10"

STRATEGIES = (
    extreme("rsi", "rsi_14", "RSI", 30, ends=(40, 20), span=_PERCENT, source=_WILDER),
    extreme("rsi", "rsi_14", "RSI", 70, ends=(60, 80), span=_PERCENT, source=_WILDER),
    rsi_divergence("buy"),
    rsi_divergence("sell"),
    stochastic_cross("buy"),
    stochastic_cross("sell"),
    extreme("mfi", "mfi_14", "MFI", 20, ends=(35, 5), span=_PERCENT, source=_QUONG),
    extreme("mfi", "mfi_14", "MFI", 80, ends=(65, 95), span=_PERCENT, source=_QUONG),
    extreme("cci", "cci_20", "CCI", -100, ends=(0, -250), span=(-500, 0), source=_LAMBERT),
    extreme("cci", "cci_20", "CCI", 100, ends=(0, 250), span=(0, 500), source=_LAMBERT),
)
