"""The manifest of a partition: what its file holds, so that anyone can tell whether it still does."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from include.cold.content import Content
from include.cold.errors import ManifestDamagedError


@dataclass(frozen=True)
class PartitionManifest:
    """One year of one dataset.

    ``rows``, ``digest`` and ``key_range`` are those of ``Content``; ``columns`` is the
    file's schema (``describe_columns``). ``status`` says what the export that returned it did; it is not
    written down.
    """

    dataset: str
    year: int
    rows: int
    digest: str
    key_range: dict[str, list[str]]
    file_bytes: int
    file_sha256: str
    columns: list[dict[str, str | bool]]
    exported_at: datetime
    status: Literal["exported", "unchanged"] = "exported"

    @property
    def content(self) -> Content:
        """What the file held when it was written."""
        return Content(self.rows, self.digest, self.key_range)

    def summary(self) -> str:
        """One line in plain words."""
        return (
            f"{self.dataset} {self.year}: {self.status}, {self.rows:,} rows, {self.file_bytes:,} bytes "
            f"({self.file_bytes / self.rows:.1f} per row)"
        )

    def to_json(self) -> bytes:
        """As it is written beside the file."""
        told: dict[str, Any] = asdict(self) | {"exported_at": self.exported_at.isoformat()}
        del told["status"]
        return json.dumps(told, ensure_ascii=False, indent=1).encode()


def parse_manifest(text: bytes) -> PartitionManifest:
    """The manifest ``PartitionManifest.to_json`` wrote.

    Raises:
        ManifestDamagedError: it is not JSON, lacks a field or has one too many.
    """
    try:
        told = json.loads(text)
        return PartitionManifest(**told | {"exported_at": datetime.fromisoformat(told["exported_at"])})
    except (ValueError, TypeError, KeyError) as error:
        raise ManifestDamagedError(f"it is not a manifest an export wrote ({error})") from error
