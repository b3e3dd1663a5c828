"""The expectation suite of a dataset, derived from its declaration. Importing this imports Great Expectations (6 s)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from great_expectations.core import ExpectationSuite
from great_expectations.core.result_format import ResultFormat
from great_expectations.expectations.core.expect_column_values_to_be_between import ExpectColumnValuesToBeBetween
from great_expectations.expectations.core.expect_column_values_to_be_in_set import ExpectColumnValuesToBeInSet
from great_expectations.expectations.core.expect_column_values_to_be_of_type import ExpectColumnValuesToBeOfType
from great_expectations.expectations.core.expect_column_values_to_match_regex import ExpectColumnValuesToMatchRegex
from great_expectations.expectations.core.expect_column_values_to_not_be_in_set import ExpectColumnValuesToNotBeInSet
from great_expectations.expectations.core.expect_column_values_to_not_be_null import ExpectColumnValuesToNotBeNull
from great_expectations.expectations.core.expect_table_columns_to_match_ordered_list import (
    ExpectTableColumnsToMatchOrderedList,
)
from great_expectations.expectations.core.expect_table_row_count_to_be_between import ExpectTableRowCountToBeBetween
from great_expectations.expectations.expectation import Expectation

from include.datasets.registry import Column, Dataset
from include.outcomes import CoverageDrop, Malformed, NotASession, NotPublished
from include.quality.row_rules import DUPLICATE_KEY, DUPLICATE_ROW, MISSING_VALUE
from include.warehouse.staging import staged_columns

# What the checks add to a dataset's columns in staging; see include/quality/row_rules.py.
ROW_NUMBER = "row_number"
VIOLATED_RULE = "violated_rule"
# Great Expectations bundles the counts of all such expectations into one query. Any richer format adds a
# scan of the table for each; run_suite asks for more only of those that fail.
_COUNTS_ONLY = ResultFormat.BOOLEAN_ONLY

_RULES_OF_EVERY_DATASET = {
    MISSING_VALUE: "Every column that may not be empty holds a value",
    DUPLICATE_ROW: "No row is published twice",
    DUPLICATE_KEY: "No key is published twice with different values",
    NotASession.outcome: "The exchange traded on the row's session",
    NotPublished.outcome: "The session's rows are its own, not a stale copy of the prior session's",
    Malformed.outcome: "No more than a slip of the session's rows repeat the key of another",
    CoverageDrop.outcome: "The session holds nearly all the rows the session before it had",
}


def build_suite(dataset: Dataset) -> ExpectationSuite:
    """The suite that a batch's staging table of ``dataset`` is held against, named after the dataset.

    A rule's expectation counts the rows that ``violated_rule`` marks with it. Uniqueness of the key needs no
    query of its own: it is the rules ``duplicate_row`` and ``duplicate_key``.
    """
    return ExpectationSuite(
        name=dataset.name,
        expectations=[
            *column_expectations(dataset),
            *type_expectations(dataset),
            *content_expectations(dataset),
        ],
        notes=f"{dataset.title}: {dataset.meaning}",
    )


def column_expectations(dataset: Dataset) -> list[Expectation]:
    """That the table has the dataset's columns, in order, and what the row rules add."""
    return [
        ExpectTableColumnsToMatchOrderedList(
            column_list=[column.name for column in staged_columns(dataset)],
            notes="The dataset's columns, then what the row rules add",
        )
    ]


def type_expectations(dataset: Dataset) -> list[Expectation]:
    """That each column is of its type. Fails to run where a column is missing."""
    return [
        ExpectColumnValuesToBeOfType(
            column=column.name,
            type_=_reflected_type(column),
            notes=_notes(column),
        )
        for column in staged_columns(dataset)
    ]


def content_expectations(dataset: Dataset) -> list[Expectation]:
    """That there are rows, what the columns promise of their values, and one expectation for each rule.

    All counts are one query, which fails whole where a column is of a type it cannot be compared by.
    """
    return [
        ExpectTableRowCountToBeBetween(min_value=0 if dataset.sparse else 1, notes=_row_count_notes(dataset)),
        *(expectation for column in dataset.columns for expectation in _value_expectations(column)),
        *_rule_expectations(dataset),
    ]


def _row_count_notes(dataset: Dataset) -> str:
    return "A session may have none" if dataset.sparse else "A batch without rows is not a batch"


def _value_expectations(column: Column) -> Iterator[Expectation]:
    about: dict[str, Any] = {
        "column": column.name,
        "result_format": _COUNTS_ONLY,
        "notes": _notes(column),
    }
    if not column.nullable:
        yield ExpectColumnValuesToNotBeNull(**about)
    if column.minimum is not None:
        yield ExpectColumnValuesToBeBetween(min_value=column.minimum, **about)
    if column.pattern is not None:
        yield ExpectColumnValuesToMatchRegex(regex=column.pattern, **about)
    if column.values is not None:
        yield ExpectColumnValuesToBeInSet(value_set=list(column.values), **about)


def _rule_expectations(dataset: Dataset) -> Iterator[Expectation]:
    for rule in dataset.row_rules:
        yield _rule_expectation(rule.name, rule.meaning, f"Broken by a row where `{rule.violation}`")
    for group_rule in dataset.group_rules:
        together = ", ".join(group_rule.by)
        yield _rule_expectation(
            group_rule.name, group_rule.meaning, f"Broken by all rows of one {together} where `{group_rule.violation}`"
        )
    for name, meaning in _RULES_OF_EVERY_DATASET.items():
        yield _rule_expectation(name, meaning, "A rule of every dataset")
    yield ExpectColumnValuesToBeInSet(
        column=VIOLATED_RULE,
        value_set=[
            *(rule.name for rule in dataset.row_rules),
            *(rule.name for rule in dataset.group_rules),
            *_RULES_OF_EVERY_DATASET,
        ],
        result_format=_COUNTS_ONLY,
        description="A row that may not load is marked with one of the rules here",
    )


def _rule_expectation(name: str, meaning: str, notes: str) -> Expectation:
    return ExpectColumnValuesToNotBeInSet(
        column=VIOLATED_RULE,
        value_set=[name],
        result_format=_COUNTS_ONLY,
        description=f"{name}: {meaning}",
        notes=notes,
        meta={"rule": name},
    )


def _reflected_type(column: Column) -> str:
    """The column's type as SQLAlchemy reflects it."""
    return column.postgres_type.upper().replace(",", ", ")


def _notes(column: Column) -> str:
    return f"{column.name}: {column.comment}"
