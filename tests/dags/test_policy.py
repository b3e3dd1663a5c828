"""What holds for every DAG, whatever it does."""

from __future__ import annotations

from typing import Any

import pytest

from include.datasets.registry import datasets
from include.settings import PROJECT_ROOT

DAG_IDS = sorted(path.stem for path in (PROJECT_ROOT / "dags").glob("*.py"))
OTHERS = {
    "backfill": "PartitionedAtRuntime",
    "backtests": "CronTriggerTimetable",
    "cold_storage": "CronTriggerTimetable",
    "corporate_actions": "PartitionedAssetTimetable",
    "indicators": "PartitionedAssetTimetable",
    "paper_book": "PartitionedAssetTimetable",
    "screens": "PartitionedAssetTimetable",
    "signals": "PartitionedAssetTimetable",
}
COLLECTING = sorted(set(DAG_IDS) - set(OTHERS))
HEADINGS = ("## What it does", "## When it runs", "## Alarms and what to do")


@pytest.fixture(params=DAG_IDS)
def dag(request: pytest.FixtureRequest, seen: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = seen["dags"][request.param]
    return described


def test_every_file_holds_the_one_dag_it_is_named_after(seen: dict[str, Any]) -> None:
    assert seen["import_errors"] == {}
    assert {dag_id: dag["file"] for dag_id, dag in seen["dags"].items()} == {name: f"{name}.py" for name in DAG_IDS}


def test_reading_the_files_imports_nothing_heavy_and_calls_no_one(
    seen: dict[str, Any], record_property: pytest.RecordProperty
) -> None:
    record_property("seconds", round(seen["seconds"], 2))
    assert seen["heavy"] == []


def test_has_a_runbook(dag: dict[str, Any]) -> None:
    positions = [dag["doc_md"].index(heading) for heading in HEADINGS]
    assert positions == sorted(positions)


def test_is_tagged_and_bounded(dag: dict[str, Any]) -> None:
    assert dag["tags"]
    assert dag["catchup"] is False
    assert dag["max_active_runs"] <= 4


def test_every_task_has_an_owner_a_timeout_and_waits_between_tries(dag: dict[str, Any]) -> None:
    for name, task in dag["tasks"].items():
        assert task["owner"] == "krx-warehouse", name
        assert task["timeout"], name
        assert task["retries"] == 0 or task["retry_delay"] >= 60, name


def test_some_task_is_tried_again(dag: dict[str, Any]) -> None:
    assert any(task["retries"] > 0 for task in dag["tasks"].values())


def test_no_task_needs_a_pool_that_someone_must_make_first(dag: dict[str, Any]) -> None:
    assert {task["pool"] for task in dag["tasks"].values()} == {"default_pool"}


def test_every_parameter_is_typed_and_dates_are_dates(dag: dict[str, Any]) -> None:
    for name, schema in dag["params"].items():
        assert "type" in schema, name
        assert (schema.get("format") == "date") == (name in {"first", "last", "session"}), name


def test_schedules(seen: dict[str, Any]) -> None:
    schedules = {dag_id: dag["schedule"] for dag_id, dag in seen["dags"].items()}
    assert schedules == OTHERS | dict.fromkeys(COLLECTING, "SessionTimetable")


def test_every_dataset_is_collected_by_one_dag(seen: dict[str, Any]) -> None:
    collected = [
        outlet for name in COLLECTING for task in seen["dags"][name]["tasks"].values() for outlet in task["outlets"]
    ]
    assert sorted(collected) == [f"krxw://warehouse/market/{name}" for name in sorted(datasets())]


def test_backfill_offers_every_dataset_and_every_source(seen: dict[str, Any]) -> None:
    params = seen["dags"]["backfill"]["params"]
    assert params["dataset"]["enum"] == [*sorted(datasets()), "all"]
    sources = {source for dataset in datasets().values() for source in dataset.sources}
    assert set(params["source"]["enum"]) == {None, *sources}


def test_every_dataset_can_be_announced_by_a_backfill(seen: dict[str, Any]) -> None:
    announcing = seen["dags"]["backfill"]["tasks"]
    for name in datasets():
        assert announcing[f"announce_{name}"]["outlets"] == [f"krxw://warehouse/market/{name}"]
