"""The traded sessions of some symbols, as strategies look at them: at a session and back, never ahead.

A session without trading is skipped as if it were not there, as indicators do: the session before one is the last the
symbol traded.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from datetime import date
from typing import TypeVar, overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from include.indicators.catalogue import COLUMNS
from include.indicators.compute import Indicators
from include.indicators.panel import Panel
from include.indicators.symbol_rows import session_days, symbol_runs
from include.indicators.windows import Flags, Floats

BARS = ("open", "high", "low", "close", "volume")
# Everything a strategy may look at: the adjusted bar and its indicators.
HISTORY_COLUMNS: tuple[str, ...] = (*BARS, *(column.name for column in COLUMNS))

_Value = TypeVar("_Value", np.float64, np.datetime64)
Rows = NDArray[np.intp]
Level = str | float | Floats

_IN_WON = {"open", "high", "low", "close", *(column.name for column in COLUMNS if column.unit == "KRW")}
# Values that differ by less are equal: of the price for what is in won, of 100 for the rest. Indicators are computed
# to this, so that what touches a line is on the same side of it however its history was computed.
_SAME = 1e-9


class HistoryError(ValueError):
    """Rows no strategy can be evaluated on; the message says which."""


class UnknownColumnError(LookupError):
    """There is no such column; the message names those that are close."""


class LookAheadError(ValueError):
    """A strategy looks at what is not yet known on its session."""


class History:
    """Adjusted bars and indicators of traded sessions, one symbol's after another's.

    The sessions of ``symbols[i]`` are the rows from ``offsets[i]`` to ``offsets[i + 1]``, in order; a symbol may have
    none. Prices in won, volume in shares, indicators in their units; NaN where there is no value. A comparison with
    NaN is false, so a condition made of comparisons does not hold where something it needs is missing. (The opposite
    of one does: ask for ``below`` rather than for not ``above``.)
    """

    def __init__(
        self,
        symbols: NDArray[np.object_],
        offsets: NDArray[np.int64],
        sessions: NDArray[np.datetime64],
        columns: Mapping[str, Floats],
    ) -> None:
        self.symbols = symbols
        self.offsets = offsets
        self.sessions = sessions
        self._columns = columns
        # Where the rows of a symbol begin and end, of those that have any.
        there = np.diff(offsets) > 0
        self._spans = list(zip(offsets[:-1][there].tolist(), offsets[1:][there].tolist(), strict=True))
        self._kept: dict[tuple[str, ...], Floats] = {}
        # What was asked for, and how many sessions back: tells what a condition needs.
        self.columns_read: set[str] = set()
        self.sessions_back = 0

    @classmethod
    def of(cls, panel: Panel, open_prices: Floats, indicators: Indicators) -> History:
        """Of ``panel``, its adjusted opens (won, by row of the panel), and its indicators from the first session on.

        Where all sessions are traded nothing is copied.

        Raises:
            HistoryError: the opens or the indicators are not of the same rows as the panel.
        """
        if len(open_prices) != len(panel.sessions) or len(indicators) != len(panel.sessions):
            raise HistoryError(
                f"the panel has {len(panel.sessions)} rows, there are {len(open_prices)} opens and {len(indicators)} "
                "rows of indicators: all have to be of the same sessions"
            )
        traded = panel.traded

        def picked(values: NDArray[_Value]) -> NDArray[_Value]:
            return values if traded.all() else values[traded]

        counts = np.add.reduceat(traded, panel.offsets[:-1], dtype=np.int64)
        bars = {"high": panel.high, "low": panel.low, "close": panel.close, "volume": panel.volume}
        columns = {name: picked(values) for name, values in (("open", open_prices), *bars.items())}
        columns |= {column.name: indicators.of_traded_sessions(column.name) for column in COLUMNS}
        return cls(panel.symbols, np.concatenate(((0,), np.cumsum(counts))), picked(panel.sessions), columns)

    @classmethod
    def from_arrow(cls, rows: pa.Table) -> History:
        """Of a table of traded sessions with ``symbol``, ``session`` and columns of ``HISTORY_COLUMNS``, null as NaN.

        Raises:
            HistoryError: there are no rows, or they are not in order of symbol and session.
        """
        if not rows.num_rows:
            raise HistoryError("there are no rows")
        symbols, offsets = symbol_runs(rows)
        sessions = session_days(rows)
        in_order = np.diff(sessions) > np.timedelta64(0, "D")
        in_order[offsets[1:-1] - 1] = True
        if len(set(symbols)) < len(symbols) or not in_order.all():
            raise HistoryError("the rows are not in order of symbol and session")
        names = [name for name in rows.column_names if name in HISTORY_COLUMNS]
        return cls(symbols, offsets, sessions, {name: rows[name].cast(pa.float64()).to_numpy() for name in names})

    @classmethod
    def without_rows(cls) -> History:
        """No rows of all columns: what a condition looks at shows without any."""
        nothing = np.empty(0)
        columns = dict.fromkeys(HISTORY_COLUMNS, nothing)
        return cls(np.empty(0, object), np.zeros(1, np.int64), np.empty(0, "datetime64[D]"), columns)

    def __len__(self) -> int:
        return len(self.sessions)

    def symbol_index(self, rows: Rows) -> Rows:
        """Which of ``symbols`` each of ``rows`` is of."""
        return np.searchsorted(self.offsets, rows, side="right") - 1

    def blocks(self, rows: int) -> Iterator[tuple[int, History]]:
        """The history in histories of so many rows, or of one symbol with more, each after its first row's number.

        Nothing is copied.
        """
        first = 0
        while first < len(self.symbols):
            limit = self.offsets[first] + rows
            last = max(int(np.searchsorted(self.offsets, limit, side="right")) - 1, first + 1)
            yield int(self.offsets[first]), self._of_symbols(first, last)
            first = last

    def only(self, rows: Flags) -> History:
        """The history of some of the rows, as if the others had not been."""
        counts = np.concatenate(((0,), np.cumsum(rows)))
        columns = {name: values[rows] for name, values in self._columns.items()}
        return History(self.symbols, counts[self.offsets], self.sessions[rows], columns)

    def first_sessions(self) -> dict[str, date]:
        """The first session of each symbol that has any."""
        there = np.diff(self.offsets) > 0
        firsts: list[date] = self.sessions[self.offsets[:-1][there]].tolist()
        return dict(zip(self.symbols[there].tolist(), firsts, strict=True))

    def rows_before(self) -> Rows:
        """How many rows of its symbol there are before each row."""
        return np.arange(len(self)) - np.repeat(self.offsets[:-1], np.diff(self.offsets))

    def rows_after(self) -> Rows:
        """How many rows of its symbol there are after each row."""
        return np.repeat(self.offsets[1:], np.diff(self.offsets)) - np.arange(len(self)) - 1

    def endings(self, rows: Rows, sessions: int) -> History:
        """Up to each of ``rows``, its symbol's last ``sessions`` rows, as a symbol of their own.

        Each of ``rows`` has that many of its symbol, itself included.
        """
        taken = (rows[:, None] + np.arange(1 - sessions, 1)).ravel()
        columns = {name: values[taken] for name, values in self._columns.items()}
        offsets = np.arange(len(rows) + 1, dtype=np.int64) * sessions
        return History(self.symbols[self.symbol_index(rows)], offsets, self.sessions[taken], columns)

    def __getitem__(self, name: str) -> Floats:
        """A column of ``HISTORY_COLUMNS``, NaN where there is no value.

        Raises:
            UnknownColumnError: there is no such column.
        """
        self.columns_read.add(name)
        key = (name,)
        if key not in self._kept:
            if name not in self._columns:
                raise UnknownColumnError(_unknown(name, self._columns))
            values = self._columns[name]
            flat = np.isinf(values)
            self._kept[key] = np.where(flat, np.nan, values) if flat.any() else values
        return self._kept[key]

    @overload
    def before(self, values: str | Floats, sessions: int) -> Floats: ...
    @overload
    def before(self, values: Flags, sessions: int) -> Flags: ...
    def before(self, values: str | Floats | Flags, sessions: int) -> Floats | Flags:
        """A column, or values by row, as they were so many traded sessions before: NaN or false where there is none.

        Raises:
            LookAheadError: ``sessions`` is not a whole number from 1 on.
            UnknownColumnError: there is no such column.
        """
        self._look_back(values, sessions)
        if not isinstance(values, str):
            return self._shifted(values, sessions)
        key = ("before", values, str(sessions))
        if key not in self._kept:
            self._kept[key] = self._shifted(self[values], sessions)
        return self._kept[key]

    def highest(self, values: str | Floats, sessions: int) -> Floats:
        """The highest of the ``sessions`` before, the session's own left out; NaN where one is missing.

        Raises:
            LookAheadError, UnknownColumnError: as :meth:`before`.
        """
        return self._extreme(np.maximum, values, sessions)

    def lowest(self, values: str | Floats, sessions: int) -> Floats:
        """The lowest of the ``sessions`` before, the session's own left out; NaN where one is missing.

        Raises:
            LookAheadError, UnknownColumnError: as :meth:`before`.
        """
        return self._extreme(np.minimum, values, sessions)

    def above(self, column: str, level: Level) -> Flags:
        """Where ``column`` is above ``level``: a number, another column or values by row.

        Raises:
            UnknownColumnError: there is no such column.
        """
        values: Flags = self[column] > self._level(level) + self._slack(column)
        return values

    def below(self, column: str, level: Level) -> Flags:
        """Where ``column`` is below ``level``: a number, another column or values by row.

        Raises:
            UnknownColumnError: there is no such column.
        """
        values: Flags = self[column] < self._level(level) - self._slack(column)
        return values

    def crosses_above(self, column: str, level: Level) -> Flags:
        """Where ``column`` is above ``level``, and on the session before both were known and it was not.

        Raises:
            UnknownColumnError: there is no such column.
        """
        limit = self._level(level) + self._slack(column)
        return (self[column] > limit) & self.before(self[column] <= limit, 1)

    def crosses_below(self, column: str, level: Level) -> Flags:
        """Where ``column`` is below ``level``, and on the session before both were known and it was not.

        Raises:
            UnknownColumnError: there is no such column.
        """
        limit = self._level(level) - self._slack(column)
        return (self[column] < limit) & self.before(self[column] >= limit, 1)

    def began(self, state: Flags) -> Flags:
        """The first session of a state: where it holds and, on the session before, did not or could not be told."""
        return state & self.before(~state, 1)

    def _of_symbols(self, first: int, last: int) -> History:
        rows = slice(int(self.offsets[first]), int(self.offsets[last]))
        columns = {name: values[rows] for name, values in self._columns.items()}
        offsets = self.offsets[first : last + 1] - rows.start
        return History(self.symbols[first:last], offsets, self.sessions[rows], columns)

    def _level(self, level: Level) -> float | Floats:
        return self[level] if isinstance(level, str) else level

    def _slack(self, column: str) -> float | Floats:
        """By how much values of ``column`` may differ and be equal."""
        if column not in _IN_WON:
            return 100 * _SAME
        key = ("slack",)
        if key not in self._kept:
            self._kept[key] = _SAME * self._columns["close"]
        self.columns_read.add("close")
        return self._kept[key]

    def _look_back(self, values: str | Floats | Flags, sessions: int) -> None:
        if isinstance(sessions, bool) or not isinstance(sessions, int) or sessions < 1:
            of = f"of {values!r} " if isinstance(values, str) else ""
            raise LookAheadError(
                f"{sessions!r} sessions before {of}are not in the past: expected a whole number from 1 on; "
                "the session's own value is history[column]"
            )
        self.sessions_back = max(self.sessions_back, sessions)

    @overload
    def _shifted(self, values: Floats, sessions: int) -> Floats: ...
    @overload
    def _shifted(self, values: Flags, sessions: int) -> Flags: ...
    def _shifted(self, values: Floats | Flags, sessions: int) -> Floats | Flags:
        shifted = np.empty_like(values)
        shifted[sessions:] = values[: max(len(values) - sessions, 0)]
        self._clear(shifted, sessions)
        return shifted

    def _clear(self, values: Floats | Flags, sessions: int) -> None:
        """Take away what the first rows of each symbol have of the symbol before."""
        missing = False if values.dtype == np.bool_ else np.nan
        for start, stop in self._spans:
            values[start : min(start + sessions, stop)] = missing

    def _extreme(self, operation: np.ufunc, values: str | Floats, sessions: int) -> Floats:
        self._look_back(values, sessions)
        if not isinstance(values, str):
            return self._extreme_of(operation, values, sessions)
        key = (operation.__name__, values, str(sessions))
        if key not in self._kept:
            self._kept[key] = self._extreme_of(operation, self[values], sessions)
        return self._kept[key]

    def _extreme_of(self, operation: np.ufunc, values: Floats, sessions: int) -> Floats:
        found = np.full(len(values), np.nan)
        if len(values) > sessions:
            # Of 1, 2, 4, ... neighbours, then of two windows that overlap.
            width, block = 1, values
            while 2 * width <= sessions:
                block = operation(block[:-width], block[width:])
                width *= 2
            count = len(values) - sessions
            found[sessions:] = operation(block[:count], block[sessions - width : sessions - width + count])
        self._clear(found, sessions)
        return found


def _unknown(name: str, names: Mapping[str, Floats]) -> str:
    close = difflib.get_close_matches(name, names, n=3)
    if not close:
        return f"there is no column {name!r}; there are: {', '.join(names)}"
    return f"there is no column {name!r}; did you mean {' or '.join(close)}?"
