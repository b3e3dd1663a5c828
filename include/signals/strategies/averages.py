"""Moving averages: the close breaks out of one, or a fast one crosses a slow one."""

from __future__ import annotations

from include.indicators.windows import Flags
from include.signals.history import History
from include.signals.strategy import Scale, Side, Strategy, whole, within

_FAMILY = "moving averages"
_MURPHY = "Murphy, Technical Analysis of the Financial Markets (1999), chapter 9"


def average_breakout(sessions: int, side: Side, *, pct: float = 2, strongest_pct: float = 8) -> Strategy:
    """The close goes more than ``pct`` percent beyond its average of ``sessions``; strongest at ``strongest_pct``.

    Raises:
        StrategyError: ``sessions`` is not a whole number from 1 on, or ``pct`` not from 0 to 50.
        UnknownColumnError: there is no such average.
    """
    average = f"sma_{whole('sessions', sessions)}"
    beyond, sign = ("above", 1) if side == "buy" else ("below", -1)
    factor = 1 + sign * within("pct", pct, 0, 50) / 100

    def condition(history: History) -> Flags:
        level = factor * history[average]
        return history.crosses_above("close", level) if side == "buy" else history.crosses_below("close", level)

    return Strategy(
        name=f"ma{sessions}_{'breakout' if side == 'buy' else 'breakdown'}",
        version=1,
        title=f"{'Breakout above' if side == 'buy' else 'Breakdown below'} the {sessions}-session average",
        family=_FAMILY,
        side=side,
        memory=1,
        condition=condition,
        words=f"`close` goes from at most to more than {pct:g}% {beyond} `{average}`",
        strength=(Scale("distance_pct", 0, strongest_pct, f"`close` {beyond} `{average}`, %"),),
        reason=f"close {{close:,.0f}} is {{distance_pct:.1f}}% {beyond} its {sessions}-session average "
        f"{{{average}:,.0f}}",
        source=f"{_MURPHY}: a filter of a few percent against false crossings",
        figures={"distance_pct": lambda at: sign * 100 * (at["close"] / at[average] - 1)},
    )


def average_cross(fast: int, slow: int, side: Side, *, strongest_pct: float) -> Strategy:
    """The average of ``fast`` sessions crosses that of ``slow``; strongest with the close ``strongest_pct`` beyond.

    Raises:
        StrategyError: ``fast`` and ``slow`` are not whole numbers, ``slow`` the greater one.
        UnknownColumnError: there is no such average.
    """
    quick, steady = f"sma_{whole('fast', fast)}", f"sma_{whole('slow', slow, fast + 1)}"
    golden = side == "buy"
    beyond, sign = ("above", 1) if golden else ("below", -1)

    def condition(history: History) -> Flags:
        return history.crosses_above(quick, steady) if golden else history.crosses_below(quick, steady)

    return Strategy(
        name=f"{'golden' if golden else 'dead'}_cross_{fast}_{slow}",
        version=1,
        title=f"{'Golden' if golden else 'Dead'} cross {fast}/{slow}",
        family=_FAMILY,
        side=side,
        memory=1,
        condition=condition,
        words=f"`{quick}` crosses {beyond} `{steady}`",
        strength=(Scale("beyond_pct", 0, strongest_pct, f"`close` {beyond} `{steady}`, %"),),
        reason=f"the {fast}-session average {{{quick}:,.0f}} crossed {beyond} the {slow}-session {{{steady}:,.0f}}; "
        "close {close:,.0f}, {distance_pct:+z.1f}% from it",
        source=f"{_MURPHY}: the double crossover",
        figures={
            "distance_pct": lambda at: 100 * (at["close"] / at[steady] - 1),
            "beyond_pct": lambda at: sign * 100 * (at["close"] / at[steady] - 1),
        },
    )


STRATEGIES = (
    *(average_breakout(sessions, side) for sessions in (20, 50, 200) for side in ("buy", "sell")),
    *(
        average_cross(fast, slow, side, strongest_pct=strongest_pct)
        for fast, slow, strongest_pct in ((5, 20, 10), (20, 60, 15), (50, 200, 25))
        for side in ("buy", "sell")
    ),
)
