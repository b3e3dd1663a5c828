"""The digest of rows: says whether two sets of rows are the same, wherever and in whatever order they are.

How it is computed, for anyone who wants to compute it again without this code:

1. Every value is written as text: text as its length in bytes of UTF-8, a colon and itself (``6:005930``);
   integers in decimal; exact decimals with all the places of their column (``31.7400``); dates as ``YYYY-MM-DD``;
   booleans as ``true`` and ``false``; a float as its 64 bits (IEEE 754) and a timestamp as its microseconds since
   1970-01-01 UTC, both as a signed integer in decimal; a missing value as ``null``.
2. A row is its values in column order, joined by commas. With the lengths, no two rows are written alike.
3. A row's number is the first 16 bytes of the SHA-256 of that text in UTF-8, read as a big-endian integer.
4. The digest is the sum of the rows' numbers modulo 2^128, in 32 hexadecimal digits. No rows: all zeros.

A sum has no order, so neither the order of loading nor partitioning matters and nothing has to be sorted;
the digest of a table is the sum of the digests of its parts. Rows of a table differ by their primary key, and
two different sets of rows share a digest by chance once in 2^128. It finds accidents; against somebody who
chooses rows to deceive, compare the SHA-256 of the files.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

_MODULUS = 1 << 128
_WRITTEN_AS_THEY_ARE = (pa.int16(), pa.int32(), pa.int64(), pa.bool_(), pa.date32())


class ContentDigest:
    """Takes rows in, batch by batch, all of one schema; ``rows`` counts them."""

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0
        # The batches come one after the other and are small: a second thread has nothing to do.
        self._database = duckdb.connect(config={"threads": 1})

    def update(self, batch: pa.RecordBatch) -> None:
        """Take in the rows of ``batch``, all its columns.

        Raises:
            TypeError: a column has a type that step 1 says nothing about.
        """
        if batch.num_rows == 0:
            return
        columns = [_exact(column, field) for column, field in zip(batch.columns, batch.schema, strict=True)]
        names = [f"c{position}" for position in range(len(columns))]
        values = ", ".join(_as_text(name, column.type) for name, column in zip(names, columns, strict=True))
        self._database.register("batch", pa.Table.from_arrays(columns, names=names))
        high, low = self._database.execute(
            f"""
            SELECT sum(('0x' || hash[1:16])::UBIGINT), sum(('0x' || hash[17:32])::UBIGINT)
            FROM (SELECT sha256(concat_ws(',', {values})) AS hash FROM batch)
            """
        ).fetchall()[0]
        self._sum = (self._sum + (high << 64) + low) % _MODULUS
        self.rows += batch.num_rows

    @property
    def hexdigest(self) -> str:
        """The digest of the rows so far, 32 hexadecimal digits."""
        return f"{self._sum:032x}"


def _exact(column: pa.Array, field: pa.Field) -> pa.Array:
    """``column`` in a type whose text loses nothing and is the same everywhere."""
    if column.type in (pa.string(), *_WRITTEN_AS_THEY_ARE) or pa.types.is_decimal(column.type):
        return column
    if column.type in (pa.float64(), pa.timestamp("us", tz="UTC")):
        return column.view(pa.int64())
    raise TypeError(
        f"column {field.name} is of type {field.type}, and how such values enter a digest is not defined; "
        "define it in include/warehouse/content_digest.py"
    )


def _as_text(name: str, of_type: pa.DataType) -> str:
    text = f"strlen({name}) || ':' || {name}" if of_type == pa.string() else f"{name}::VARCHAR"
    return f"coalesce({text}, 'null')"
