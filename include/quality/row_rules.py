"""Finds the rows that break a rule of their dataset, by the rule's own SQL, before they reach the warehouse."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.datasets.registry import Dataset, GroupRule

MISSING_VALUE = "missing_value"
DUPLICATE_ROW = "duplicate_row"
DUPLICATE_KEY = "duplicate_key"


def mark_violations(rows: pa.Table, dataset: Dataset) -> pa.Table:
    """``rows`` in order of key, with two columns more: ``row_number`` (from 1, as published) and ``violated_rule``.

    ``violated_rule`` is null for a row that may load, else the first rule broken: a missing value, the
    dataset's own rules in order, duplicates, then the rules of groups. Of identical copies one may load; where
    copies of one key differ nobody knows which is right, and none may.
    """
    numbered = rows.append_column("row_number", pa.array(np.arange(1, rows.num_rows + 1)))
    ordered = numbered.sort_by([(name, "ascending") for name in dataset.key])
    with duckdb.connect() as database:
        # Documented: the order of the rows registered is the order of the rows selected.
        database.execute("SET preserve_insertion_order = true")
        database.register("published", ordered)
        rules = database.sql(f"SELECT {_first_violation(dataset)} AS rule FROM published").to_arrow_table()["rule"]
        marked = ordered.append_column("violated_rule", rules.cast(pa.string()))
        if _has_neighbours_alike(ordered.select(dataset.key)):
            marked = _mark_further(database, marked, _duplicates(dataset))
        for rule in dataset.group_rules:
            marked = _mark_further(database, marked, _broken_groups(rule))
    return marked


def _has_neighbours_alike(keys: pa.Table) -> bool:
    """Whether two rows in a row are equal: in order of key, any two with the same one are."""
    alike = pa.array(np.ones(max(keys.num_rows - 1, 0), np.bool_))
    for column in keys.combine_chunks().columns:
        alike = pc.and_(alike, pc.equal(column[1:], column[:-1]).fill_null(False))
    return bool(pc.any(alike).as_py())


def _mark_further(database: duckdb.DuckDBPyConnection, marked: pa.Table, query: str) -> pa.Table:
    """``marked`` with the rules that ``query`` over it gives to row numbers, where no rule was broken before."""
    database.register("marked", marked)
    found = database.sql(query).to_arrow_table()
    places = pc.index_in(marked["row_number"], found["row_number"]).combine_chunks()
    rules = pc.coalesce(marked["violated_rule"], found["rule"].combine_chunks().cast(pa.string()).take(places))
    return marked.set_column(marked.schema.get_field_index("violated_rule"), "violated_rule", rules)


def _first_violation(dataset: Dataset) -> str:
    missing = " OR ".join(f'"{column.name}" IS NULL' for column in dataset.columns if not column.nullable)
    cases = [f"WHEN {missing} THEN '{MISSING_VALUE}'"]
    cases += [f"WHEN {rule.violation} THEN '{rule.name}'" for rule in dataset.row_rules]
    return f"CASE {' '.join(cases)} END"


def _broken_groups(rule: GroupRule) -> str:
    """Row number and rule of every row of a group that breaks ``rule``; rows that may not load are not counted."""
    group = ", ".join(f'"{name}"' for name in rule.by)
    return f"""
        WITH broken AS (
            SELECT {group} FROM marked WHERE violated_rule IS NULL GROUP BY {group} HAVING {rule.violation}
        )
        SELECT row_number, '{rule.name}' AS rule FROM marked JOIN broken USING ({group}) WHERE violated_rule IS NULL
    """


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
