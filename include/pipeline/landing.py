"""The landing zone: what sources said, byte for byte, kept before anything reads it.

Bodies are content-addressed and never rewritten; a manifest beside them says what was asked of whom and when. The
manifests of one question are in a folder of their own, in order of time. Landing the last answer to a question again
keeps its manifest, so a second run of a load is about the same bytes *and* the same fetch. An earlier answer that comes
back after another one is landed anew; but a file is as old as it was when it was first read.
"""

from __future__ import annotations

import errno
import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
from pyarrow import fs

from include.crawlers.source import RawBody

_COMPRESSED_ALREADY = (".gz", ".parquet", ".zip", ".zst")


class LandingError(OSError):
    """The landing zone cannot be written or read."""


class LandingDamagedError(LandingError):
    """What the landing zone holds is not what its manifest says."""


@dataclass(frozen=True)
class Landed:
    """A landed body. ``key`` is its manifest's path within the landing zone."""

    key: str
    sha256: str
    body: RawBody


class LandingZone:
    """A landing zone at a filesystem URL (``file://`` or ``s3://``, as ``pyarrow.fs`` reads it)."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._filesystem, self._root = fs.FileSystem.from_uri(url)

    def land(self, dataset: str, source: str, body: RawBody) -> Landed:
        """Keep ``body``; returns it with the time it was fetched, or first fetched if that is the same account.

        Raises:
            LandingError: the zone is full or cannot be written; nothing half-written is left under a key.
        """
        sha256 = hashlib.sha256(body.content).hexdigest()
        question = hashlib.sha256(json.dumps(sorted(body.request.items())).encode()).hexdigest()
        folder = f"{dataset}/{source}"
        answers = f"{folder}/manifests/{question}"
        ending = f"-{sha256}.json"
        earlier = sorted(self._names(answers))
        for name in earlier if body.is_file else earlier[-1:]:
            if name.endswith(ending):
                return self.read(f"{answers}/{name}")
        key = f"{answers}/{body.fetched_at.astimezone(UTC):%Y%m%dT%H%M%S.%f}{ending}"
        content = f"{folder}/bodies/{sha256[:2]}/{sha256}{body.suffix}"
        compressed = not body.suffix.endswith(_COMPRESSED_ALREADY)
        content += ".zst" if compressed else ""
        manifest = {
            "dataset": dataset,
            "source": source,
            "request": dict(body.request),
            "fetched_at": body.fetched_at.isoformat(),
            "sha256": sha256,
            "bytes": len(body.content),
            "content": content,
            "suffix": body.suffix,
        }
        if not self._exists(content):
            self._write(content, _compress(body.content) if compressed else body.content)
        self._write(key, json.dumps(manifest, ensure_ascii=False, indent=1).encode())
        return Landed(key, sha256, body)

    def read(self, key: str) -> Landed:
        """The body a manifest speaks of.

        Raises:
            LandingDamagedError: the bytes are gone or are not those that were landed.
        """
        manifest = json.loads(self._read(key))
        stored = self._read(manifest["content"])
        try:
            compressed = manifest["content"].endswith(".zst")
            content = _decompress(stored, manifest["bytes"]) if compressed else stored
        except OSError as error:
            raise self._damaged(manifest["content"]) from error
        if hashlib.sha256(content).hexdigest() != manifest["sha256"]:
            raise self._damaged(manifest["content"])
        fetched_at = datetime.fromisoformat(manifest["fetched_at"])
        return Landed(key, manifest["sha256"], RawBody(content, manifest["request"], fetched_at, manifest["suffix"]))

    def _damaged(self, content: str) -> LandingDamagedError:
        return LandingDamagedError(
            f"{self._url}/{content} is not what was landed: its SHA-256 differs from its manifest's. "
            "Restore it from a copy, or delete it with its manifest and fetch again"
        )

    def _names(self, folder: str) -> list[str]:
        """The names of the files in ``folder``, without those that are still being written."""
        found = self._filesystem.get_file_info(fs.FileSelector(f"{self._root}/{folder}", allow_not_found=True))
        return [file.base_name for file in found if file.base_name.endswith(".json")]

    def _exists(self, path: str) -> bool:
        return bool(self._filesystem.get_file_info(f"{self._root}/{path}").type == fs.FileType.File)

    def _read(self, path: str) -> bytes:
        try:
            with self._filesystem.open_input_stream(f"{self._root}/{path}", compression=None) as stream:
                return bytes(stream.read())
        except FileNotFoundError as error:
            raise LandingDamagedError(f"{self._url}/{path} is gone: its manifest remains") from error

    def _write(self, path: str, content: bytes) -> None:
        """Write beside the final name, then move: a reader never sees half a file."""
        final = f"{self._root}/{path}"
        temporary = f"{final}.{secrets.token_hex(4)}.part"
        try:
            self._filesystem.create_dir(final.rsplit("/", 1)[0], recursive=True)
            with self._filesystem.open_output_stream(temporary, compression=None) as stream:
                stream.write(content)
            self._filesystem.move(temporary, final)
        except OSError as error:
            self._discard(temporary)
            full = error.errno == errno.ENOSPC or "No space left" in str(error)
            reason = "the disk is full" if full else str(error)
            raise LandingError(
                f"cannot land {len(content):,} bytes in {self._url}: {reason}. Nothing was loaded; "
                "make room or point KRXW_LANDING_URL elsewhere, and run again"
            ) from error

    def _discard(self, path: str) -> None:
        if self._filesystem.get_file_info(path).type == fs.FileType.File:
            self._filesystem.delete_file(path)


def _compress(content: bytes) -> bytes:
    return bytes(pa.compress(content, codec="zstd", asbytes=True))


def _decompress(content: bytes, size: int) -> bytes:
    return bytes(pa.decompress(content, decompressed_size=size, codec="zstd", asbytes=True))
