"""Daily bars as price sites show them: adjusted for what happened since, rounded to whole won."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from fractions import Fraction
from typing import Protocol

import pyarrow as pa

SCHEMA = pa.schema(
    [("symbol", pa.string()), ("session", pa.date32())]
    + [(name, pa.int64()) for name in ("open", "high", "low", "close", "volume")]
)


class BaseReset(Protocol):
    """What divides the prices of the sessions before ``ex_date``."""

    @property
    def ex_date(self) -> date:
        """The session whose base was reset."""

    @property
    def base_ratio(self) -> Fraction:
        """Base / previous close."""


def adjusted_table(bars: pa.Table, actions: Sequence[BaseReset]) -> pa.Table:
    """``bars`` (one symbol's, raw, by session) divided by its ``actions`` of later sessions; of :data:`SCHEMA`.

    A price is multiplied by base / previous close of every action after its session, a volume divided by it; both are
    rounded to whole numbers, halves up. Prices of a session without a trade stay 0, as published.
    """
    if not actions:
        return bars.select(SCHEMA.names)
    sessions = bars["session"].to_pylist()
    factors = [_factor([action for action in actions if action.ex_date > session]) for session in sessions]
    columns: dict[str, pa.Array | pa.ChunkedArray | list[int]] = {"symbol": bars["symbol"], "session": bars["session"]}
    for name in ("open", "high", "low", "close"):
        columns[name] = [
            _rounded(price * factor) for price, factor in zip(bars[name].to_pylist(), factors, strict=True)
        ]
    columns["volume"] = [
        _rounded(volume / factor) for volume, factor in zip(bars["volume"].to_pylist(), factors, strict=True)
    ]
    return pa.table(columns, schema=SCHEMA)


def _factor(actions: Sequence[BaseReset]) -> Fraction:
    product = Fraction(1)
    for action in actions:
        product *= action.base_ratio
    return product


def _rounded(value: Fraction) -> int:
    return int(value + Fraction(1, 2))
