"""Flows: foreigners or institutions accumulate."""

from __future__ import annotations

from typing import Literal

from include.indicators.windows import Flags, Floats
from include.signals.history import History
from include.signals.strategy import Scale, Strategy, View, within


def accumulation(who: Literal["foreign", "institution"], *, pct: float = 5) -> Strategy:
    """What they bought net over 20 sessions is more than ``pct`` percent of what was traded, and goes on.

    Raises:
        StrategyError: ``pct`` is not from 0 to 100.
    """
    within("pct", pct, 0, 100)
    month, week = f"{who}_net_krw_20", f"{who}_net_krw_5"

    def share_pct(at: History | View) -> Floats:
        # The mean volume of the 20 sessions before, at the mean price of the last 20, is their turnover or nearly.
        turnover = 20 * at["sma_20"] * at["volume"] / at["volume_ratio_20"]
        return 100 * at[month] / turnover

    def condition(history: History) -> Flags:
        return history.began((share_pct(history) > pct) & history.above(week, 0))

    people = f"{who}{'er' if who == 'foreign' else ''}s"
    return Strategy(
        name=f"{who}_accumulation",
        version=1,
        title=f"Accumulation by {people}",
        family="flows",
        side="buy",
        memory=1,
        condition=condition,
        words=f"`{month}` is more than {pct:g}% of 20 sessions' turnover (20 times `sma_20` times the mean volume of "
        f"the 20 sessions before), and `{week}` is positive; the first session on which both are so",
        strength=(Scale("share_pct", 0, 15, f"`{month}` in turnover, %"),),
        reason=f"{people} bought {{net:,.0f}} million won net in 20 sessions, {{share_pct:.1f}}% of the turnover; "
        "close {close:,.0f}",
        source="Choe, Kho and Stulz, Do Foreign Investors Destabilize Stock Markets?, Journal of Financial Economics "
        "(October 1999), on Korea; the threshold is ours",
        figures={"share_pct": share_pct, "net": lambda at: at[month] / 1e6},
    )


STRATEGIES = (accumulation("foreign"), accumulation("institution"))
