"""Finds the rows that break a rule of their dataset, by the rule's own SQL, before they reach the warehouse."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from include.datasets.registry import Dataset

MISSING_VALUE = "missing_value"
DUPLICATE_ROW = "duplicate_row"
DUPLICATE_KEY = "duplicate_key"


def mark_violations(rows: pa.Table, dataset: Dataset) -> pa.Table:
    """``rows`` with two columns more: ``row_number`` (from 1, as published) and ``violated_rule``.

    ``violated_rule`` is null for a row that may load, else the first rule broken: a missing value, the
    dataset's own rules in order, then duplicates. Of identical copies one may load; where copies of one key
    differ nobody knows which is right, and none may.
    """
    with duckdb.connect() as database:
        numbered = rows.append_column("row_number", pa.array(range(1, rows.num_rows + 1), pa.int64()))
        database.register("published", numbered)
        marked = database.sql(f"SELECT *, {_first_violation(dataset)} AS violated_rule FROM published").to_arrow_table()
        database.register("marked", marked)
        duplicates = database.sql(_duplicates(dataset)).to_arrow_table()
        if duplicates.num_rows:
            database.register("duplicates", duplicates)
            marked = database.sql(
                "SELECT marked.* REPLACE (coalesce(violated_rule, duplicates.rule) AS violated_rule) "
                "FROM marked LEFT JOIN duplicates USING (row_number) ORDER BY row_number"
            ).to_arrow_table()
    return marked


def _first_violation(dataset: Dataset) -> str:
    missing = " OR ".join(f'"{column.name}" IS NULL' for column in dataset.columns if not column.nullable)
    cases = [f"WHEN {missing} THEN '{MISSING_VALUE}'"]
    cases += [f"WHEN {rule.violation} THEN '{rule.name}'" for rule in dataset.row_rules]
    return f"CASE {' '.join(cases)} END"


def _duplicates(dataset: Dataset) -> str:
    """Row number and rule of every copy that may not load."""
    key = ", ".join(dataset.key)
    content = ", ".join(f'"{name}"' for name in dataset.parsed_schema.names)
    return f"""
        WITH repeated AS (
            SELECT {key} FROM marked WHERE violated_rule IS NULL GROUP BY {key} HAVING count(*) > 1
        ), copies AS (
            SELECT
                row_number,
                row_number() OVER (PARTITION BY {content} ORDER BY row_number) AS copy,
                count(*) OVER (PARTITION BY {key}) AS rows_of_key,
                count(*) OVER (PARTITION BY {content}) AS rows_alike
            FROM marked JOIN repeated USING ({key}) WHERE violated_rule IS NULL
        )
        SELECT
            row_number,
            CASE WHEN rows_of_key > rows_alike THEN '{DUPLICATE_KEY}' ELSE '{DUPLICATE_ROW}' END AS rule
        FROM copies WHERE rows_of_key > rows_alike OR copy > 1
    """
