"""The data dictionary: every table and view with the warehouse's comments and the rules of the registry.

``python -m include.warehouse.dictionary`` writes it to ``docs/data-dictionary.md``, from the warehouse of the settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from include.datasets.registry import Dataset, datasets
from include.settings import PROJECT_ROOT, load_settings
from include.warehouse.connection import connect

PAGE = PROJECT_ROOT / "docs" / "data-dictionary.md"

# In the order of the page: what people read first, then facts, then how they came to be.
_SCHEMAS = ("mart", "market", "derived", "ops")

_RELATIONS = """
    SELECT n.nspname, c.relname, c.relkind = 'v', obj_description(c.oid, 'pg_class'),
           a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, col_description(c.oid, a.attnum)
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE n.nspname = ANY (%s) AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
    ORDER BY array_position(%s, n.nspname::text), c.relname COLLATE "C", a.attnum
"""

_FUNCTIONS = """
    SELECT format('mart.%s(%s)', proname, pg_get_function_arguments(oid)), pg_get_function_result(oid),
           obj_description(oid, 'pg_proc')
    FROM pg_proc WHERE pronamespace = 'mart'::regnamespace ORDER BY proname COLLATE "C"
"""

_HEAD = """\
# Data dictionary

Written by `python -m include.warehouse.dictionary` from the comments in the database and the dataset registry;
changed there, never here. Units are in brackets. `NULL` says that a column may be empty.
"""


@dataclass(frozen=True)
class _Column:
    name: str
    type: str
    nullable: bool
    meaning: str


@dataclass(frozen=True)
class _Relation:
    """A table or view; ``columns`` in its own order."""

    schema: str
    name: str
    is_view: bool
    meaning: str
    columns: tuple[_Column, ...]

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"


def data_dictionary(dsn: str) -> str:
    """The page, in Markdown, of the migrated warehouse ``dsn``.

    Raises:
        WarehouseUnreachableError: the warehouse does not answer.
    """
    by_table = {dataset.table: dataset for dataset in datasets().values()}
    with connect(dsn) as connection:
        comments: dict[str, str] = dict(
            connection.execute("SELECT nspname, obj_description(oid, 'pg_namespace') FROM pg_namespace").fetchall()
        )
        rows = connection.execute(_RELATIONS, [list(_SCHEMAS), list(_SCHEMAS)]).fetchall()
        functions = connection.execute(_FUNCTIONS).fetchall()
    parts = [_HEAD]
    for schema, relations in groupby(_relations(rows), key=lambda relation: relation.schema):
        parts.append(f"## Schema `{schema}`\n\n{comments[schema]}.\n")
        parts += [_section(relation, by_table) for relation in relations]
        if schema == "mart":
            parts.append(_functions_section(functions))
    return "\n".join(parts)


def _relations(rows: list[tuple[object, ...]]) -> Iterator[_Relation]:
    for head, columns in groupby(rows, key=lambda row: row[:4]):
        schema, name, is_view, meaning = head
        yield _Relation(
            str(schema),
            str(name),
            bool(is_view),
            str(meaning),
            tuple(_Column(str(row[4]), str(row[5]), not row[6], str(row[7])) for row in columns),
        )


def _section(relation: _Relation, by_table: Mapping[str, Dataset]) -> str:
    # A view's columns are all nullable to PostgreSQL; saying so would tell nothing.
    lines = [
        f"### {'View' if relation.is_view else 'Table'} `{relation.full_name}`",
        "",
        f"{relation.meaning.rstrip('.')}.",
        "",
        "| column | type | meaning |",
        "|---|---|---|",
    ]
    for column in relation.columns:
        may_be_empty = " NULL" if column.nullable and not relation.is_view else ""
        lines.append(f"| `{column.name}` | {column.type}{may_be_empty} | {_cell(column.meaning)} |")
    if relation.full_name in by_table:
        lines += ["", *_rules(by_table[relation.full_name])]
    return "\n".join(lines) + "\n"


def _functions_section(functions: list[tuple[str, str, str]]) -> str:
    lines = ["### Functions", "", "| function | returns | meaning |", "|---|---|---|"]
    lines += [f"| `{call}` | `{returned}` | {_cell(meaning)} |" for call, returned, meaning in functions]
    return "\n".join(lines) + "\n"


def _rules(dataset: Dataset) -> Iterator[str]:
    """What the registry declares of a dataset beside its columns."""
    yield f"Dataset `{dataset.name}`. Key: {_names(dataset.key)}. Sources, best first: {_names(dataset.sources)}."
    yield f"Values are final by {dataset.publication_hour}:00 KST of the session's day."
    if dataset.coverage:
        yield (
            f"A session with fewer than {dataset.coverage.share:.0%} of the prior session's rows, or fewer than "
            f"{dataset.coverage.group_share:.0%} of a market's, is refused."
        )
    yield ""
    yield "| row rule | what holds of every row | SQL that is true of a row that breaks it |"
    yield "|---|---|---|"
    for rule in dataset.row_rules:
        yield f"| `{rule.name}` | {_cell(rule.meaning)} | `{_cell(rule.violation)}` |"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def main() -> None:
    """Write the page from the warehouse of the settings."""
    PAGE.write_text(data_dictionary(load_settings().warehouse_dsn), encoding="utf-8")


if __name__ == "__main__":
    main()
