"""Runs a dataset's expectation suite on a staging table, and keeps what came of it.

Great Expectations takes 6 s to import, so it is imported by the functions that need it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import psycopg
from psycopg.types.json import Jsonb

from include.datasets.registry import Dataset
from include.warehouse.connection import address_of, connect
from include.warehouse.staging import SCHEMA

if TYPE_CHECKING:
    from great_expectations.core import (
        ExpectationSuite,
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
    from great_expectations.validator.validator import Validator

SAMPLE_ROWS = 20
TABLE = "table"
_SETS_ITS_OWN_LEVEL = "great_expectations.data_context.types.base"


class SuiteNotRunError(RuntimeError):
    """The suite could not be run: nothing is known about the rows."""


@dataclass(frozen=True)
class ExpectationOutcome:
    """What one expectation found.

    ``target`` is the rule or column it speaks of, or ``table``. ``element_count`` and ``unexpected_count``
    are rows, None for an expectation about the table's shape. ``observed`` is Great Expectations' own result
    in JSON terms; for one that failed on rows, with up to ``SAMPLE_ROWS`` of them.
    """

    expectation: str
    target: str
    success: bool
    element_count: int | None
    unexpected_count: int | None
    observed: Mapping[str, Any]


@dataclass(frozen=True)
class SuiteReport:
    """One run of a suite.

    ``definition`` is the suite, ``validation`` Great Expectations' result; Data Docs are rendered from them.
    """

    suite: str
    batch_id: int
    checked_at: datetime
    success: bool
    results: tuple[ExpectationOutcome, ...]
    definition: ExpectationSuite = field(repr=False, compare=False)
    validation: ExpectationSuiteValidationResult = field(repr=False, compare=False)


def run_suite(dsn: str, dataset: Dataset, staging_table: str, batch_id: int) -> SuiteReport:
    """Hold ``staging_table`` (its name in the schema ``staging``) against the suite of ``dataset``.

    Where the table's columns or types are not the dataset's, that alone is reported. Reads under the role ``etl``.

    Raises:
        WarehouseUnreachableError: the warehouse does not answer.
        SuiteNotRunError: a query failed.
    """
    prepare_great_expectations()
    from great_expectations.exceptions.exceptions import GreatExpectationsError

    with connect(dsn, "etl") as connection:
        try:
            results = _validate(_validator(connection, staging_table), dataset)
        except GreatExpectationsError as error:
            raise SuiteNotRunError(
                f"the suite of {dataset.name} could not be run on {SCHEMA}.{staging_table} "
                f"at {address_of(dsn)}: {error}"
            ) from error
    return _report(results, dataset, batch_id)


def store_results(connection: psycopg.Connection, batch_id: int, report: SuiteReport) -> None:
    """Write ``report`` to ``ops.quality_result``, in the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ops.quality_result (batch_id, suite, expectation, target, success, element_count, "
            "unexpected_count, observed, checked_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (
                    batch_id,
                    report.suite,
                    result.expectation,
                    result.target,
                    result.success,
                    result.element_count,
                    result.unexpected_count,
                    Jsonb(dict(result.observed)),
                    report.checked_at,
                )
                for result in report.results
            ],
        )


@cache
def prepare_great_expectations() -> None:
    """Its functions want a current context; this one lives in memory and reports to nobody.

    Only its warnings are logged: at INFO it writes a line for every function it has no page of documentation for,
    hundreds in the log of a task, so that it is called before anything else imports it.
    """
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    import great_expectations

    logging.getLogger(_SETS_ITS_OWN_LEVEL).setLevel(logging.NOTSET)
    great_expectations.get_context(mode="ephemeral").enable_analytics(enable=False)


def _validator(connection: psycopg.Connection, staging_table: str) -> Validator:
    import sqlalchemy
    from great_expectations.core.batch import Batch
    from great_expectations.execution_engine.sqlalchemy_batch_data import SqlAlchemyBatchData
    from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
    from great_expectations.validator.validator import Validator

    # Great Expectations gets a connection, never its string: what it writes cannot hold a secret.
    database = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: connection, poolclass=sqlalchemy.StaticPool
    )
    engine = SqlAlchemyExecutionEngine(engine=database)
    rows = SqlAlchemyBatchData(engine, schema_name=SCHEMA, table_name=staging_table)
    batch = Batch(data=rows)  # type: ignore[arg-type]  # declared as a class where an instance is meant
    validator = Validator(execution_engine=engine, batches=[batch])
    validator.metrics_calculator.show_progress_bars = False
    return validator


def _validate(validator: Validator, dataset: Dataset) -> list[ExpectationValidationResult]:
    """The results of the suite: each part needs the one before it to hold, and ends the run where that fails."""
    from include.quality.suite import column_expectations, content_expectations, type_expectations

    results: list[ExpectationValidationResult] = []
    for shape in (column_expectations(dataset), type_expectations(dataset)):
        results += _run(validator, [expectation.configuration for expectation in shape])
        if not all(result.success for result in results):
            return results
    content = _run(validator, [expectation.configuration for expectation in content_expectations(dataset)])
    _complete(validator, content, dataset)
    return results + content


def _complete(validator: Validator, content: list[ExpectationValidationResult], dataset: Dataset) -> None:
    """Put into the results, which say only whether they hold, the counts of rows behind them."""
    row_count, *on_rows = content
    for result in on_rows:
        if result.success:
            result.result = {
                "element_count": row_count.result["observed_value"],
                "unexpected_count": 0,
                "unexpected_percent": 0.0,
            }
    _sample_failures(validator, [result for result in on_rows if not result.success], dataset)


def _sample_failures(validator: Validator, failed: list[ExpectationValidationResult], dataset: Dataset) -> None:
    """Put into each failed result how many rows failed it, and some of them by key and row number."""
    from include.quality.suite import ROW_NUMBER

    if not failed:
        return
    result_format = {
        "result_format": "SUMMARY",
        "partial_unexpected_count": SAMPLE_ROWS,
        "unexpected_index_column_names": [*dataset.key, ROW_NUMBER],
        "return_unexpected_index_query": False,
    }
    sampled = _run(validator, [_configuration(result) for result in failed], result_format)
    for result, sample in zip(failed, sampled, strict=True):
        # Great Expectations leaves nulls out of this percentage; the violated_rule of a clean row is null.
        share = 100 * sample.result["unexpected_count"] / sample.result["element_count"]
        result.result = sample.result | {"unexpected_percent": share}


def _run(
    validator: Validator,
    configurations: list[ExpectationConfiguration],
    result_format: Mapping[str, Any] | None = None,
) -> list[ExpectationValidationResult]:
    """Each configuration's result, in order; ``result_format`` replaces the configurations' own."""
    runtime = {"result_format": dict(result_format)} if result_format else {}
    return validator.graph_validate(configurations, {"catch_exceptions": False, **runtime})


def _report(results: list[ExpectationValidationResult], dataset: Dataset, batch_id: int) -> SuiteReport:
    from great_expectations.core import ExpectationSuiteValidationResult, RunIdentifier
    from great_expectations.validator.validation_statistics import calc_validation_statistics

    from include.quality.suite import build_suite

    checked_at = datetime.now(UTC)
    statistics = calc_validation_statistics(results)
    validation = ExpectationSuiteValidationResult(
        success=statistics.success,
        results=results,
        suite_name=dataset.name,
        statistics={
            "evaluated_expectations": statistics.evaluated_expectations,
            "successful_expectations": statistics.successful_expectations,
            "unsuccessful_expectations": statistics.unsuccessful_expectations,
            "success_percent": statistics.success_percent,
        },
        meta={"run_id": RunIdentifier(run_name=f"batch {batch_id}", run_time=checked_at)},
    )
    return SuiteReport(
        suite=dataset.name,
        batch_id=batch_id,
        checked_at=checked_at,
        success=statistics.success,
        results=tuple(_outcome(result) for result in results),
        definition=build_suite(dataset),
        validation=validation,
    )


def _outcome(result: ExpectationValidationResult) -> ExpectationOutcome:
    configuration = _configuration(result)
    observed = cast("dict[str, Any]", result.to_json_dict()["result"])
    return ExpectationOutcome(
        expectation=configuration.type,
        target=configuration.meta.get("rule") or configuration.kwargs.get("column", TABLE),
        success=bool(result.success),
        element_count=observed.get("element_count"),
        unexpected_count=observed.get("unexpected_count"),
        observed=observed,
    )


def _configuration(result: ExpectationValidationResult) -> ExpectationConfiguration:
    if result.expectation_config is None:
        raise SuiteNotRunError(f"Great Expectations gave a result of no expectation: {result}")
    return result.expectation_config
