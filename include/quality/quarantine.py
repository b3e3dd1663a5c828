"""Keeps the rows that may not load: whole, with the rule they broke and the batch that brought them."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import psycopg
import pyarrow as pa

from include.datasets.registry import Dataset

_BLOCK = 10_000


def quarantine(
    connection: psycopg.Connection, dataset: Dataset, source: str, batch_id: int, rejected: pa.Table
) -> None:
    """Put ``rejected`` (rows with ``row_number`` and ``violated_rule``) into ``ops.quarantine``.

    A row already there, from the same place of the same answer, is not put there twice.
    """
    if rejected.num_rows == 0:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE rejected (session date, symbol text, rule text, row_number bigint, "
            '"row" jsonb) ON COMMIT DROP'
        )
        with cursor.copy("COPY rejected FROM STDIN") as copy:
            for block in rejected.to_batches(max_chunksize=_BLOCK):
                for row in block.to_pylist():
                    rule, number = row.pop("violated_rule"), row.pop("row_number")
                    copy.write_row((row["session"], row[dataset.subject], rule, number, json.dumps(row, default=_text)))
        cursor.execute(
            'INSERT INTO ops.quarantine (dataset, source, session, symbol, rule, row_number, "row", batch_id) '
            'SELECT %s, %s, session, symbol, rule, row_number, "row", %s FROM rejected '
            "ON CONFLICT DO NOTHING",
            [dataset.name, source, batch_id],
        )


def _text(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"a published row holds {value!r}, which has no JSON form")
