"""Exports: what is written, when nothing is, and what is left when one fails or is killed."""

from __future__ import annotations

import hashlib
import json
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.cold import export
from include.cold.errors import ColdStorageError, NothingToExportError
from include.cold.export import export_dataset
from include.cold.verify import verify_dataset
from include.datasets.registry import UnknownDatasetError
from include.settings import PROJECT_ROOT, Settings
from include.warehouse.connection import WarehouseUnreachableError
from include.warehouse.fingerprint import fingerprint
from tests.warehouse.bars import DAILY_BAR, SESSIONS, SYMBOLS, YEARS, load, made_up_bars, shuffled

ROWS_PER_YEAR = made_up_bars().num_rows // len(YEARS)


def execute(settings: Settings, statement: str) -> None:
    with psycopg.connect(settings.warehouse_dsn) as connection:
        connection.execute(statement.encode())


def statuses(settings: Settings) -> dict[int, str]:
    return {manifest.year: manifest.status for manifest in export_dataset(settings, "daily_bar")}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder``."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_year_is_a_file_and_a_manifest_that_describes_it(filled: Settings, cold: Path) -> None:
    manifests = export_dataset(filled, "daily_bar")
    assert [manifest.year for manifest in manifests] == list(YEARS)
    assert set(contents(cold)) == {
        f"year={year}/{name}" for year in YEARS for name in ("part-0.parquet", "_manifest.json")
    }
    for manifest in manifests:
        data = (cold / f"year={manifest.year}/part-0.parquet").read_bytes()
        written = json.loads((cold / f"year={manifest.year}/_manifest.json").read_text())
        assert written["rows"] == manifest.rows == ROWS_PER_YEAR
        assert written["file_bytes"] == len(data)
        assert written["file_sha256"] == hashlib.sha256(data).hexdigest()
        in_year = [str(session) for session in SESSIONS if session.year == manifest.year]
        assert written["key_range"] == {
            "symbol": [SYMBOLS[0], SYMBOLS[-1]],
            "session": [in_year[0], in_year[-1]],
        }
        assert manifest.summary().startswith(f"daily_bar {manifest.year}: exported, 1,200 rows, ")


def test_the_schema_is_the_registrys_with_meanings_and_units(filled: Settings, cold: Path) -> None:
    export_dataset(filled, "daily_bar", [2023])
    schema = pq.read_schema(cold / "year=2023/part-0.parquet")
    assert [(field.name, field.type, field.nullable) for field in schema] == [
        (column.name, column.type, column.nullable) for column in DAILY_BAR.table_columns
    ]
    assert schema.field("value_krw").metadata[b"unit"] == b"KRW"
    for column in DAILY_BAR.table_columns:
        assert schema.field(column.name).metadata[b"meaning"].decode() == column.meaning
    manifest = json.loads((cold / "year=2023/_manifest.json").read_text())
    assert [(told["name"], told["type"]) for told in manifest["columns"]] == [
        (column.name, str(column.type)) for column in DAILY_BAR.table_columns
    ]


def test_rows_are_sorted_and_cut_into_row_groups_that_can_be_skipped(
    filled: Settings, cold: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "ROW_GROUP_ROWS", 500)
    export_dataset(filled, "daily_bar", [2024])
    file = pq.ParquetFile(cold / "year=2024/part-0.parquet")
    metadata = file.metadata
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [500, 500, 200]
    assert metadata.row_group(0).column(0).compression == "ZSTD"
    assert metadata.row_group(0).sorting_columns[0].column_index == 0
    keys = list(zip(*(file.read()[name].to_pylist() for name in DAILY_BAR.key), strict=True))
    assert keys == sorted(keys)


def test_the_digests_of_the_years_add_up_to_the_tables_fingerprint(filled: Settings) -> None:
    manifests = export_dataset(filled, "daily_bar")
    total = sum(int(manifest.digest, 16) for manifest in manifests) % 2**128
    assert f"{total:032x}" == fingerprint(filled.warehouse_dsn, "market.daily_bar").digest


def test_the_same_rows_give_the_same_bytes_in_whatever_order_they_were_loaded(filled: Settings, cold: Path) -> None:
    export_dataset(filled, "daily_bar", [2022])
    file = cold / "year=2022/part-0.parquet"
    before = file.read_bytes()
    execute(filled, "DELETE FROM market.daily_bar")
    load(filled.warehouse_dsn, shuffled(made_up_bars(), seed=2))
    file.unlink()
    export_dataset(filled, "daily_bar", [2022])
    assert file.read_bytes() == before


def test_a_second_export_touches_nothing(filled: Settings, cold: Path) -> None:
    assert set(statuses(filled).values()) == {"exported"}
    before = contents(cold)
    assert set(statuses(filled).values()) == {"unchanged"}
    assert contents(cold) == before


def test_only_the_year_that_changed_is_written(filled: Settings) -> None:
    statuses(filled)
    execute(filled, "UPDATE market.daily_bar SET volume = volume + 1 WHERE session = '2023-01-03'")
    assert statuses(filled) == {2022: "unchanged", 2023: "exported", 2024: "unchanged"}


def test_provenance_alone_is_no_change(filled: Settings) -> None:
    statuses(filled)
    execute(filled, "UPDATE market.daily_bar SET batch_id = 4711")
    assert set(statuses(filled).values()) == {"unchanged"}


def test_an_export_mends_a_damaged_partition(filled: Settings, cold: Path) -> None:
    statuses(filled)
    data, manifest = cold / "year=2023/part-0.parquet", cold / "year=2023/_manifest.json"
    damages: list[Callable[[], object]] = [
        data.unlink,
        lambda: data.write_bytes(b"PAR1"),
        lambda: data.write_bytes(data.read_bytes()[:-9] + b"!" + data.read_bytes()[-8:]),
        manifest.unlink,
        lambda: manifest.write_text(manifest.read_text()[:100]),
        lambda: manifest.write_text("[]"),
    ]
    for damage in damages:
        damage()
        assert statuses(filled) == {2022: "unchanged", 2023: "exported", 2024: "unchanged"}
    assert verify_dataset(filled, "daily_bar").ok


def test_a_changed_declaration_is_written_anew(filled: Settings, cold: Path) -> None:
    statuses(filled)
    manifest = cold / "year=2022/_manifest.json"
    manifest.write_text(manifest.read_text().replace("Shares traded", "Shares traded, as once described"))
    assert statuses(filled)[2022] == "exported"


def test_an_empty_dataset_is_an_error(settings: Settings, cold: Path) -> None:
    with pytest.raises(NothingToExportError, match=r"market\.daily_bar is empty\. Load it first"):
        export_dataset(settings, "daily_bar")
    assert not cold.exists()


def test_a_year_without_rows_is_an_error_before_anything_is_written(filled: Settings, cold: Path) -> None:
    with pytest.raises(NothingToExportError, match="holds no rows of 1999; it holds 2022, 2023, 2024"):
        export_dataset(filled, "daily_bar", [2022, 1999])
    assert not cold.exists()


def test_an_unknown_dataset_is_an_error(settings: Settings) -> None:
    with pytest.raises(UnknownDatasetError):
        export_dataset(settings, "weekly_bar")


def test_an_address_that_is_none_is_an_error(filled: Settings) -> None:
    with pytest.raises(ColdStorageError, match=r"'nowhere/at/all' is no place .* KRXW_COLD_URL"):
        export_dataset(Settings(filled.home, filled.landing_url, "nowhere/at/all", filled.dsn), "daily_bar")


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Writing more than ``size`` bytes to a file fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_fills_up_leaves_what_was_there(filled: Settings, cold: Path) -> None:
    statuses(filled)
    before = contents(cold)
    execute(filled, "UPDATE market.daily_bar SET volume = volume + 1")
    with files_no_larger_than(8_192), pytest.raises(ColdStorageError, match=r"cannot write file://.*/year=2022/part-0"):
        export_dataset(filled, "daily_bar")
    assert contents(cold) == before
    assert set(statuses(filled).values()) == {"exported"}


def test_a_warehouse_that_breaks_off_leaves_what_was_there(
    filled: Settings, cold: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statuses(filled)
    before = contents(cold)
    execute(filled, "UPDATE market.daily_bar SET volume = volume + 1")

    @contextmanager
    def breaking_off(dsn: str, query: object, schema: pa.Schema) -> Iterator[Iterator[pa.RecordBatch]]:
        def batches() -> Iterator[pa.RecordBatch]:
            yield made_up_bars().to_batches()[0]
            raise WarehouseUnreachableError("broke off")

        yield batches()

    with monkeypatch.context() as patch:
        patch.setattr(export, "read_batches", breaking_off)
        with pytest.raises(WarehouseUnreachableError, match=r"^broke off$"):
            export_dataset(filled, "daily_bar")
    assert contents(cold) == before


KILLED_EXPORT = """
import os, signal, sys
from include.cold import export
from include.settings import load_settings

def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

target, name = {target}
setattr(target, name, die)
export.export_dataset(load_settings(), "daily_bar")
"""


def killed_export(settings: Settings, target: str) -> None:
    """An export whose process is killed when it calls ``target``."""
    process = subprocess.run(
        [sys.executable, "-c", KILLED_EXPORT.format(target=target)],
        cwd=PROJECT_ROOT,
        env={"KRXW_HOME": str(settings.home), "KRXW_WAREHOUSE_DSN": settings.warehouse_dsn},
        check=False,
    )
    assert process.returncode == -signal.SIGKILL


def test_an_export_killed_while_it_writes_leaves_what_was_there(filled: Settings, cold: Path) -> None:
    statuses(filled)
    before = contents(cold)
    execute(filled, "UPDATE market.daily_bar SET volume = volume + 1")
    killed_export(filled, target="(export.pq.ParquetWriter, 'close')")
    left = contents(cold)
    assert left.items() >= before.items()
    assert left.keys() - before.keys() == {"year=2022/_part-0.parquet.partial"}
    assert set(statuses(filled).values()) == {"exported"}
    assert contents(cold).keys() == before.keys()


def test_an_export_killed_before_its_manifest_is_seen_and_mended(filled: Settings, cold: Path) -> None:
    statuses(filled)
    execute(filled, "UPDATE market.daily_bar SET volume = volume + 1")
    killed_export(filled, target="(export.PartitionManifest, 'to_json')")
    report = verify_dataset(filled, "daily_bar")
    assert "2022: part-0.parquet" in report.summary()
    assert set(statuses(filled).values()) == {"exported"}
    assert verify_dataset(filled, "daily_bar").ok


def test_exports_of_a_dataset_wait_for_one_another(filled: Settings) -> None:
    with psycopg.connect(filled.warehouse_dsn, autocommit=True) as other, ThreadPoolExecutor() as threads:
        other.execute("SELECT pg_advisory_lock(hashtext('krxw export daily_bar'))")
        exporting = threads.submit(statuses, filled)
        while not other.execute(
            "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchall():
            assert not exporting.done()
        other.execute("SELECT pg_advisory_unlock_all()")
        assert set(exporting.result().values()) == {"exported"}
