"""How the exchange's two data services write numbers: as text, ``-`` where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from include.simulator.exchange.rates import rate_in_hundredths

NO_VALUE = "-"

Row = dict[str, str]
Number = int | Decimal


def plain(value: Number | None) -> str:
    """``-1234.50``, as KRX Open API writes it."""
    return NO_VALUE if value is None else str(value)


def grouped(value: Number | None) -> str:
    """``-1,234.50``, as the portal writes it."""
    return NO_VALUE if value is None else f"{value:,}"


def texts(values: Iterable[str | None]) -> list[str]:
    """Names as they are, nothing as an empty text."""
    return [value or "" for value in values]


def rates(change: pa.ChunkedArray, base: pa.ChunkedArray) -> list[str]:
    """``change`` over ``base`` (both won) as a percentage of two decimals."""
    return [_hundredths(rate) for rate in rate_in_hundredths(change.to_numpy(), base.to_numpy()).tolist()]


def decimal_rates(changes: Sequence[Decimal | None], levels: Sequence[Decimal | None]) -> list[str]:
    """``changes`` of two decimals over what ``levels`` were before them, ``-`` where either is missing."""
    return [
        NO_VALUE if change is None or level is None else _decimal_rate(change, level)
        for change, level in zip(changes, levels, strict=True)
    ]


def records(columns: Mapping[str, Sequence[str]]) -> list[Row]:
    """Rows of ``columns``, fields in their order."""
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def blank(rows: Sequence[Row], fields: Iterable[str]) -> list[Row]:
    """``rows`` without a value in ``fields``."""
    nothing = dict.fromkeys(fields, NO_VALUE)
    return [row | nothing for row in rows]


def column(table: pa.Table, name: str, write: Callable[[Any], str] = str) -> list[str]:
    """One column of ``table``, each value written by ``write``."""
    return [write(value) for value in table[name].to_pylist()]


def _decimal_rate(change: Decimal, level: Decimal) -> str:
    return _hundredths(int(rate_in_hundredths(_in_hundredths(change), _in_hundredths(level - change))[0]))


def _in_hundredths(value: Decimal) -> NDArray[np.int64]:
    return np.array([int(value * 100)], np.int64)


def _hundredths(rate: int) -> str:
    return f"{'-' if rate < 0 else ''}{abs(rate) // 100}.{abs(rate) % 100:02d}"
