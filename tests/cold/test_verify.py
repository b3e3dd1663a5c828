"""Verification sees every way in which cold storage can be wrong, and says it in words."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest

from include.cold.errors import ColdStorageError
from include.cold.export import export_dataset
from include.cold.verify import VerificationReport, verify_dataset
from include.settings import Settings
from include.warehouse.connection import WarehouseUnreachableError


@pytest.fixture
def exported(filled: Settings) -> Settings:
    """Settings of a warehouse that was exported just now."""
    export_dataset(filled, "daily_bar")
    return filled


@pytest.fixture
def partition(cold: Path) -> Path:
    """The folder of 2023."""
    return cold / "year=2023"


def problem_of(report: VerificationReport, year: int = 2023) -> str:
    """The one problem of ``year``; the other years have none."""
    assert not report.ok
    [wrong] = [check for check in report.partitions if check.problems]
    assert wrong.year == year
    [problem] = wrong.problems
    assert f"  {year}: {problem}" in report.summary()
    return problem


def execute(settings: Settings, statement: str) -> None:
    with psycopg.connect(settings.warehouse_dsn) as connection:
        connection.execute(statement.encode())


def rewrite_manifest(partition: Path, **changes: Any) -> None:
    path = partition / "_manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_what_was_exported_is_found_intact(exported: Settings) -> None:
    report = verify_dataset(exported, "daily_bar")
    assert report.ok
    assert report.summary() == "daily_bar: 3 years, 3,600 rows read back, all as in the warehouse"


def test_a_flipped_bit_is_seen_wherever_it_is(exported: Settings, partition: Path) -> None:
    file = partition / "part-0.parquet"
    data = file.read_bytes()
    for place in range(0, len(data), len(data) // 8):
        file.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert "was changed after its export" in problem_of(verify_dataset(exported, "daily_bar"))


def test_a_truncated_file_is_seen(exported: Settings, partition: Path) -> None:
    file = partition / "part-0.parquet"
    file.write_bytes(file.read_bytes()[:-1])
    assert "it was cut short or replaced" in problem_of(verify_dataset(exported, "daily_bar"))


def test_a_missing_file_is_seen(exported: Settings, partition: Path) -> None:
    (partition / "part-0.parquet").unlink()
    assert problem_of(verify_dataset(exported, "daily_bar")) == "part-0.parquet is missing; export the year again"


def test_a_missing_manifest_is_seen(exported: Settings, partition: Path) -> None:
    (partition / "_manifest.json").unlink()
    assert "_manifest.json is missing" in problem_of(verify_dataset(exported, "daily_bar"))


def test_a_damaged_manifest_is_seen(exported: Settings, partition: Path) -> None:
    (partition / "_manifest.json").write_bytes(b"\xff\xfe{")
    assert "_manifest.json is damaged" in problem_of(verify_dataset(exported, "daily_bar"))


def test_a_year_never_exported_is_seen(exported: Settings, partition: Path) -> None:
    shutil.rmtree(partition)
    assert "the warehouse holds it, cold storage does not" in problem_of(verify_dataset(exported, "daily_bar"))


def test_a_manifest_that_lies_about_its_file_is_seen(exported: Settings, partition: Path) -> None:
    truth = (partition / "_manifest.json").read_text()
    for lie in (
        {"rows": 1_201},
        {"digest": "0" * 32},
        {"key_range": {"symbol": ["000000", "999999"], "session": ["2023-01-03", "2023-12-12"]}},
    ):
        rewrite_manifest(partition, **lie)
        assert "1,200 rows (symbol 000000 to 00011K" in problem_of(verify_dataset(exported, "daily_bar"))
        (partition / "_manifest.json").write_text(truth)


def replace_file(partition: Path, write: Callable[[Path], None]) -> None:
    """Write another file and make the manifest speak of it: only reading it tells."""
    file = partition / "part-0.parquet"
    write(file)
    data = file.read_bytes()
    rewrite_manifest(partition, file_bytes=len(data), file_sha256=hashlib.sha256(data).hexdigest())


def test_a_file_that_is_not_parquet_is_seen(exported: Settings, partition: Path) -> None:
    replace_file(partition, lambda file: file.write_bytes(b"PAR1 not at all PAR1"))
    assert "part-0.parquet cannot be read" in problem_of(verify_dataset(exported, "daily_bar"))


def test_a_file_with_other_columns_is_seen(exported: Settings, partition: Path) -> None:
    def drop_a_column(file: Path) -> None:
        pq.write_table(pq.read_table(file, partitioning=None).drop_columns(["volume"]), file)

    replace_file(partition, drop_a_column)
    assert "has other columns than its manifest says" in problem_of(verify_dataset(exported, "daily_bar"))


def test_a_row_swapped_for_a_copy_of_another_is_seen(exported: Settings, partition: Path) -> None:
    def repeat_a_row(file: Path) -> None:
        rows = pq.read_table(file, partitioning=None)
        pq.write_table(rows.take([0, 0, *range(2, rows.num_rows)]), file)

    replace_file(partition, repeat_a_row)
    assert "its manifest says 1,200 rows" in problem_of(verify_dataset(exported, "daily_bar"))


def test_a_warehouse_that_moved_on_is_seen(exported: Settings) -> None:
    execute(exported, "UPDATE market.daily_bar SET volume = volume + 1 WHERE session = '2023-01-03'")
    problem = problem_of(verify_dataset(exported, "daily_bar"))
    assert problem.startswith("the warehouse has changed since the export of 20")
    assert problem.endswith("; export the year again")


def test_a_year_that_left_the_warehouse_is_seen(exported: Settings) -> None:
    execute(exported, "DELETE FROM market.daily_bar WHERE session BETWEEN '2023-01-01' AND '2023-12-31'")
    assert "it holds no rows, part-0.parquet 1,200 rows" in problem_of(verify_dataset(exported, "daily_bar"))


def test_a_stranger_that_readers_would_take_for_data_is_seen(exported: Settings, partition: Path) -> None:
    shutil.copy(partition / "part-0.parquet", partition / "part-1.parquet")
    assert "part-1.parquet does not belong here" in problem_of(verify_dataset(exported, "daily_bar"))


def test_nothing_at_all_is_an_error(settings: Settings) -> None:
    with pytest.raises(ColdStorageError, match=r"nothing to verify: market\.daily_bar is empty and file://"):
        verify_dataset(settings, "daily_bar")


def test_a_warehouse_that_does_not_answer_is_an_error(settings: Settings, unused_port: int) -> None:
    absent = Settings(settings.home, settings.landing_url, settings.cold_url, f"postgresql://127.0.0.1:{unused_port}/w")
    with pytest.raises(WarehouseUnreachableError):
        verify_dataset(absent, "daily_bar")
