"""What can go wrong with cold storage."""

from __future__ import annotations


class ColdStorageError(Exception):
    """Cold storage cannot be written or read."""


class NothingToExportError(ColdStorageError):
    """The warehouse holds no rows of what was asked for: an empty export is not a success."""


class NothingToVerifyError(ColdStorageError):
    """Neither the warehouse nor cold storage holds anything of the dataset."""


class ManifestDamagedError(ColdStorageError):
    """A manifest is not one that an export writes."""
