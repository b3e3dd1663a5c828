"""Where partitions are kept: folders at a filesystem URL, local or ``s3://``."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
from pyarrow import fs

from include.cold.errors import ColdStorageError
from include.cold.manifest import PartitionManifest, parse_manifest

DATA_FILE = "part-0.parquet"
MANIFEST_FILE = "_manifest.json"
_CHUNK_BYTES = 1 << 20


class ColdStorage:
    """Cold storage at ``url`` (``file://`` or ``s3://``, as ``pyarrow.fs`` reads it).

    Raises:
        ColdStorageError: ``url`` names no filesystem.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            self._filesystem, self._root = fs.FileSystem.from_uri(url)
        except (pa.ArrowInvalid, OSError) as error:
            raise ColdStorageError(
                f"{url!r} is no place for cold storage: {error}. Expected file:///a/folder or "
                "s3://bucket/prefix in KRXW_COLD_URL"
            ) from error

    def folder(self, dataset: str, year: int) -> PartitionFolder:
        """The folder of a partition, there or not."""
        place = f"dataset={dataset}/year={year}"
        return PartitionFolder(self._filesystem, f"{self._root}/{place}", f"{self.url}/{place}")

    def years(self, dataset: str) -> list[int]:
        """The years there are folders of, ascending."""
        selector = fs.FileSelector(f"{self._root}/dataset={dataset}", allow_not_found=True)
        names = [info.base_name for info in self._filesystem.get_file_info(selector)]
        return sorted(int(name.removeprefix("year=")) for name in names if name.startswith("year="))


@dataclass(frozen=True)
class PartitionFolder:
    """The folder of one partition."""

    filesystem: fs.FileSystem
    path: str
    url: str

    @contextmanager
    def replace(self, name: str) -> Iterator[pa.NativeFile]:
        """A stream to write the file ``name`` anew; only a whole file takes the place of the old one.

        Raises:
            ColdStorageError: it cannot be written. The old file remains, as it does when the block fails.
        """
        partial = f"_{name}.partial"
        try:
            self.filesystem.create_dir(self.path, recursive=True)
            with self.filesystem.open_output_stream(f"{self.path}/{partial}", compression=None) as stream:
                yield stream
            self.filesystem.move(f"{self.path}/{partial}", f"{self.path}/{name}")
        except ConnectionError:
            raise  # what was to be written broke off, not the writing
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            reason = "the disk is full" if full else str(error)
            raise ColdStorageError(
                f"cannot write {self.url}/{name}: {reason}. What was there before is untouched; make room or "
                "point KRXW_COLD_URL elsewhere, and export again"
            ) from error
        finally:
            self._discard(partial)

    def read_manifest(self) -> PartitionManifest | None:
        """The manifest; None where there is none.

        Raises:
            ManifestDamagedError: it cannot be read.
        """
        if not self._has(MANIFEST_FILE):
            return None
        with self.filesystem.open_input_stream(f"{self.path}/{MANIFEST_FILE}") as stream:
            return parse_manifest(stream.read())

    def open_data(self) -> pa.NativeFile:
        """The Parquet file, for reading."""
        return self.filesystem.open_input_file(f"{self.path}/{DATA_FILE}")

    @property
    def has_data(self) -> bool:
        """Whether the Parquet file is there."""
        return self._has(DATA_FILE)

    def measure_data(self) -> tuple[int, str]:
        """Size in bytes and SHA-256 of the Parquet file."""
        size, digest = 0, hashlib.sha256()
        with self.filesystem.open_input_stream(f"{self.path}/{DATA_FILE}", compression=None) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                size += len(chunk)
                digest.update(chunk)
        return size, digest.hexdigest()

    def strangers(self) -> list[str]:
        """Names of files no export writes and every reader of the folder would take for data."""
        selector = fs.FileSelector(self.path, allow_not_found=True)
        names = [info.base_name for info in self.filesystem.get_file_info(selector)]
        return sorted(name for name in names if name != DATA_FILE and not name.startswith("_"))

    def _has(self, name: str) -> bool:
        return bool(self.filesystem.get_file_info(f"{self.path}/{name}").type == fs.FileType.File)

    def _discard(self, name: str) -> None:
        if self._has(name):
            self.filesystem.delete_file(f"{self.path}/{name}")
