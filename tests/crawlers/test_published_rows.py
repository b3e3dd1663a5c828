"""Texts as sources publish them become exactly the values they say, or are refused."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.crawlers.published_rows import GROUPED, PLAIN, Notation, read_column, require_fields
from include.datasets.registry import Column
from include.outcomes import Malformed

WHOLE = Column("shares", pa.int64(), "Shares")
POINTS = Column("level", pa.decimal128(18, 2), "Level", nullable=True)
DAY = Column("day", pa.date32(), "Day", nullable=True)
NOTATIONS = {"plain": PLAIN, "grouped": GROUPED}


def _read(text: object, column: Column, notation: Notation) -> object:
    [value] = read_column([{"F": text}], "F", column, notation, "here").to_pylist()  # type: ignore[dict-item]
    return value


@given(st.integers(-(2**63), 2**63 - 1))
def test_whole_numbers_are_read_exactly(number: int) -> None:
    assert _read(f"{number}", WHOLE, PLAIN) == number
    assert _read(f"{number:,}", WHOLE, GROUPED) == number


@given(st.decimals(-(10**15), 10**15, places=2))
def test_fractions_are_read_exactly(number: Decimal) -> None:
    assert _read(f"{number:,.2f}", POINTS, GROUPED) == number


@given(st.dates(date(1900, 1, 1), date(2100, 12, 31)))
def test_days_are_read(day: date) -> None:
    assert _read(f"{day:%Y/%m/%d}", DAY, GROUPED) == day
    assert _read(f"{day:%Y%m%d}", DAY, PLAIN) == day


@pytest.mark.parametrize("text", ["-", ""])
def test_no_value_is_null_where_the_column_allows_it(text: str) -> None:
    assert _read(text, POINTS, GROUPED) is None
    with pytest.raises(Malformed, match="here, row 1"):
        _read(text, WHOLE, GROUPED)


@pytest.mark.parametrize(
    ("text", "column", "notation"),
    [
        ("1,234", "whole", "plain"),
        ("12,34", "whole", "grouped"),
        ("1.5", "whole", "plain"),
        ("1_000", "whole", "plain"),
        (" 5", "whole", "plain"),
        ("٣", "whole", "plain"),
        ("NaN", "points", "grouped"),
        ("1e3", "points", "grouped"),
        ("0.001", "points", "grouped"),
        (str(2**63), "whole", "plain"),
        (5, "whole", "plain"),
        (None, "points", "grouped"),
        ("2021/02/30", "day", "grouped"),
        ("2021-02-03", "day", "grouped"),
    ],
)
def test_anything_else_is_malformed(text: object, column: str, notation: str) -> None:
    columns = {"whole": WHOLE, "points": POINTS, "day": DAY}
    with pytest.raises(Malformed, match="F "):
        _read(text, columns[column], NOTATIONS[notation])


def test_a_row_that_lacks_a_field_is_named() -> None:
    with pytest.raises(Malformed, match=r"here, row 2: no field B; it has A"):
        require_fields([{"A": "1", "B": "2"}, {"A": "1"}], ["A", "B"], "here")
    with pytest.raises(Malformed, match=r"here, row 1: expected an object"):
        require_fields(["A"], ["A"], "here")  # type: ignore[list-item]
