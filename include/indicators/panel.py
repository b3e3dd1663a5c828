"""Adjusted bars of many symbols as arrays: one symbol's sessions after another's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from include.indicators.symbol_rows import session_days, symbol_runs
from include.indicators.windows import Flags, Floats

PRICES = ("high", "low", "close")
OPTIONAL = ("index_close", "foreign_net_krw", "institution_net_krw", "foreign_pct")
VALUES = (*PRICES, "volume", *OPTIONAL)


class PanelError(ValueError):
    """Bars that no indicator can be computed of; the message says which.

    ``faults`` says it by symbol, where it is bars of some symbols.
    """

    def __init__(self, message: str, faults: Mapping[str, str] | None = None) -> None:
        self.faults = faults or {}
        super().__init__(message)


@dataclass(frozen=True)
class Panel:
    """Adjusted bars by symbol, and by session within a symbol.

    The sessions of ``symbols[i]`` are the rows from ``offsets[i]`` to ``offsets[i + 1]``; all arrays but these two
    and ``first_obv`` are as long as there are rows. Prices in won, ``volume`` in shares. A session without trading has
    no ``high`` and ``low`` (NaN); its close is carried and its volume of no account. ``index_close`` is the close of
    the index the symbol is measured against (points), ``foreign_net_krw`` and ``institution_net_krw`` what was bought
    less what was sold, ``foreign_pct`` the percentage held by foreigners; each may be missing (NaN).

    ``first_obv`` is for symbols of which the panel has only the later part: their on-balance volume on their first
    traded session in the panel, as computed before. NaN says that the symbol's rows are all there ever were.

    Raises:
        PanelError: lengths disagree, the sessions of a symbol are not in order or not all different, or a close is
            not positive, a high below the low, a volume missing or negative.
    """

    symbols: NDArray[np.object_]
    offsets: NDArray[np.int64]
    sessions: NDArray[np.datetime64]
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    index_close: Floats
    foreign_net_krw: Floats
    institution_net_krw: Floats
    foreign_pct: Floats
    first_obv: Floats

    def __post_init__(self) -> None:
        self._check_lengths()
        days = np.diff(self.sessions, prepend=self.sessions[:1]).astype(np.int64)
        days[self.offsets[:-1]] = 1
        wrong = {
            "has two bars": days == 0,
            "is not after the session before": days < 0,
            "has no positive close": ~((self.close > 0) & np.isfinite(self.close)),
            # A comparison with a missing price is false.
            "has only one of high and low": np.isnan(self.high) != np.isnan(self.low),
            "has no range of prices": (self.low <= 0) | (self.high < self.low) | np.isinf(self.high),
            "has no volume": ~((self.volume >= 0) & np.isfinite(self.volume)),
        }
        faults: dict[str, str] = {}
        for what, rows in wrong.items():
            faults = self._faults(rows, what) | faults
        if faults:
            raise PanelError("\n".join(told for _, told in sorted(faults.items())), faults)

    @classmethod
    def from_arrow(cls, bars: pa.Table) -> Panel:
        """Of a table with ``symbol``, ``session``, and the columns of the same names as here, by symbol and session.

        A column of ``OPTIONAL`` that is not there is missing on every session. ``first_obv``, where it is there, is
        the same on every row of a symbol.

        Raises:
            PanelError: as the class; a symbol's rows do not stand together, or there are none.
        """
        if not bars.num_rows:
            raise PanelError("there are no bars")
        symbols, offsets = symbol_runs(bars)
        if len(set(symbols)) < len(symbols):
            raise PanelError("the bars are not in order of symbol: the rows of a symbol do not stand together")
        absent = np.full(bars.num_rows, np.nan)

        def values(name: str) -> Floats:
            if name in OPTIONAL and name not in bars.column_names:
                return absent
            return np.ascontiguousarray(bars[name].cast(pa.float64()).to_numpy())

        first_obv = values("first_obv")[offsets[:-1]] if "first_obv" in bars.column_names else absent[: len(symbols)]
        return cls(symbols, offsets, session_days(bars), **{name: values(name) for name in VALUES}, first_obv=first_obv)

    @cached_property
    def traded(self) -> Flags:
        """Which rows are of a session with trading."""
        return ~np.isnan(self.high)

    def blocks(self, symbols: int) -> Iterator[Panel]:
        """The panel in panels of at most so many symbols, without copying: their results take less memory at once."""
        for first in range(0, len(self.symbols), symbols):
            last = min(first + symbols, len(self.symbols))
            rows = slice(self.offsets[first], self.offsets[last])
            yield Panel(
                self.symbols[first:last],
                self.offsets[first : last + 1] - self.offsets[first],
                self.sessions[rows],
                **{name: getattr(self, name)[rows] for name in VALUES},
                first_obv=self.first_obv[first:last],
            )

    def _check_lengths(self) -> None:
        rows, symbols = len(self.sessions), len(self.symbols)
        if len(self.offsets) != symbols + 1 or self.offsets[0] != 0 or self.offsets[-1] != rows or not symbols:
            raise PanelError(f"offsets do not divide {rows} rows among {symbols} symbols")
        if (np.diff(self.offsets) < 1).any():
            raise PanelError("a symbol has no rows")
        for item in fields(self):
            array = getattr(self, item.name)
            expected = {"symbols": symbols, "offsets": symbols + 1, "first_obv": symbols}.get(item.name, rows)
            if len(array) != expected:
                raise PanelError(f"{item.name} has {len(array)} values, expected {expected}")

    def _faults(self, wrong: Flags, what: str) -> dict[str, str]:
        """What is to be said of each symbol with ``wrong`` rows."""
        rows = np.flatnonzero(wrong)
        of_symbol = np.searchsorted(self.offsets, rows, side="right") - 1
        places, firsts, counts = np.unique(of_symbol, return_index=True, return_counts=True)
        return {
            symbol: f"{symbol} {what} on {day}; {count} rows are so"
            for symbol, day, count in zip(self.symbols[places], self.sessions[rows[firsts]], counts, strict=True)
        }
