"""The Parquet schema of a dataset, from the registry."""

from __future__ import annotations

import pyarrow as pa

from include.datasets.registry import Column, Dataset


def parquet_schema(dataset: Dataset) -> pa.Schema:
    """All columns of the fact table, provenance included; ``meaning`` and ``unit`` are field metadata."""
    return pa.schema(
        [_field(column) for column in dataset.table_columns],
        metadata={"dataset": dataset.name, "meaning": dataset.meaning},
    )


def _field(column: Column) -> pa.Field:
    metadata = {"meaning": column.meaning} | ({"unit": column.unit} if column.unit else {})
    return pa.field(column.name, column.type, nullable=column.nullable, metadata=metadata)


def describe_columns(schema: pa.Schema) -> list[dict[str, str | bool]]:
    """``schema`` as a manifest tells it: name, type, nullable, meaning and, of a quantity, unit."""
    return [
        {"name": field.name, "type": str(field.type), "nullable": field.nullable, **_told(field)} for field in schema
    ]


def _told(field: pa.Field) -> dict[str, str]:
    metadata = field.metadata or {}
    return {key: metadata[key.encode()].decode() for key in ("meaning", "unit") if key.encode() in metadata}
