"""The digest is what its documentation says, whatever the order, and any changed cell shows."""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from include.warehouse.content_digest import ContentDigest

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
VALUES = {
    pa.string(): st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
    pa.int16(): st.integers(-(2**15), 2**15 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.bool_(): st.booleans(),
    pa.date32(): st.dates(date(1900, 1, 1), date(2100, 1, 1)),
    pa.decimal128(18, 4): st.decimals(-(10**13), 10**13, places=4),
    pa.float64(): st.floats(),
    pa.timestamp("us", tz="UTC"): st.datetimes(timezones=st.just(UTC)),
}
SCHEMA = pa.schema([(f"column {position}", of_type) for position, of_type in enumerate(VALUES)])
ROWS = st.tuples(*[st.none() | values for values in VALUES.values()])


def digest(rows: Iterable[tuple[Any, ...]], batch_rows: int = 1_000) -> str:
    table = pa.Table.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in rows], schema=SCHEMA)
    return digest_of_table(table, batch_rows)


def digest_of_table(table: pa.Table, batch_rows: int = 1_000) -> str:
    content = ContentDigest()
    for batch in table.to_batches(batch_rows):
        content.update(batch)
    assert content.rows == table.num_rows
    return content.hexdigest


def told(value: Any) -> str:
    """The documentation's step 1, told again."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case Decimal():
            return f"{value + 0:.4f}"
        case float():
            return str(struct.unpack("<q", struct.pack("<d", value))[0])
        case datetime():
            return str((value - EPOCH) // timedelta(microseconds=1))
        case date():
            return value.isoformat()
        case _:
            return f"{len(value.encode())}:{value}"


def recomputed(rows: Iterable[tuple[Any, ...]]) -> str:
    """The documentation's steps 2 to 4, told again."""
    hashes = [hashlib.sha256(",".join(map(told, row)).encode()).digest()[:16] for row in rows]
    return f"{sum(int.from_bytes(each) for each in hashes) % 2**128:032x}"


@given(st.lists(ROWS, max_size=20))
def test_anyone_can_recompute_it(rows: list[tuple[Any, ...]]) -> None:
    assume(not any(isinstance(value, float) and math.isnan(value) for row in rows for value in row))
    assert digest(rows) == recomputed(rows)


def test_it_never_changes() -> None:
    """A digest written into a manifest today must be computed alike in ten years."""
    text = "6:005930,2024-01-02,78200,7:삼성!,true,null"
    row = pa.table(
        {
            "symbol": pa.array(["005930"]),
            "session": pa.array([date(2024, 1, 2)]),
            "close": pa.array([78_200]),
            "name": pa.array(["삼성!"]),
            "halted": pa.array([True]),
            "missing": pa.array([None], pa.string()),
        }
    )
    assert digest_of_table(row) == hashlib.sha256(text.encode()).hexdigest()[:32]
    assert digest_of_table(row) == "a0fca36f5a8221b421343e73c10688d3"


@given(st.lists(ROWS, min_size=1, max_size=20).flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))))
def test_neither_order_nor_batches_matter(orders: tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]) -> None:
    rows, reordered = orders
    assert digest(rows) == digest(reordered, batch_rows=3)


@given(st.lists(ROWS, max_size=10), st.lists(ROWS, max_size=10))
def test_a_whole_is_the_sum_of_its_parts(some: list[tuple[Any, ...]], others: list[tuple[Any, ...]]) -> None:
    parts = (int(digest(some), 16) + int(digest(others), 16)) % 2**128
    assert digest(some + others) == f"{parts:032x}"


@given(st.data())
def test_every_changed_cell_shows(data: st.DataObject) -> None:
    rows = data.draw(st.lists(ROWS, min_size=1, max_size=10))
    row = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.integers(0, len(SCHEMA) - 1))
    value = data.draw(st.none() | VALUES[SCHEMA.types[column]])
    assume(told(value) != told(rows[row][column]))
    changed = [list(each) for each in rows]
    changed[row][column] = value
    assert digest(tuple(each) for each in changed) != digest(rows)


def test_no_rows_are_zero() -> None:
    assert digest([]) == "0" * 32


def test_every_bit_of_a_float_counts() -> None:
    digests = {digest_of_table(pa.table({"factor": [value]})) for value in (0.0, -0.0, 0.1, math.nextafter(0.1, 1))}
    assert len(digests) == 4


def test_values_do_not_run_into_one_another() -> None:
    texts = [("a", "b,1:c"), ("a,1:b", "c"), ("", "a"), ("a", ""), ("null", "x"), (None, "x")]
    digests = {digest_of_table(pa.table({"a": pa.array([a]), "b": [b]}, SCHEMA_OF_TEXTS)) for a, b in texts}
    assert len(digests) == len(texts)


SCHEMA_OF_TEXTS = pa.schema([("a", pa.string()), ("b", pa.string())])


def test_a_slice_is_hashed_as_what_it_shows() -> None:
    table = pa.table({"factor": [0.5, 1.5, 2.5]})
    assert digest_of_table(table.slice(1, 1)) == digest_of_table(pa.table({"factor": [1.5]}))


def test_a_type_without_a_rule_is_refused() -> None:
    table = pa.table({"price": pa.array([1], pa.float32())})
    with pytest.raises(TypeError, match=r"column price is of type float"):
        digest_of_table(table)
