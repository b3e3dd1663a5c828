"""Formulas over a panel: a few symbols' traded sessions at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from include.indicators.panel import VALUES, Panel
from include.indicators.sessions import TradedSessions
from include.indicators.windows import Flags, Floats

_Float = TypeVar("_Float", np.float64, np.float32)

Formula = Callable[[TradedSessions], tuple[Floats, ...]]

# Rows taken at once, more where one symbol has more: an array of so many stays in the processor's cache.
_ROWS_AT_ONCE = 24_576


def evaluate(
    panel: Panel, starts: NDArray[np.int64], formulas: Sequence[Formula], columns: int, dtype: type[_Float]
) -> NDArray[_Float]:
    """The ``columns`` that ``formulas`` return, by column and traded session, of each symbol from its start on.

    NaN and infinity as the formulas return them. :func:`by_row` puts a column back among the sessions without trading.
    """
    wanted = np.arange(len(panel.sessions)) >= np.repeat(starts, np.diff(panel.offsets))
    counts = np.add.reduceat(panel.traded & wanted, panel.offsets[:-1], dtype=np.int64)
    places = np.concatenate(((0,), np.cumsum(counts)))
    results = np.empty((columns, int(places[-1])), dtype)
    first = 0
    with np.errstate(divide="ignore", invalid="ignore"):
        while first < len(panel.symbols):
            limit = panel.offsets[first] + _ROWS_AT_ONCE
            last = max(int(np.searchsorted(panel.offsets, limit, side="right")) - 1, first + 1)
            out = results[:, places[first] : places[last]]
            if out.size:
                _evaluate(panel, slice(first, last), wanted, formulas, out)
            first = last
    return results


def by_row(values: NDArray[_Float], traded: Flags) -> NDArray[_Float]:
    """``values`` of the rows that are ``traded``, with NaN for the others."""
    if len(values) == len(traded):
        return values
    rows = np.full(len(traded), np.nan, values.dtype)
    rows[traded] = values
    return rows


def _evaluate(panel: Panel, symbols: slice, wanted: Flags, formulas: Sequence[Formula], out: NDArray[_Float]) -> None:
    """Fill ``out`` with the results of a few symbols."""
    rows = slice(int(panel.offsets[symbols.start]), int(panel.offsets[symbols.stop]))
    traded = panel.traded[rows]
    inputs = {name: getattr(panel, name)[rows] for name in VALUES}
    source: slice | Flags = slice(None)
    if not traded.all():
        inputs = {name: values[traded] for name, values in inputs.items()}
    if not wanted[rows].all():
        source = wanted[rows][traded]
    counts = np.add.reduceat(traded, panel.offsets[symbols] - rows.start, dtype=np.intp)
    trades = counts > 0
    starts = (np.cumsum(counts) - counts)[trades]
    sessions = TradedSessions(**inputs, starts=starts, first_obv=panel.first_obv[symbols][trades])
    row = 0
    for formula in formulas:
        for values in formula(sessions):
            out[row] = values[source]
            row += 1
