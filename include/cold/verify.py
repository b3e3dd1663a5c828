"""Reads cold storage back and compares it to its manifests and to the warehouse."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from include.cold.content import Content, content_of
from include.cold.errors import ManifestDamagedError, NothingToVerifyError
from include.cold.manifest import PartitionManifest
from include.cold.schema import describe_columns, parquet_schema
from include.cold.storage import DATA_FILE, MANIFEST_FILE, ColdStorage, PartitionFolder
from include.cold.warehouse_rows import content_in_warehouse, years_held
from include.datasets.registry import Dataset, dataset_named
from include.settings import Settings
from include.warehouse.connection import connect


@dataclass(frozen=True)
class PartitionCheck:
    """One year. ``rows`` were read back intact; ``problems`` are sentences, none if all is well."""

    year: int
    rows: int
    problems: tuple[str, ...]


@dataclass(frozen=True)
class VerificationReport:
    """Every year of a dataset that cold storage or the warehouse holds."""

    dataset: str
    partitions: tuple[PartitionCheck, ...]

    @property
    def ok(self) -> bool:
        """Whether cold storage holds what the warehouse holds, undamaged."""
        return not any(partition.problems for partition in self.partitions)

    def summary(self) -> str:
        """One line if all is well, else one more per problem."""
        years, rows = len(self.partitions), sum(partition.rows for partition in self.partitions)
        if self.ok:
            return f"{self.dataset}: {years} years, {rows:,} rows read back, all as in the warehouse"
        wrong = [partition for partition in self.partitions if partition.problems]
        problems = [f"  {partition.year}: {problem}" for partition in wrong for problem in partition.problems]
        return "\n".join([f"{self.dataset}: {len(wrong)} of {years} years are not as they should be", *problems])


class _DamagedError(Exception):
    """A partition's file cannot be what its export wrote; the message is the problem in words."""


def verify_dataset(settings: Settings, dataset: str) -> VerificationReport:
    """Read every partition of ``dataset`` with plain pyarrow and compare it to its manifest and the warehouse.

    Compared are the file's size and SHA-256, its columns, and rows, key range and content digest computed
    anew. Memory is bounded by a few batches. Nothing is mended: exporting again does that.

    Raises:
        ColdStorageError: neither cold storage nor the warehouse holds anything of the dataset, or cold
            storage cannot be reached.
        UnknownDatasetError: no such dataset.
        WarehouseUnreachableError: the warehouse does not answer.
    """
    declared = dataset_named(dataset)
    storage = ColdStorage(settings.cold_url)
    with connect(settings.warehouse_dsn, "analyst") as connection:
        years = sorted({*years_held(connection, declared), *storage.years(dataset)})
    if not years:
        raise NothingToVerifyError(
            f"nothing to verify: {declared.table} is empty and {storage.url} holds nothing of {dataset}"
        )
    checks = [_check_year(settings.warehouse_dsn, storage.folder(dataset, year), declared, year) for year in years]
    return VerificationReport(dataset, tuple(checks))


def _check_year(dsn: str, folder: PartitionFolder, dataset: Dataset, year: int) -> PartitionCheck:
    problems = [
        f"{name} does not belong here, and readers would take it for data: remove it" for name in folder.strangers()
    ]
    try:
        manifest = _read_manifest(folder)
        content = _read_back(folder, dataset, manifest)
    except _DamagedError as damage:
        return PartitionCheck(year, 0, (*problems, f"{damage}; export the year again"))
    in_warehouse = content_in_warehouse(dsn, dataset, year)
    if content != in_warehouse:
        problems.append(
            f"the warehouse has changed since the export of {manifest.exported_at:%Y-%m-%d %H:%M %Z}: it holds "
            f"{_told(in_warehouse)}, {DATA_FILE} {_told(content)}; export the year again"
        )
    return PartitionCheck(year, content.rows, tuple(problems))


def _read_manifest(folder: PartitionFolder) -> PartitionManifest:
    try:
        manifest = folder.read_manifest()
    except ManifestDamagedError as error:
        raise _DamagedError(f"{MANIFEST_FILE} is damaged: {error}") from error
    if manifest is None:
        raise _DamagedError(
            f"{MANIFEST_FILE} is missing" if folder.has_data else "the warehouse holds it, cold storage does not"
        )
    return manifest


def _read_back(folder: PartitionFolder, dataset: Dataset, manifest: PartitionManifest) -> Content:
    """What the file holds, having proved that it is the one ``manifest`` speaks of."""
    if not folder.has_data:
        raise _DamagedError(f"{DATA_FILE} is missing")
    size, sha256 = folder.measure_data()
    if size != manifest.file_bytes:
        raise _DamagedError(
            f"{DATA_FILE} has {size:,} bytes, its manifest says {manifest.file_bytes:,}: it was cut short or replaced"
        )
    if sha256 != manifest.file_sha256:
        raise _DamagedError(
            f"{DATA_FILE} was changed after its export: its SHA-256 is {sha256}, its manifest says "
            f"{manifest.file_sha256}"
        )
    try:
        with folder.open_data() as stream:
            file = pq.ParquetFile(stream)
            _require_columns(file, dataset, manifest)
            content = content_of(file.iter_batches(), dataset)
    except (pa.ArrowException, OSError) as error:
        raise _DamagedError(f"{DATA_FILE} cannot be read: {error}") from error
    if content != manifest.content:
        raise _DamagedError(f"{DATA_FILE} holds {_told(content)}, its manifest says {_told(manifest.content)}")
    return content


def _require_columns(file: pq.ParquetFile, dataset: Dataset, manifest: PartitionManifest) -> None:
    columns = describe_columns(file.schema_arrow)
    if columns != manifest.columns:
        raise _DamagedError(f"{DATA_FILE} has other columns than its manifest says")
    if columns != describe_columns(parquet_schema(dataset)):
        raise _DamagedError("the dataset's declaration has changed since the export")


def _told(content: Content) -> str:
    if content.rows == 0:
        return "no rows"
    ranges = ", ".join(f"{key} {' to '.join(extremes)}" for key, extremes in content.key_range.items())
    return f"{content.rows:,} rows ({ranges}; digest {content.digest})"
