"""Every indicator, declared once: what it is of, how long it warms up, what it means and where it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from include.indicators import kernels
from include.indicators.windows import Floats

# After so many traded sessions what lies before them weighs nothing in Wilder's recursion over 14 sessions, the
# slowest here: (13 / 14) ** 600 is 5e-20, which leaves 1e-9 even where the price then moved ten thousand times more
# than it does now.
RECURSION_MEMORY = 600

_PRICES = ("high", "low", "close")
_INDEX = ("close", "index_close")
_MURPHY = "Murphy, Technical Analysis of the Financial Markets (1999)"
_WILDER = "Wilder, New Concepts in Technical Trading Systems (1978)"
_NOWHERE_FLAT = "defined"


@dataclass(frozen=True)
class Column:
    """One series of results. The first ``warm_up`` traded sessions of a symbol have no value."""

    name: str
    unit: str
    warm_up: int
    meaning: str


@dataclass(frozen=True)
class Indicator:
    """One formula and its columns, in the order the kernel returns them.

    ``inputs`` are columns of the panel. ``memory`` is how many traded sessions before its own a value depends on, to
    1e-9; None where it is carried on from the symbol's first. ``flat`` says what a window in which nothing moves
    gives: ``defined`` where the formula has a value, else when that is so and the result is null.
    """

    family: str
    title: str
    columns: tuple[Column, ...]
    inputs: tuple[str, ...]
    kernel: Callable[..., tuple[Floats, ...]]
    parameters: dict[str, int] = field(hash=False)
    memory: int | None
    source: str
    flat: str = _NOWHERE_FLAT


def _sma(sessions: int) -> Indicator:
    return Indicator(
        family="trend",
        title=f"Simple moving average {sessions}",
        columns=(Column(f"sma_{sessions}", "KRW", sessions - 1, f"Mean close of the last {sessions} sessions"),),
        inputs=("close",),
        kernel=kernels.sma,
        parameters={"sessions": sessions},
        memory=sessions - 1,
        source=f"TA-Lib SMA; {_MURPHY}",
    )


def _ema(sessions: int) -> Indicator:
    meaning = f"Exponential average of the close, weight 2/{sessions + 1}, begun with the mean of the first {sessions}"
    return Indicator(
        family="trend",
        title=f"Exponential moving average {sessions}",
        columns=(Column(f"ema_{sessions}", "KRW", sessions - 1, meaning),),
        inputs=("close",),
        kernel=kernels.ema,
        parameters={"sessions": sessions},
        memory=RECURSION_MEMORY,
        source=f"TA-Lib EMA; {_MURPHY}",
    )


def _net(who: str, people: str, kernel: Callable[..., tuple[Floats, ...]], sessions: int) -> Indicator:
    meaning = f"Bought less sold by {people} over the last {sessions} sessions"
    return Indicator(
        family="flows",
        title=f"Net bought by {people}, {sessions} sessions",
        columns=(Column(f"{who}_net_krw_{sessions}", "KRW", sessions - 1, meaning),),
        inputs=(f"{who}_net_krw",),
        kernel=kernel,
        parameters={"sessions": sessions},
        memory=sessions - 1,
        source="Sum of the exchange's investor flows",
    )


CATALOGUE: tuple[Indicator, ...] = (
    *(_sma(sessions) for sessions in (5, 20, 50, 60, 120, 200)),
    *(_ema(sessions) for sessions in (12, 26)),
    Indicator(
        family="trend",
        title="MACD 12/26/9",
        columns=(
            Column("macd", "KRW", 33, "Fast less slow exponential average of the close"),
            Column("macd_signal", "KRW", 33, "Exponential average of macd over 9 sessions"),
            Column("macd_histogram", "KRW", 33, "macd less macd_signal"),
        ),
        inputs=("close",),
        kernel=kernels.macd,
        parameters={"fast": 12, "slow": 26, "signal": 9},
        memory=RECURSION_MEMORY,
        source="TA-Lib MACD, where both averages begin on the 26th session; Appel, Technical Analysis (2005)",
    ),
    Indicator(
        family="trend",
        title="Ichimoku 9/26/52",
        columns=(
            Column("ichimoku_tenkan", "KRW", 8, "Middle of the highest high and lowest low of 9 sessions"),
            Column("ichimoku_kijun", "KRW", 25, "Middle of the highest high and lowest low of 26 sessions"),
            Column("ichimoku_senkou_a", "KRW", 51, "Middle of tenkan and kijun as of 26 sessions before"),
            Column("ichimoku_senkou_b", "KRW", 77, "Middle of 52 sessions' extremes as of 26 sessions before"),
            Column(
                "ichimoku_chikou",
                "KRW",
                26,
                "The session's own close, which a chart draws 26 sessions back: compare it to what was there",
            ),
        ),
        inputs=_PRICES,
        kernel=kernels.ichimoku,
        parameters={"conversion": 9, "base": 26, "span": 52},
        memory=77,
        source="Middles of extremes; Hosoda, Ichimoku Kinko Hyo (1969)",
    ),
    Indicator(
        family="trend",
        title="ADX and directional indicators 14",
        columns=(
            Column("adx_14", "percent", 27, "Strength of the trend, whatever its direction"),
            Column("plus_di_14", "percent", 14, "Upward movement over true range, both smoothed"),
            Column("minus_di_14", "percent", 14, "Downward movement over true range, both smoothed"),
        ),
        inputs=_PRICES,
        kernel=kernels.directional_movement,
        parameters={"sessions": 14},
        memory=RECURSION_MEMORY,
        source=f"TA-Lib ADX, PLUS_DI, MINUS_DI; {_WILDER}",
        flat="DI: no true range in 14 sessions. ADX: no directional movement in 28 sessions, and 27 sessions on from "
        "the end of that",
    ),
    Indicator(
        family="momentum",
        title="Relative strength index 14",
        columns=(Column("rsi_14", "percent", 14, "Average gain over average gain and loss, Wilder's smoothing"),),
        inputs=("close",),
        kernel=kernels.rsi,
        parameters={"sessions": 14},
        memory=RECURSION_MEMORY,
        source=f"TA-Lib RSI; {_WILDER}",
        flat="the close did not change in 14 sessions",
    ),
    Indicator(
        family="momentum",
        title="Stochastic 14/3/3",
        columns=(
            Column("stochastic_k", "percent", 15, "Where the close is in 14 sessions' range, mean of 3"),
            Column("stochastic_d", "percent", 17, "Mean of stochastic_k over 3 sessions"),
        ),
        inputs=_PRICES,
        kernel=kernels.stochastic,
        parameters={"sessions": 14, "k": 3, "d": 3},
        memory=17,
        source=f"As TA-Lib STOCH with simple averages; Lane, see {_MURPHY}",
        flat="a range of 14 sessions it averages has no width",
    ),
    Indicator(
        family="momentum",
        title="Williams %R 14",
        columns=(Column("williams_r_14", "percent", 13, "The close below the highest high, -100 at the lowest low"),),
        inputs=_PRICES,
        kernel=kernels.williams_r,
        parameters={"sessions": 14},
        memory=13,
        source=f"As TA-Lib WILLR; Williams, see {_MURPHY}",
        flat="the range of 14 sessions has no width",
    ),
    Indicator(
        family="momentum",
        title="Commodity channel index 20",
        columns=(Column("cci_20", "ratio", 19, "Typical price less its mean, over 0.015 mean deviations"),),
        inputs=_PRICES,
        kernel=kernels.cci,
        parameters={"sessions": 20},
        memory=19,
        source="As TA-Lib CCI; Lambert, Commodities (October 1980)",
        flat="the typical price did not change in 20 sessions",
    ),
    Indicator(
        family="momentum",
        title="Rate of change 10",
        columns=(
            Column("roc_10", "percent", 10, "The close over that of 10 sessions before, less one: two weeks' change"),
        ),
        inputs=("close",),
        kernel=kernels.roc,
        parameters={"sessions": 10},
        memory=10,
        source=f"TA-Lib ROC with its own default of 10; {_MURPHY}",
    ),
    Indicator(
        family="volatility",
        title="Bollinger bands 20/2",
        columns=(
            Column("bollinger_upper", "KRW", 19, "Mean close of 20 sessions and two standard deviations"),
            Column("bollinger_middle", "KRW", 19, "Mean close of 20 sessions"),
            Column("bollinger_lower", "KRW", 19, "Mean close of 20 sessions less two standard deviations"),
            Column("bollinger_width", "ratio", 19, "Upper less lower band, over the middle"),
            Column("bollinger_percent_b", "ratio", 19, "Where the close is between the lower (0) and upper (1) band"),
        ),
        inputs=("close",),
        kernel=kernels.bollinger,
        parameters={"sessions": 20, "deviations": 2},
        memory=19,
        source="As TA-Lib BBANDS, standard deviation of the population; Bollinger on Bollinger Bands (2001)",
        flat="percent_b: the close did not change in 20 sessions; the width is 0 then",
    ),
    Indicator(
        family="volatility",
        title="Average true range 14",
        columns=(Column("atr_14", "KRW", 14, "True range, Wilder's smoothing"),),
        inputs=_PRICES,
        kernel=kernels.atr,
        parameters={"sessions": 14},
        memory=RECURSION_MEMORY,
        source=f"TA-Lib ATR; {_WILDER}",
    ),
    Indicator(
        family="volatility",
        title="Realised volatility 20",
        columns=(
            Column(
                "realised_volatility_20",
                "ratio per year",
                20,
                "Sample standard deviation of 20 log returns times the root of 250: annual",
            ),
        ),
        inputs=("close",),
        kernel=kernels.realised_volatility,
        parameters={"sessions": 20},
        memory=20,
        source="Hull, Options, Futures, and Other Derivatives, estimating volatility from historical data",
    ),
    Indicator(
        family="levels",
        title="52-week high and low",
        columns=(
            Column("high_52_weeks", "KRW", 249, "Highest high of the last 250 sessions, the session's own included"),
            Column("low_52_weeks", "KRW", 249, "Lowest low of the last 250 sessions, the session's own included"),
        ),
        inputs=("high", "low"),
        kernel=kernels.extremes,
        parameters={"sessions": kernels.SESSIONS_PER_YEAR},
        memory=249,
        source="As TA-Lib MAX and MIN; 250 sessions are 52 weeks, years having had 243 to 252",
    ),
    Indicator(
        family="volume",
        title="Money flow index 14",
        columns=(Column("mfi_14", "percent", 14, "Share of money flow that came on a rising typical price"),),
        inputs=(*_PRICES, "volume"),
        kernel=kernels.mfi,
        parameters={"sessions": 14},
        memory=14,
        source="As TA-Lib MFI, summed window by window; Quong and Soudack, Stocks & Commodities (March 1989)",
        flat="no volume came on a change of the typical price in 14 sessions",
    ),
    Indicator(
        family="volume",
        title="On-balance volume",
        columns=(
            Column("obv", "shares", 0, "Volume added on a rising and taken off on a falling close, since the first"),
        ),
        inputs=("close", "volume"),
        kernel=kernels.obv,
        parameters={},
        memory=None,
        source="As TA-Lib OBV, carried on; Granville, New Key to Stock Market Profits (1963)",
    ),
    Indicator(
        family="volume",
        title="Volume ratio 20",
        columns=(Column("volume_ratio_20", "ratio", 20, "Volume over the mean volume of the 20 sessions before"),),
        inputs=("volume",),
        kernel=kernels.volume_ratio,
        parameters={"sessions": 20},
        memory=20,
        source="Quotient as named",
        flat="nothing was traded in the 20 sessions before",
    ),
    Indicator(
        family="market",
        title="Beta 60",
        columns=(Column("beta_60", "ratio", 60, "Slope of 60 returns on the index's between the same sessions"),),
        inputs=_INDEX,
        kernel=kernels.beta,
        parameters={"sessions": 60},
        memory=60,
        source="As TA-Lib BETA, summed window by window; Sharpe, Journal of Finance (September 1964)",
        flat="the index's returns did not vary",
    ),
    Indicator(
        family="market",
        title="Relative strength to the index 60",
        columns=(
            Column(
                "relative_strength_60", "ratio", 60, "Growth of the close over growth of the index in 60 sessions - 1"
            ),
        ),
        inputs=_INDEX,
        kernel=kernels.relative_strength,
        parameters={"sessions": 60},
        memory=60,
        source=f"Quotient as named; {_MURPHY}",
    ),
    *(
        _net(*investors, sessions)
        for investors in (
            ("foreign", "foreigners", kernels.foreign_net),
            ("institution", "institutions", kernels.institution_net),
        )
        for sessions in (5, 20)
    ),
    Indicator(
        family="flows",
        title="Change of foreign ownership 20",
        columns=(
            Column(
                "foreign_pct_change_20", "percentage points", 20, "Held by foreigners, less that of 20 sessions before"
            ),
        ),
        inputs=("foreign_pct",),
        kernel=kernels.foreign_change,
        parameters={"sessions": 20},
        memory=20,
        source="Difference of the exchange's foreign holdings",
    ),
)

COLUMNS: tuple[Column, ...] = tuple(column for indicator in CATALOGUE for column in indicator.columns)

# Traded sessions before the first one asked for with which results are those of the whole history, to 1e-9.
LOOKBACK = max(indicator.memory for indicator in CATALOGUE if indicator.memory is not None)
