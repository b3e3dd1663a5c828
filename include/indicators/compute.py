"""Indicators of a panel: all of them, or from a session on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from include.indicators.catalogue import CATALOGUE, COLUMNS, LOOKBACK
from include.indicators.evaluate import by_row, evaluate
from include.indicators.panel import Panel

_FORMULAS = [partial(indicator.kernel, **indicator.parameters) for indicator in CATALOGUE]
_ROWS = {column.name: row for row, column in enumerate(COLUMNS)}


class Reason(IntEnum):
    """Why a result is null."""

    NO_TRADE = 1  # halted, or nothing traded
    WARM_UP = 2  # the symbol has not traded long enough
    FLAT = 3  # nothing moves in the window, the formula would divide by zero
    NO_INPUT = 4  # the index or the flow is missing in the window


HAS_VALUE = 0


class InsufficientHistoryError(ValueError):
    """Too few sessions of some symbols before the first one asked for; the message says which."""


@dataclass(frozen=True)
class Indicators:
    """Results by symbol and session: ``symbols[symbol_index[i]]`` on ``sessions[i]``.

    A result is a value, or null with a :class:`Reason`.
    """

    symbols: NDArray[np.object_]
    symbol_index: NDArray[np.int32]
    sessions: NDArray[np.datetime64]
    _traded: NDArray[np.bool_]
    # How many traded sessions of the symbol there are before the row's, as far as is known.
    _traded_before: NDArray[np.int64]
    # By column and traded session; NaN and infinity as kernels return them.
    _results: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.sessions)

    @property
    def traded(self) -> NDArray[np.bool_]:
        """Which rows are of a session with trading."""
        return self._traded

    @property
    def traded_sessions(self) -> NDArray[np.int16]:
        """The symbol's traded sessions before each row's, counted to ``LOOKBACK``."""
        return np.minimum(self._traded_before, LOOKBACK).astype(np.int16)

    @property
    def flat(self) -> NDArray[np.int64]:
        """Which columns are null because their window is flat: bit n stands for the n-th of the catalogue, from 0."""
        before = self._traded_before[self._traded]
        of_traded = np.zeros(len(before), np.int64)
        for place, (column, results) in enumerate(zip(COLUMNS, self._results, strict=True)):
            found = np.isinf(results)
            if found.any():
                of_traded |= (found & (before >= column.warm_up)).astype(np.int64) << place
        flat = np.zeros(len(self), np.int64)
        flat[self._traded] = of_traded
        return flat

    def column(self, name: str) -> pa.Array:
        """The results of one column of the catalogue, null where there is no value.

        Raises:
            KeyError: there is no such column.
        """
        results = by_row(self._results[_ROWS[name]], self._traded)
        return pa.array(results, mask=~np.isfinite(results))

    def of_traded_sessions(self, name: str) -> NDArray[np.float64]:
        """The results of one column on traded sessions only, not copied: NaN, or infinite, where there is no value.

        Raises:
            KeyError: there is no such column.
        """
        results: NDArray[np.float64] = self._results[_ROWS[name]]
        return results

    def reasons(self, name: str) -> NDArray[np.uint8]:
        """Why the results of one column are null, as :class:`Reason`; ``HAS_VALUE`` where they are not.

        Raises:
            KeyError: there is no such column.
        """
        results = by_row(self._results[_ROWS[name]], self._traded)
        reasons = np.full(len(self), HAS_VALUE, np.uint8)
        reasons[np.isnan(results)] = Reason.NO_INPUT
        reasons[np.isinf(results)] = Reason.FLAT
        reasons[self._traded_before < COLUMNS[_ROWS[name]].warm_up] = Reason.WARM_UP
        reasons[~self._traded] = Reason.NO_TRADE
        return reasons

    def table(self) -> pa.Table:
        """``symbol``, ``session`` and every column of the catalogue, null where there is no value."""
        symbols = pa.DictionaryArray.from_arrays(pa.array(self.symbol_index), pa.array(self.symbols, pa.string()))
        columns = {"symbol": symbols, "session": pa.array(self.sessions)}
        return pa.table(columns | {column.name: self.column(column.name) for column in COLUMNS})


def compute(panel: Panel, since: date | NDArray[np.datetime64] | None = None) -> Indicators:
    """Every indicator of the catalogue, on every session of ``panel`` from ``since`` on: one day, or one by symbol.

    Indicators are of traded sessions: a session without trading is skipped as if it were not there, and its own
    results are null. A value depends on its session and those before it only.

    With ``LOOKBACK`` traded sessions before ``since`` and ``first_obv``, a panel of a symbol's later part gives what
    its whole history gives, to 1e-9 of the value, of the price for what is in won, of 100 for percentages.

    Raises:
        InsufficientHistoryError: a symbol is not there from its first session, and has fewer than ``LOOKBACK`` traded
            sessions before ``since``.
    """
    starts = panel.offsets[:-1] + _sessions_before(panel, since)
    stops = panel.offsets[1:]
    counts = stops - starts
    traded_before = _traded_before(panel)
    _require_history(panel, starts, traded_before)
    results = evaluate(panel, starts, _FORMULAS, len(COLUMNS), np.float64)
    rows = np.concatenate([np.arange(start, stop) for start, stop in zip(starts, stops, strict=True)])
    return Indicators(
        panel.symbols,
        np.repeat(np.arange(len(panel.symbols), dtype=np.int32), counts),
        panel.sessions[rows],
        panel.traded[rows],
        traded_before[rows],
        results,
    )


def _sessions_before(panel: Panel, since: date | NDArray[np.datetime64] | None) -> NDArray[np.int64]:
    """How many rows of each symbol are before ``since``."""
    if since is None:
        return np.zeros(len(panel.symbols), np.int64)
    first = since if isinstance(since, np.ndarray) else np.full(len(panel.symbols), np.datetime64(since, "D"))
    before = panel.sessions < np.repeat(first, np.diff(panel.offsets))
    return np.add.reduceat(before, panel.offsets[:-1], dtype=np.int64)


def _traded_before(panel: Panel) -> NDArray[np.int64]:
    """How many traded sessions there are before each row; at least ``LOOKBACK`` where the panel lacks the first."""
    before: NDArray[np.int64] = np.cumsum(panel.traded) - panel.traded
    unseen = np.where(np.isnan(panel.first_obv), 0, LOOKBACK)
    lengths = np.diff(panel.offsets)
    return before + np.repeat(unseen - before[panel.offsets[:-1]], lengths)


def _require_history(panel: Panel, starts: NDArray[np.int64], traded_before: NDArray[np.int64]) -> None:
    asked = starts < panel.offsets[1:]
    there = np.where(asked, traded_before[np.minimum(starts, len(traded_before) - 1)] - LOOKBACK, LOOKBACK)
    lacking = panel.symbols[~np.isnan(panel.first_obv) & (there < LOOKBACK)]
    if len(lacking):
        raise InsufficientHistoryError(
            f"{len(lacking)} symbols are not there from their first session and have fewer than {LOOKBACK} traded "
            f"sessions before the first one asked for: {', '.join(lacking[:5])}"
        )
