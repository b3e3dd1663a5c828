"""What sources that are folders of files have in common."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

from include.crawlers.source import RawBody
from include.outcomes import Malformed, SourceNotConfiguredError


def folder_of(environment: Mapping[str, str], variable: str, what: str) -> Path:
    """The folder that ``variable`` names.

    Raises:
        SourceNotConfiguredError: it names none, or no folder.
    """
    folder = environment.get(variable)
    if not folder:
        raise SourceNotConfiguredError(f"{what}: set {variable} to the folder of the files")
    if not Path(folder).is_dir():
        raise SourceNotConfiguredError(f"{what}: {variable} is {folder}, which is not a folder")
    return Path(folder)


def files_by_day(folder: Path, name: re.Pattern[str]) -> dict[date, Path]:
    """The files whose whole name matches, in order of the day (ISO 8601) their first group says.

    Raises:
        SourceNotConfiguredError: none matches, a name says no day, or two say the same.
    """
    found: dict[date, Path] = {}
    for path in sorted(folder.iterdir()):
        match = name.fullmatch(path.name)
        if not match:
            continue
        try:
            day = date.fromisoformat(match[1])
        except ValueError:
            raise SourceNotConfiguredError(f"{path}: {match[1]} in the name is no day") from None
        if day in found:
            raise SourceNotConfiguredError(f"{path} and {found[day].name} are of the same day: remove one")
        found[day] = path
    if not found:
        raise SourceNotConfiguredError(f"{folder} holds no file named like {name.pattern}")
    return dict(sorted(found.items()))


def read_body(path: Path) -> RawBody:
    """The bytes of a file."""
    return RawBody(path.read_bytes(), {"file": path.name}, datetime.now(UTC), "".join(path.suffixes))


def csv_rows(body: RawBody, encoding: str) -> list[dict[str, str]]:
    """The rows of a CSV file by the names of its header.

    Raises:
        Malformed: not text in ``encoding``, a row of another length than the header, or no row.
    """
    name = body.request["file"]
    try:
        text = body.content.decode(encoding)
    except UnicodeDecodeError as error:
        raise Malformed(f"{name}: expected CSV in {encoding}: {error}") from error
    try:
        header, *lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    except (csv.Error, ValueError) as error:
        raise Malformed(f"{name} is empty or not CSV: {error}") from error
    if not lines:
        raise Malformed(f"{name} holds a header and no rows")
    for number, line in enumerate(lines, start=2):
        if len(line) != len(header):
            raise Malformed(f"{name}, line {number}: expected {len(header)} values, got {len(line)}")
    return [dict(zip(header, line, strict=True)) for line in lines]
