"""A dataset of 14 features for models, from daily bars alone: what qlib's published data-server comparison makes.

qlib (Yang and others, "Qlib: An AI-oriented Quantitative Investment Platform", 2020) says that its task is to make 14
factors of the daily bars of 800 stocks from 2007 to 2020, and does not say which. These are indicators of the catalogue
without a unit, so that symbols can be compared, each beside the same formula in qlib's own language.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from include.indicators import kernels
from include.indicators.bars import read_panel
from include.indicators.evaluate import Formula, by_row, evaluate
from include.indicators.factors import Factor
from include.indicators.panel import Panel

_RETURN = "$close/Ref($close,1)"
_TRUE_RANGE = "Greater(Greater($high-$low,Abs($high-Ref($close,1))),Abs($low-Ref($close,1)))"
_GAIN, _MOVE = "Greater($close-Ref($close,1),0)", "Abs($close-Ref($close,1))"
# qlib's Std is of a sample, Bollinger's of the population.
_DEVIATION = f"Std($close,20)*{(19 / 20) ** 0.5}"


@dataclass(frozen=True)
class Feature:
    """One column of the dataset: a ratio. The first ``warm_up`` traded sessions of a symbol have no value.

    ``expression`` is the same in qlib's language; ``settled`` says after how many sessions with a full window both
    agree to 1e-5 whatever the recursion began with.
    """

    name: str
    meaning: str
    warm_up: int
    formula: Formula
    expression: str
    settled: int


def _growth(sessions: int) -> Formula:
    return lambda traded: (traded.close / traded.earlier(sessions, traded.close) - 1,)


def _sma(sessions: int) -> Formula:
    return lambda traded: (kernels.sma(traded, sessions)[0] / traded.close,)


def _ema(sessions: int) -> Formula:
    return lambda traded: (kernels.ema(traded, sessions)[0] / traded.close,)


FEATURES: tuple[Feature, ...] = (
    *(
        Feature(
            f"return_{sessions}",
            f"Close over that of {sessions} sessions before, less one",
            sessions,
            _growth(sessions),
            f"$close/Ref($close,{sessions})-1",
            sessions,
        )
        for sessions in (1, 5, 20)
    ),
    *(
        Feature(
            f"sma_{sessions}_ratio",
            f"sma_{sessions} over the close",
            sessions - 1,
            _sma(sessions),
            f"Mean($close,{sessions})/$close",
            sessions,
        )
        for sessions in (5, 20, 60)
    ),
    *(
        Feature(
            f"ema_{sessions}_ratio",
            f"ema_{sessions} over the close",
            sessions - 1,
            _ema(sessions),
            f"EMA($close,{sessions})/$close",
            300,
        )
        for sessions in (12, 26)
    ),
    Feature(
        "realised_volatility_20",
        "As the indicator of that name",
        20,
        lambda traded: kernels.realised_volatility(traded, 20),
        f"Std(Log({_RETURN}),20)*{kernels.SESSIONS_PER_YEAR**0.5}",
        21,
    ),
    Feature(
        "bollinger_percent_b",
        "As the indicator of that name",
        19,
        lambda traded: kernels.bollinger(traded, 20, 2)[4:],
        f"($close-Mean($close,20)+2*{_DEVIATION})/(4*{_DEVIATION})",
        20,
    ),
    Feature(
        "place_in_range_14",
        "Where the close is between the lowest low (0) and the highest high (1) of 14 sessions",
        13,
        lambda traded: (traded.place_in_range(14),),
        "($close-Min($low,14))/(Max($high,14)-Min($low,14))",
        14,
    ),
    Feature(
        "rsi_14_ratio",
        "rsi_14 over 100",
        14,
        lambda traded: (kernels.rsi(traded, 14)[0] / 100,),
        f"EMA({_GAIN},{1 / 14})/EMA({_MOVE},{1 / 14})",
        400,
    ),
    Feature(
        "volume_ratio_20",
        "As the indicator of that name",
        20,
        lambda traded: kernels.volume_ratio(traded, 20),
        "$volume/Ref(Mean($volume,20),1)",
        21,
    ),
    Feature(
        "atr_14_ratio",
        "atr_14 over the close",
        14,
        lambda traded: (kernels.atr(traded, 14)[0] / traded.close,),
        f"EMA({_TRUE_RANGE},{1 / 14})/$close",
        400,
    ),
)


def read_features(files: Sequence[Path], factors: Sequence[Factor]) -> pa.Table:
    """:func:`compute_features` of the bars in ``files``, adjusted by ``factors``.

    Raises:
        PanelError, OSError, pyarrow.ArrowException: as :func:`include.indicators.bars.read_panel`.
    """
    return compute_features(read_panel(files, factors))


def compute_features(panel: Panel) -> pa.Table:
    """``symbol``, ``session`` and every feature in single precision, of all rows of the panel.

    Null where the symbol has not traded long enough, on sessions without trading, and where the window is flat, as
    for indicators.
    """
    starts = panel.offsets[:-1]
    results = evaluate(panel, starts, [feature.formula for feature in FEATURES], len(FEATURES), np.float32)
    counts = np.diff(panel.offsets)
    index = pa.array(np.repeat(np.arange(len(counts), dtype=np.int32), counts))
    symbols = pa.DictionaryArray.from_arrays(index, pa.array(panel.symbols, pa.string()))
    columns = {"symbol": symbols, "session": pa.array(panel.sessions)}
    for feature, values in zip(FEATURES, results, strict=True):
        of_rows = by_row(values, panel.traded)
        columns[feature.name] = pa.array(of_rows, mask=~np.isfinite(of_rows))
    return pa.table(columns)
