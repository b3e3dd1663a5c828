"""Bollinger's bands: out of a squeeze, out of the bands, and back into them."""

from __future__ import annotations

from include.indicators.windows import Flags
from include.signals.history import History
from include.signals.strategy import Scale, Side, Strategy, whole, within

_FAMILY = "Bollinger bands"
_BOLLINGER = "Bollinger on Bollinger Bands (2001)"


def _leaves_bands(history: History, side: Side) -> Flags:
    if side == "buy":
        return history.crosses_above("bollinger_percent_b", 1)
    return history.crosses_below("bollinger_percent_b", 0)


def squeeze(side: Side, *, sessions: int = 125, margin_pct: float = 10, volume: float = 1) -> Strategy:
    """The close leaves bands that were their narrowest of half a year the session before, on more than usual volume.

    Raises:
        StrategyError: ``sessions`` is not a whole number from 1 on, ``margin_pct`` not from 0 to 100, or ``volume``
            negative or more than 100.
    """
    whole("sessions", sessions)
    factor = 1 + within("margin_pct", margin_pct, 0, 100) / 100
    within("volume", volume, 0, 100)

    def condition(history: History) -> Flags:
        width = history.before("bollinger_width", 1)
        narrow = width <= factor * history.lowest("bollinger_width", sessions)
        return _leaves_bands(history, side) & narrow & history.above("volume_ratio_20", volume)

    where, band, line = ("above", "upper", 1) if side == "buy" else ("below", "lower", 0)
    return Strategy(
        name=f"bollinger_squeeze_{'up' if side == 'buy' else 'down'}",
        version=1,
        title=f"Bollinger squeeze, {'upwards' if side == 'buy' else 'downwards'}",
        family=_FAMILY,
        side=side,
        memory=sessions,
        condition=condition,
        words=f"`bollinger_percent_b` crosses {where} {line}; `bollinger_width` of the session before was at most "
        f"{margin_pct:g}% more than the lowest of {sessions} sessions; `volume_ratio_20` is above {volume:g}",
        strength=(Scale("volume_ratio_20", 0.5, 4, "`volume_ratio_20`"),),
        reason=f"close {{close:,.0f}} left the {band} band {{bollinger_{band}:,.0f}} after a width of "
        f"{{width_pct:.1f}}%, near the lowest of {sessions} sessions, on {{volume_ratio_20:.1f}} times the volume",
        source=f"{_BOLLINGER}, method I: the bands' lowest width of six months",
        figures={"width_pct": lambda at: 100 * at.before("bollinger_width", 1)},
    )


def band_breakout(side: Side) -> Strategy:
    """The close leaves the bands."""
    rises = side == "buy"
    where, band, line = ("above", "upper", 1) if rises else ("below", "lower", 0)
    return Strategy(
        name=f"bollinger_{'breakout' if rises else 'breakdown'}",
        version=1,
        title=f"Bollinger {'breakout' if rises else 'breakdown'}",
        family=_FAMILY,
        side=side,
        memory=1,
        condition=lambda history: _leaves_bands(history, side),
        words=f"`bollinger_percent_b` crosses {where} {line}: the close leaves the bands",
        strength=(Scale("bollinger_percent_b", *((0.9, 1.3) if rises else (0.1, -0.3)), "`bollinger_percent_b`"),),
        reason=f"close {{close:,.0f}} crossed {where} the {band} band {{bollinger_{band}:,.0f}}, %b "
        "{bollinger_percent_b:z.2f}",
        source=f"{_BOLLINGER}: a close outside of the bands is a sign of continuation, not of reversal",
    )


def band_reversal(side: Side) -> Strategy:
    """The close comes back into the bands it had left."""
    rises = side == "buy"
    band = "lower" if rises else "upper"

    def condition(history: History) -> Flags:
        if rises:
            return history.crosses_above("bollinger_percent_b", 0)
        return history.crosses_below("bollinger_percent_b", 1)

    return Strategy(
        name=f"bollinger_reversal_{'up' if rises else 'down'}",
        version=1,
        title=f"Bollinger reversal, {'upwards' if rises else 'downwards'}",
        family=_FAMILY,
        side=side,
        memory=1,
        condition=condition,
        words="`bollinger_percent_b` crosses above 0: the close is back above the lower band"
        if rises
        else "`bollinger_percent_b` crosses below 1: the close is back below the upper band",
        strength=(
            Scale("outside", *((0.1, -0.2) if rises else (0.9, 1.2)), "`bollinger_percent_b` of the session before"),
        ),
        reason=f"close {{close:,.0f}} is back within the {band} band {{bollinger_{band}:,.0f}}: %b "
        "{bollinger_percent_b:z.2f} after {outside:z.2f}",
        source=f"{_BOLLINGER}, method III: reversals",
        figures={"outside": lambda at: at.before("bollinger_percent_b", 1)},
    )


STRATEGIES = tuple(kind(side) for kind in (squeeze, band_breakout, band_reversal) for side in ("buy", "sell"))
