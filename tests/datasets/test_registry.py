"""What every declaration of a dataset has to satisfy."""

from __future__ import annotations

import psycopg
import pytest

from include.crawlers.source import UnknownSourceError, crawler_for
from include.datasets.registry import Dataset, UnknownDatasetError, dataset_named, datasets

ALL_DATASETS = [pytest.param(dataset, id=name) for name, dataset in datasets().items()]


def test_an_unknown_dataset_is_told_which_there_are() -> None:
    with pytest.raises(UnknownDatasetError, match="daily_bar"):
        dataset_named("weekly_bar")


@pytest.mark.parametrize("dataset", ALL_DATASETS)
def test_every_source_has_a_crawler(dataset: Dataset) -> None:
    for source in dataset.sources:
        assert crawler_for(dataset.name, source)
    with pytest.raises(UnknownSourceError, match="nowhere"):
        crawler_for(dataset.name, "nowhere")


@pytest.mark.parametrize("dataset", ALL_DATASETS)
def test_names_are_unique_and_everything_is_explained(dataset: Dataset) -> None:
    columns = dataset.table_columns + dataset.parsed_only
    assert len({column.name for column in columns}) == len(columns)
    assert len({rule.name for rule in dataset.row_rules}) == len(dataset.row_rules)
    assert all(thing.meaning for thing in (*columns, *dataset.row_rules, dataset))
    assert set(dataset.key) <= set(dataset.column_names)


@pytest.mark.parametrize("dataset", ALL_DATASETS)
def test_row_rules_are_valid_on_the_warehouse_too(dataset: Dataset, warehouse: str) -> None:
    with psycopg.connect(warehouse) as connection:
        for rule in dataset.row_rules:
            [found] = connection.execute(f"SELECT count(*) FROM {dataset.table} WHERE {rule.violation}").fetchone()
            assert found == 0
