"""Volume and levels: volume surges, new extremes of 52 weeks, gaps."""

from __future__ import annotations

from include.indicators.windows import Flags, Floats
from include.signals.history import History
from include.signals.strategy import Scale, Side, Strategy, View, within

_FAMILY = "volume and levels"
_MURPHY = "Murphy, Technical Analysis of the Financial Markets (1999)"


def change_pct(at: History | View) -> Floats:
    """The close over that of the session before, less one, percent."""
    return 100 * (at["close"] / at.before("close", 1) - 1)


def volume_surge(side: Side, *, times: float = 3, pct: float = 3) -> Strategy:
    """The price moves by more than ``pct`` percent on more than ``times`` the usual volume.

    Raises:
        StrategyError: ``times`` is not from 1 to 1,000, or ``pct`` not from 0 to 30.
    """
    within("times", times, 1, 1000)
    within("pct", pct, 0, 30)
    rises = side == "buy"
    sign = 1 if rises else -1

    def condition(history: History) -> Flags:
        level = (1 + sign * pct / 100) * history.before("close", 1)
        moved = history.above("close", level) if rises else history.below("close", level)
        return moved & history.above("volume_ratio_20", times)

    way = "up" if rises else "down"
    return Strategy(
        name=f"volume_surge_{way}",
        version=1,
        title=f"Volume surge, {way}",
        family=_FAMILY,
        side=side,
        memory=1,
        condition=condition,
        words=f"`volume_ratio_20` is above {times:g}, and `close` more than {pct:g}% {way} from the session before; "
        "every session on which this is so",
        strength=(
            Scale("volume_ratio_20", 1, 8, "`volume_ratio_20`"),
            Scale("move_pct", 0, 12, f"`close` {way} from the session before, %"),
        ),
        reason="close {close:,.0f}, {change_pct:+.1f}%, on {volume_ratio_20:.1f} times the usual volume",
        source=f"{_MURPHY}, chapter 7: volume precedes price",
        figures={"change_pct": change_pct, "move_pct": lambda at: sign * change_pct(at)},
    )


def extreme_of_year(side: Side) -> Strategy:
    """The close goes beyond the extreme of the 52 weeks before."""
    rises = side == "buy"
    level, over, sign = ("high_52_weeks", "above", 1) if rises else ("low_52_weeks", "below", -1)

    def condition(history: History) -> Flags:
        extreme = history.before(level, 1)
        return history.crosses_above("close", extreme) if rises else history.crosses_below("close", extreme)

    extreme = "high" if rises else "low"
    return Strategy(
        name=f"{extreme}_52_weeks_{'breakout' if rises else 'breakdown'}",
        version=1,
        title=f"52-week {extreme} {'breakout' if rises else 'breakdown'}",
        family=_FAMILY,
        side=side,
        memory=2,
        condition=condition,
        words=f"`close` is {over} `{level}` of the session before, and was not on the session before",
        strength=(Scale("distance_pct", 0, 5, f"`close` {over} that {extreme}, %"),),
        reason=f"close {{close:,.0f}} is {{distance_pct:.1f}}% {over} the 52-week {extreme} so far, {{extreme:,.0f}}",
        source="George and Hwang, The 52-Week High and Momentum Investing, Journal of Finance (October 2004)",
        figures={
            "extreme": lambda at: at.before(level, 1),
            "distance_pct": lambda at: sign * 100 * (at["close"] / at.before(level, 1) - 1),
        },
    )


def gap(side: Side, *, pct: float = 2) -> Strategy:
    """The session opens more than ``pct`` percent beyond the close before; a gap to its range is left.

    Raises:
        StrategyError: ``pct`` is not from 0 to 30.
    """
    within("pct", pct, 0, 30)
    rises = side == "buy"
    sign = 1 if rises else -1

    def condition(history: History) -> Flags:
        level = (1 + sign * pct / 100) * history.before("close", 1)
        if rises:
            return history.above("open", level) & history.above("low", history.before("high", 1))
        return history.below("open", level) & history.below("high", history.before("low", 1))

    near, far, over = ("low", "high", "above") if rises else ("high", "low", "below")
    return Strategy(
        name=f"gap_{'up' if rises else 'down'}",
        version=1,
        title=f"Gap {'up' if rises else 'down'}",
        family=_FAMILY,
        side=side,
        memory=1,
        condition=condition,
        words=f"`open` is more than {pct:g}% {over} `close` of the session before, and `{near}` {over} its `{far}`; "
        "every session on which this is so",
        strength=(Scale("gap_pct", 0, 8, f"`open` {over} `close` of the session before, %"),),
        reason=f"opened at {{open:,.0f}}, {{gap_pct:.1f}}% {over} the close before; the {near} {{{near}:,.0f}} left a "
        f"gap to the {far} before, {{edge:,.0f}}",
        source=f"{_MURPHY}, chapter 4: gaps",
        figures={
            "gap_pct": lambda at: sign * 100 * (at["open"] / at.before("close", 1) - 1),
            "edge": lambda at: at.before(far, 1),
        },
    )


STRATEGIES = tuple(kind(side) for kind in (volume_surge, extreme_of_year, gap) for side in ("buy", "sell"))
