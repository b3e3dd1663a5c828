"""The formulas. TA-Lib computes moving averages and recursions; what is of a window's extremes or sums is here.

A kernel takes the traded sessions of some symbols and returns an array per column of its indicator. NaN says that there
are too few sessions or that an input is missing in the window; infinity that the window is flat, so that the formula
would divide by zero.
"""

from __future__ import annotations

import numpy as np
import talib

from include.indicators.sessions import TradedSessions
from include.indicators.windows import Floats, flat_where, negligible, trailing, trailing_moments

Columns = tuple[Floats, ...]

# Sessions of a year, for annual figures: 2005 to 2024 had 243 to 252.
SESSIONS_PER_YEAR = 250


def sma(traded: TradedSessions, sessions: int) -> Columns:
    """Simple moving average of the close."""
    return traded.each(talib.SMA, traded.close, parameters=(sessions,))


def ema(traded: TradedSessions, sessions: int) -> Columns:
    """Exponential moving average of the close, begun with the simple average of the first ``sessions``."""
    return traded.each(talib.EMA, traded.close, parameters=(sessions,))


def rsi(traded: TradedSessions, sessions: int) -> Columns:
    """Wilder's relative strength index of the close."""
    (index,) = traded.each(talib.RSI, traded.close, parameters=(sessions,))
    return (flat_where(traded.unmoved(traded.close_still, sessions), index),)


def macd(traded: TradedSessions, fast: int, slow: int, signal: int) -> Columns:
    """Moving average convergence divergence: line, signal and histogram."""
    return traded.each(talib.MACD, traded.close, parameters=(fast, slow, signal), outputs=3)


def stochastic(traded: TradedSessions, sessions: int, k: int, d: int) -> Columns:
    """Slow stochastic: %K smoothed over ``k`` sessions, and its average over ``d``."""
    slow = traded.trailing_sum(100 * traded.place_in_range(sessions), k) / k
    return slow, traded.trailing_sum(slow, d) / d


def williams_r(traded: TradedSessions, sessions: int) -> Columns:
    """Williams' %R: how far the close is below the highest high, -100 at the lowest low."""
    return (100 * (traded.place_in_range(sessions) - 1),)


def bollinger(traded: TradedSessions, sessions: int, deviations: int) -> Columns:
    """Bollinger bands: upper, middle, lower, their width in middles, and where in them the close is."""
    means, squares = trailing_moments(traded.close, sessions)
    middle = traded.after(sessions - 1, means)
    reach = deviations * np.sqrt(traded.after(sessions - 1, squares) / sessions)
    flat = traded.unmoved(traded.close_still, sessions - 1)
    reach[flat] = 0.0
    place = (1 + (traded.close - middle) / reach) / 2
    return middle + reach, middle, middle - reach, 2 * reach / middle, flat_where(flat, place)


def ichimoku(traded: TradedSessions, conversion: int, base: int, span: int) -> Columns:
    """Ichimoku's lines on the session they are drawn at, but the lagging span on the session it is known."""
    tenkan = (traded.highest(conversion) + traded.lowest(conversion)) / 2
    kijun = (traded.highest(base) + traded.lowest(base)) / 2
    senkou_a = traded.earlier(base, (tenkan + kijun) / 2)
    senkou_b = traded.earlier(base, (traded.highest(span) + traded.lowest(span)) / 2)
    return tenkan, kijun, senkou_a, senkou_b, traded.after(base, traded.close)


def directional_movement(traded: TradedSessions, sessions: int) -> Columns:
    """Wilder's ADX, +DI and -DI."""
    motionless = traded.unmoved(traded.close_still, sessions)
    if motionless.any():
        without_range = negligible(traded.high - traded.low, traded.close)[1:]
        motionless = traded.unmoved(traded.close_still & without_range, sessions)
    bars = (traded.high, traded.low, traded.close)
    (plus,) = traded.each(talib.PLUS_DI, *bars, parameters=(sessions,))
    (minus,) = traded.each(talib.MINUS_DI, *bars, parameters=(sessions,))
    return _adx(traded, sessions), flat_where(motionless, plus), flat_where(motionless, minus)


def mfi(traded: TradedSessions, sessions: int) -> Columns:
    """Money flow index: the share of typical price times volume that came on rising typical prices."""
    flow = np.where(traded.typical_still, 0.0, traded.typical[1:] * traded.volume[1:])
    total = trailing(np.add, flow, sessions)
    rising = trailing(np.add, np.where(traded.typical_steps > 0, flow, 0.0), sessions)
    return (traded.after(sessions, flat_where(total == 0, 100 * rising / total)),)


def cci(traded: TradedSessions, sessions: int) -> Columns:
    """Lambert's commodity channel index."""
    typical = traded.typical
    mean = traded.trailing_sum(typical, sessions) / sessions
    count = max(len(traded) - sessions + 1, 0)
    ends = mean[len(traded) - count :]
    deviation, apart = np.zeros(count), np.empty(count)
    for back in range(sessions):
        np.subtract(typical[back : back + count], ends, out=apart)
        deviation += np.abs(apart, out=apart)
    index = (typical[len(traded) - count :] - ends) / (0.015 / sessions * deviation)
    return (flat_where(traded.unmoved(traded.typical_still, sessions - 1), traded.after(sessions - 1, index)),)


def atr(traded: TradedSessions, sessions: int) -> Columns:
    """Wilder's average true range."""
    return traded.each(talib.ATR, traded.high, traded.low, traded.close, parameters=(sessions,))


def obv(traded: TradedSessions) -> Columns:
    """On-balance volume, carried on from ``first_obv``; as TA-Lib's, but rounding of a price is not a rise."""
    signed = np.empty(len(traded))
    signed[1:] = np.where(traded.close_still, 0.0, np.copysign(traded.volume[1:], traded.close_steps))
    signed[traded.starts] = np.where(np.isnan(traded.first_obv), traded.volume[traded.starts], traded.first_obv)
    return traded.each(np.cumsum, signed)


def roc(traded: TradedSessions, sessions: int) -> Columns:
    """Rate of change of the close."""
    return traded.each(talib.ROC, traded.close, parameters=(sessions,))


def extremes(traded: TradedSessions, sessions: int) -> Columns:
    """The highest high and the lowest low."""
    return traded.highest(sessions), traded.lowest(sessions)


def volume_ratio(traded: TradedSessions, sessions: int) -> Columns:
    """Volume over the mean volume of the ``sessions`` before."""
    before = trailing(np.add, traded.volume, sessions)[:-1] / sessions
    ratio = traded.volume[len(traded) - len(before) :] / before
    return (traded.after(sessions, flat_where(before == 0, ratio)),)


def realised_volatility(traded: TradedSessions, sessions: int) -> Columns:
    """Sample standard deviation of daily log returns, annual."""
    returns = np.diff(np.log(traded.close))
    _, squares = trailing_moments(returns, sessions)
    return (traded.after(sessions, np.sqrt(SESSIONS_PER_YEAR / (sessions - 1) * squares)),)


def beta(traded: TradedSessions, sessions: int) -> Columns:
    """Slope of the symbol's returns on the index's over the same traded sessions."""
    own = traded.close_steps / traded.close[:-1]
    index = np.diff(traded.index_close) / traded.index_close[:-1]
    owns, indices = trailing(np.add, own, sessions), trailing(np.add, index, sessions)
    products, squares = trailing(np.add, own * index, sessions), trailing(np.add, index * index, sessions)
    spread = sessions * squares - indices * indices
    # An index that grows by the same rate every session has a spread of rounding errors only.
    flat = spread <= 1e-9 * sessions * squares
    return (traded.after(sessions, flat_where(flat, (sessions * products - owns * indices) / spread)),)


def relative_strength(traded: TradedSessions, sessions: int) -> Columns:
    """Growth of the close over growth of the index, less one."""
    return (_growth(traded, traded.close, sessions) / _growth(traded, traded.index_close, sessions) - 1,)


def foreign_net(traded: TradedSessions, sessions: int) -> Columns:
    """Net bought by foreigners, summed."""
    return (traded.trailing_sum(traded.foreign_net_krw, sessions),)


def institution_net(traded: TradedSessions, sessions: int) -> Columns:
    """Net bought by institutions, summed."""
    return (traded.trailing_sum(traded.institution_net_krw, sessions),)


def foreign_change(traded: TradedSessions, sessions: int) -> Columns:
    """The percentage held by foreigners less that of ``sessions`` before."""
    return (traded.foreign_pct - traded.earlier(sessions, traded.foreign_pct),)


def _growth(traded: TradedSessions, values: Floats, sessions: int) -> Floats:
    return values / traded.earlier(sessions, values)


def _adx(traded: TradedSessions, sessions: int) -> Floats:
    """ADX, begun anew after a stretch of twice ``sessions`` without directional movement.

    In such a stretch both smoothed movements decay together, and Wilder's recursion would go on averaging the quotient
    of what is left of them: a figure of the far past, which no shorter history gives.
    """
    up, down = np.diff(traded.high), -np.diff(traded.low)
    close = traded.close[1:]
    quiet = negligible(np.maximum(np.maximum(up, down), 0.0), close) | negligible(up - down, close)
    stretch = traded.unmoved(quiet, 2 * sessions)
    starts = traded.starts
    if stretch.any():
        starts = np.union1d(starts, np.flatnonzero(stretch[:-1] & ~stretch[1:]))
    bars = (traded.high, traded.low, traded.close)
    (found,) = traded.each_from(starts, talib.ADX, *bars, parameters=(sessions,))
    for start in np.setdiff1d(starts, traded.starts).tolist():
        found[start : start + 2 * sessions - 1] = np.inf
    return flat_where(stretch, found)
