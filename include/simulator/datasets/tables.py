"""Arrow tables of a dataset's schema, from exact integers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from include.datasets.registry import dataset_named

Columns = Mapping[str, Any]


def dataset_table(dataset: str, columns: Columns) -> pa.Table:
    """``columns`` (arrays or sequences by name, no more and no fewer) as a table of the dataset's ``parsed_schema``."""
    schema = dataset_named(dataset).parsed_schema
    if unknown := columns.keys() ^ set(schema.names):
        raise ValueError(f"{dataset} has the columns {schema.names}; missing or unknown: {sorted(unknown)}")
    return pa.table([_of_type(columns[field.name], field.type) for field in schema], schema=schema).combine_chunks()


def decimals(units: NDArray[np.int64], scale: int, known: NDArray[np.bool_] | None = None) -> pa.Array:
    """``units`` x 10 to the power of minus ``scale`` as decimals, exactly; null where not ``known``."""
    # A decimal128 is a little-endian two's complement of sixteen bytes.
    words = np.empty((len(units), 2), "<i8")
    words[:, 0] = units
    words[:, 1] = units >> 63
    mask = None if known is None else pa.py_buffer(np.packbits(known, bitorder="little"))
    return pa.Array.from_buffers(pa.decimal128(18, scale), len(units), [mask, pa.py_buffer(words)])


def integers(values: NDArray[np.int64], known: NDArray[np.bool_]) -> pa.Array:
    """``values``; null where not ``known``."""
    return pa.array(values, mask=~known)


def repeated(value: str | date | bool | None, count: int) -> pa.Array:
    """``value``, ``count`` times."""
    return pa.repeat(pa.scalar(value), count)


def texts(values: NDArray[np.object_] | tuple[str, ...], places: NDArray[Any]) -> pa.Array:
    """The text of ``values`` at each of ``places``."""
    return pa.array(values, pa.string()).take(pa.array(places))


def quotient(numerator: NDArray[np.int64], denominator: NDArray[np.int64]) -> NDArray[np.int64]:
    """``numerator`` / ``denominator``, halves up; 0 where the denominator is 0. Both at least 0."""
    divisor = np.maximum(denominator, 1)
    result: NDArray[np.int64] = np.where(denominator > 0, (2 * numerator + divisor) // (2 * divisor), 0)
    return result


def _of_type(values: Any, wanted: pa.DataType) -> pa.Array:
    array = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values)
    return array if array.type == wanted else array.cast(wanted)
