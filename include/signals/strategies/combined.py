"""Rules of several indicators that have to agree."""

from __future__ import annotations

from include.indicators.windows import Flags, Floats
from include.signals.history import History
from include.signals.strategies.levels import change_pct
from include.signals.strategy import Scale, Side, Strategy, View, whole, within

_FAMILY = "combined"
_OURS = "Rule of the desk, made of the indicators it names"


def triple_confirmation(side: Side, *, rsi: float = 70, volume: float = 1.5) -> Strategy:
    """Trend, RSI and volume agree; RSI is not yet beyond ``rsi``, mirrored at 50 to sell.

    Raises:
        StrategyError: ``rsi`` is not from 50 to 100, or ``volume`` not from 0 to 100.
    """
    within("rsi", rsi, 50, 100)
    within("volume", volume, 0, 100)
    rises = side == "buy"
    over, sign = ("above", 1) if rises else ("below", -1)
    middle, end = (50, rsi) if rises else (100 - rsi, 50)

    def condition(history: History) -> Flags:
        beyond = history.above if rises else history.below
        trend = beyond("close", "sma_20") & beyond("sma_20", "sma_60")
        momentum = history.above("rsi_14", middle) & history.below("rsi_14", end)
        return history.began(trend & momentum & history.above("volume_ratio_20", volume))

    return Strategy(
        name=f"triple_confirmation_{side}",
        version=1,
        title=f"Triple confirmation, {side}",
        family=_FAMILY,
        side=side,
        memory=1,
        condition=condition,
        words=f"`close` is {over} `sma_20` and that {over} `sma_60`; `rsi_14` is between {middle:g} and {end:g}; "
        f"`volume_ratio_20` is above {volume:g}; the first session on which all three agree",
        strength=(
            Scale("trend_pct", 0, 10, f"`sma_20` {over} `sma_60`, %"),
            Scale("rsi_14", *((45, 70) if rises else (55, 30)), "`rsi_14`"),
            Scale("volume_ratio_20", 1, 3, "`volume_ratio_20`"),
        ),
        reason=f"close {{close:,.0f}} {over} its 20-session average {{sma_20:,.0f}}, that {{trend_pct:.1f}}% {over} "
        "the 60-session; RSI {rsi_14:.1f}; {volume_ratio_20:.1f} times the usual volume",
        source=_OURS,
        figures={"trend_pct": lambda at: sign * 100 * (at["sma_20"] / at["sma_60"] - 1)},
    )


def momentum_breakout(*, sessions: int = 20, pct: float = 10, volume: float = 2) -> Strategy:
    """The close breaks through the highs of ``sessions``, ``pct`` percent up in ten, on ``volume`` times the volume.

    Raises:
        StrategyError: ``sessions`` is not a whole number from 1 on, ``pct`` or ``volume`` not from 0 to 100.
    """
    whole("sessions", sessions)
    within("pct", pct, 0, 100)
    within("volume", volume, 0, 100)

    def condition(history: History) -> Flags:
        breaks = history.above("close", history.highest("high", sessions))
        return history.began(breaks & history.above("roc_10", pct) & history.above("volume_ratio_20", volume))

    return Strategy(
        name="momentum_breakout",
        version=1,
        title="Momentum breakout",
        family=_FAMILY,
        side="buy",
        memory=sessions + 1,
        condition=condition,
        words=f"`close` is above every `high` of the {sessions} sessions before, `roc_10` above {pct:g}, "
        f"`volume_ratio_20` above {volume:g}; the first session on which all are so",
        strength=(Scale("roc_10", 5, 25, "`roc_10`"), Scale("volume_ratio_20", 1, 5, "`volume_ratio_20`")),
        reason=f"close {{close:,.0f}} is above the {sessions}-session high {{highest:,.0f}}, {{roc_10:+.1f}}% in ten "
        "sessions, on {volume_ratio_20:.1f} times the usual volume",
        source="Donchian's channel of four weeks, see Murphy, Technical Analysis of the Financial Markets (1999), "
        "chapter 9; with momentum and volume",
        figures={"highest": lambda at: at.highest("high", sessions)},
    )


def oversold_rebound(*, rsi: float = 30, pct: float = 2, volume: float = 1) -> Strategy:
    """The price turns up by ``pct`` percent the session after RSI was below ``rsi``, on ``volume`` times the volume.

    Raises:
        StrategyError: ``rsi`` is not from 0 to 100, ``pct`` not from 0 to 30, or ``volume`` not from 0 to 100.
    """
    within("rsi", rsi, 0, 100)
    within("pct", pct, 0, 30)
    within("volume", volume, 0, 100)

    def condition(history: History) -> Flags:
        turned = history.above("close", (1 + pct / 100) * history.before("close", 1)) & history.above("close", "open")
        was_oversold = history.before(history.below("rsi_14", rsi), 1)
        return was_oversold & turned & history.above("volume_ratio_20", volume)

    return Strategy(
        name="oversold_rebound",
        version=1,
        title="Oversold rebound",
        family=_FAMILY,
        side="buy",
        memory=1,
        condition=condition,
        words=f"`rsi_14` of the session before was below {rsi:g}; `close` is more than {pct:g}% up from it and above "
        f"`open`; `volume_ratio_20` is above {volume:g}; every session on which this is so",
        strength=(
            Scale("rsi_before", 35, 15, "`rsi_14` of the session before"),
            Scale("change_pct", 0, 8, "`close` up from the session before, %"),
        ),
        reason="close {close:,.0f}, {change_pct:+.1f}%, after RSI {rsi_before:.1f}; {volume_ratio_20:.1f} times the "
        "usual volume",
        source=_OURS,
        figures={"change_pct": change_pct, "rsi_before": lambda at: at.before("rsi_14", 1)},
    )


def stable_trend(*, adx: float = 20, volatility: float = 0.3) -> Strategy:
    """The averages stand in the order of a rise, with a trend by ADX and little volatility (annual, ratio).

    Raises:
        StrategyError: ``adx`` is not from 0 to 100, or ``volatility`` not from 0 to 10.
    """
    within("adx", adx, 0, 100)
    within("volatility", volatility, 0, 10)

    def condition(history: History) -> Flags:
        order = history.above("close", "sma_20") & history.above("sma_20", "sma_60")
        order &= history.above("sma_60", "sma_120")
        calm = history.below("realised_volatility_20", volatility)
        return history.began(order & calm & history.above("adx_14", adx))

    def volatility_pct(at: View) -> Floats:
        return 100 * at["realised_volatility_20"]

    return Strategy(
        name="stable_trend",
        version=1,
        title="Stable trend",
        family=_FAMILY,
        side="buy",
        memory=1,
        condition=condition,
        words="`close` is above `sma_20`, that above `sma_60`, and that above `sma_120`; `adx_14` is above "
        f"{adx:g} and `realised_volatility_20` below {volatility:g}; the first session on which all are so",
        strength=(
            Scale("adx_14", 10, 40, "`adx_14`"),
            Scale("realised_volatility_20", 0.4, 0.1, "`realised_volatility_20`"),
        ),
        reason="close {close:,.0f} above its averages of 20, 60 and 120 sessions, {sma_20:,.0f}, {sma_60:,.0f} and "
        "{sma_120:,.0f}; ADX {adx_14:.1f}, volatility {volatility_pct:.0f}% a year",
        source=_OURS,
        figures={"volatility_pct": volatility_pct},
    )


def desk_rule(side: Side, *, rsi: float, stop_loss_pct: float | None = None) -> Strategy:
    """The classic desk rule: buy while RSI is low and the trend is up, sell while RSI is high.

    It is a state: every session on which it holds is a signal. ``stop_loss_pct`` below the entry the book gets out.

    Raises:
        StrategyError: ``rsi`` is not from 0 to 100, or ``stop_loss_pct`` not between 0 and 100.
    """
    within("rsi", rsi, 0, 100)
    buys = side == "buy"

    def condition(history: History) -> Flags:
        if buys:
            return history.below("rsi_14", rsi) & history.above("sma_20", "sma_50")
        return history.above("rsi_14", rsi)

    return Strategy(
        name=f"desk_{side}",
        version=1,
        title=f"Desk rule, {side}",
        family=_FAMILY,
        side=side,
        memory=0,
        condition=condition,
        words=f"`rsi_14` is below {rsi:g} and `sma_20` above `sma_50`; every session on which this is so"
        if buys
        else f"`rsi_14` is above {rsi:g}; every session on which this is so",
        strength=(Scale("rsi_14", *((40, 20) if buys else (60, 80)), "`rsi_14`"),),
        reason=f"RSI {{rsi_14:.1f}} is below {rsi:g}, MA20 {{sma_20:,.0f}} above MA50 {{sma_50:,.0f}}; close "
        "{close:,.0f}"
        if buys
        else f"RSI {{rsi_14:.1f}} is above {rsi:g}; close {{close:,.0f}}",
        source="The classic desk rule",
        stop_loss_pct=stop_loss_pct,
    )


STRATEGIES = (
    triple_confirmation("buy"),
    triple_confirmation("sell"),
    momentum_breakout(),
    oversold_rebound(),
    stable_trend(),
    desk_rule("buy", rsi=30, stop_loss_pct=5),
    desk_rule("sell", rsi=70),
)
