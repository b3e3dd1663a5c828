"""The traded sessions of some symbols, as formulas take them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from include.indicators.windows import Flags, Floats, flat_where, negligible, trailing


@dataclass(frozen=True)
class TradedSessions:
    """The traded sessions of one symbol in order, then of the next: contiguous arrays of one length.

    Adjusted prices in won, adjusted volume in shares, none missing. The index's close (points), the net bought by
    foreigners and institutions (won) and the percentage held by foreigners may be missing on any session: NaN.
    ``starts`` are the places of each symbol's first session; each has at least one. ``first_obv`` is the on-balance
    volume on that session, NaN where it is the symbol's first ever.

    A few symbols at a time are the fastest: arrays stay in the processor's cache, and a step of a formula that looks
    at windows only is one operation for all of them. What it finds in a window that reaches back into the symbol
    before is thrown away by :meth:`after`.
    """

    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    index_close: Floats
    foreign_net_krw: Floats
    institution_net_krw: Floats
    foreign_pct: Floats
    starts: NDArray[np.intp]
    first_obv: Floats
    _kept: dict[tuple[str, int], Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.close)

    def each(
        self, function: Callable[..., Any], *arrays: Floats, parameters: Sequence[int] = (), outputs: int = 1
    ) -> tuple[Floats, ...]:
        """``outputs`` arrays that ``function`` returns of ``arrays``, called for each symbol on its own."""
        return self.each_from(self.starts, function, *arrays, parameters=parameters, outputs=outputs)

    def each_from(
        self,
        starts: NDArray[np.intp],
        function: Callable[..., Any],
        *arrays: Floats,
        parameters: Sequence[int] = (),
        outputs: int = 1,
    ) -> tuple[Floats, ...]:
        """As :meth:`each`, called for each stretch that begins at one of ``starts``."""
        found = tuple(np.empty(len(self)) for _ in range(outputs))
        # TA-Lib's own function, without the search for frames among its arguments that is put around it.
        function = inspect.unwrap(function)
        for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(self)], strict=True):
            results = function(*[array[start:stop] for array in arrays], *parameters)
            for target, result in zip(found, (results,) if outputs == 1 else results, strict=True):
                target[start:stop] = result
        return found

    def after(self, sessions: int, values: Floats) -> Floats:
        """``values``, which lack so many sessions at the beginning, with NaN for the first ``sessions`` of a symbol."""
        whole = np.empty(len(self))
        whole[len(self) - len(values) :] = values
        for start in self.starts.tolist():
            whole[start : start + sessions] = np.nan
        return whole

    def trailing_sum(self, values: Floats, sessions: int) -> Floats:
        """The sum of the last ``sessions`` values, NaN where one of them is missing or there are fewer."""
        return self.after(sessions - 1, trailing(np.add, values, sessions))

    def earlier(self, sessions: int, values: Floats) -> Floats:
        """The value of ``sessions`` before, NaN for the first ones."""
        return self.after(sessions, values[: max(len(self) - sessions, 0)])

    def unmoved(self, still: Flags, changes: int) -> Flags:
        """Where the last ``changes`` of ``still``, which lacks the first session, are all true."""
        found = trailing(np.logical_and, still, changes)
        whole = np.concatenate((np.zeros(len(self) - len(found), np.bool_), found))
        for start in self.starts.tolist():
            whole[start : start + changes] = False
        return whole

    def highest(self, sessions: int) -> Floats:
        """The highest high of the last ``sessions``."""
        return self._extreme(np.maximum, self.high, sessions)

    def lowest(self, sessions: int) -> Floats:
        """The lowest low of the last ``sessions``."""
        return self._extreme(np.minimum, self.low, sessions)

    def place_in_range(self, sessions: int) -> Floats:
        """Where the close is between the lowest low (0) and the highest high (1); infinite where these are the same."""
        key = ("place", sessions)
        if key not in self._kept:
            highest, lowest = self.highest(sessions), self.lowest(sessions)
            spread = highest - lowest
            self._kept[key] = flat_where(negligible(spread, highest), (self.close - lowest) / spread)
        return self._kept[key]

    @cached_property
    def typical(self) -> Floats:
        """The typical price, (high + low + close) / 3."""
        return (self.high + self.low + self.close) / 3

    @cached_property
    def close_steps(self) -> Floats:
        """The close less the close before, without the first session."""
        return np.diff(self.close)

    @cached_property
    def typical_steps(self) -> Floats:
        """The typical price less the one before, without the first session."""
        return np.diff(self.typical)

    @cached_property
    def close_still(self) -> Flags:
        """Where the close is the close before, without the first session."""
        return negligible(self.close_steps, self.close[1:])

    @cached_property
    def typical_still(self) -> Flags:
        """Where the typical price is the one before, without the first session."""
        return negligible(self.typical_steps, self.typical[1:])

    def _extreme(self, operation: np.ufunc, values: Floats, sessions: int) -> Floats:
        key = (operation.__name__, sessions)
        if key not in self._kept:
            # Two windows of a power of two, which overlap; all extremes share these.
            span = 1 << (sessions.bit_length() - 1)
            half = self._doubled(operation, values, span)
            rest = sessions - span
            found = operation(half[: len(half) - rest], half[rest:]) if rest < len(half) else half[:0]
            self._kept[key] = self.after(sessions - 1, found)
        return self._kept[key]

    def _doubled(self, operation: np.ufunc, values: Floats, span: int) -> Floats:
        """The extreme of every ``span`` neighbours, a power of two; shorter by ``span - 1``."""
        key = (f"{operation.__name__} doubled", span)
        if span == 1:
            return values
        if key not in self._kept:
            half = self._doubled(operation, values, span // 2)
            rest = span // 2
            self._kept[key] = operation(half[:-rest], half[rest:]) if rest < len(half) else half[:0]
        return self._kept[key]
