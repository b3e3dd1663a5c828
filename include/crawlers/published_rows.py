"""Rows of text as a source publishes them, read column by column into a dataset's types, exactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from include.datasets.registry import Column, Dataset
from include.outcomes import Malformed

Row = Mapping[str, str]


@dataclass(frozen=True)
class Notation:
    """How a source writes values: the pattern of its numbers, the format of its days, the texts for no value."""

    number: str
    day: str
    absent: tuple[str, ...] = ("-", "")


PLAIN = Notation(number=r"^-?\d+(\.\d+)?$", day="%Y%m%d")
GROUPED = Notation(number=r"^-?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?$", day="%Y/%m/%d")


def require_fields(rows: Sequence[Row], fields: Iterable[str], where: str) -> None:
    """Every row is an object with all ``fields``.

    Raises:
        Malformed: one is not.
    """
    needed = set(fields)
    for place, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise Malformed(f"{where}, row {place}: expected an object, got {str(row)[:80]}")
        missing = needed - row.keys()
        if missing:
            raise Malformed(f"{where}, row {place}: no field {', '.join(sorted(missing))}; it has {', '.join(row)}")


def read_columns(
    rows: Sequence[Row], fields: Mapping[str, str], dataset: Dataset, notation: Notation, where: str
) -> dict[str, pa.Array]:
    """The dataset's columns named by ``fields``, read from the field each maps to.

    A text for no value is null in a nullable column.

    Raises:
        Malformed: a field is missing, or a text is no value of its column.
    """
    require_fields(rows, fields.values(), where)
    declared = {column.name: column for column in dataset.columns + dataset.parsed_only}
    return {name: read_column(rows, field, declared[name], notation, where) for name, field in fields.items()}


def read_column(rows: Sequence[Row], field: str, column: Column, notation: Notation, where: str) -> pa.Array:
    """One field of all rows as values of ``column``.

    Raises:
        Malformed: a text is no value of the column.
    """
    values = [row[field] for row in rows]
    for place, value in enumerate(values, start=1):
        if not isinstance(value, str):
            raise Malformed(f"{where}, row {place}: {field} is {value!r}, expected text")
    texts = pa.array(values, pa.string())
    if pa.types.is_string(column.type) and not column.nullable:
        return texts
    if column.nullable:
        texts = pc.if_else(pc.is_in(texts, pa.array(notation.absent)), None, texts)
    if pa.types.is_string(column.type):
        return texts
    if pa.types.is_date(column.type):
        return _days(texts, field, notation, where)
    return _numbers(texts, field, column, notation, where)


def table_of(dataset: Dataset, columns: Mapping[str, pa.Array], constants: Mapping[str, object]) -> pa.Table:
    """The dataset's parsed rows from all of its columns; ``constants`` are those with one value for all rows."""
    schema = dataset.parsed_schema
    height = len(next(iter(columns.values())))
    repeated = {name: pa.array([value] * height, schema.field(name).type) for name, value in constants.items()}
    everything = {**columns, **repeated}
    return pa.table({name: everything[name] for name in schema.names}, schema=schema)


def _numbers(texts: pa.Array, field: str, column: Column, notation: Notation, where: str) -> pa.Array:
    _require(pc.match_substring_regex(texts, notation.number), texts, field, f"a number ({column.type})", where)
    try:
        return pc.cast(pc.replace_substring(texts, ",", ""), column.type)
    except pa.ArrowInvalid as error:
        raise Malformed(f"{where}: {field} holds a number that is no {column.type}: {error}") from error


def _days(texts: pa.Array, field: str, notation: Notation, where: str) -> pa.Array:
    moments = pc.strptime(texts, format=notation.day, unit="s", error_is_null=True)
    # Reading the 30th of February gives a day of March.
    real = pc.fill_null(pc.equal(pc.strftime(moments, format=notation.day), texts), False)
    _require(pc.or_(real, pc.is_null(texts)), texts, field, f"a day ({notation.day})", where)
    return moments.cast(pa.date32())


def _require(good: pa.Array, texts: pa.Array, field: str, expected: str, where: str) -> None:
    if pc.any(pc.invert(good)).as_py():
        place = pc.index(good, False).as_py()
        raise Malformed(f"{where}, row {place + 1}: {field} is {texts[place].as_py()!r}, expected {expected}")
