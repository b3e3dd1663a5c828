"""The figures of a run, as a table for people and as JSON for comparison between runs."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """A measured ``value`` in ``unit``, of one ``database`` or of none; ``against`` is its peer or limit, in words."""

    name: str
    database: str
    value: float
    unit: str
    against: str = ""
    met: bool | None = None


@dataclass
class Figures:
    """All figures of one run, and what could not be measured."""

    title: str
    measured: list[Figure] = field(default_factory=list)
    not_measured: list[str] = field(default_factory=list)

    def add(
        self, name: str, database: str, value: float, unit: str, against: str = "", *, met: bool | None = None
    ) -> None:
        """Add one; ``met`` says whether the aim in ``against`` was."""
        self.measured.append(Figure(name, database, value, unit, against, met))

    def table(self) -> Table:
        """For the terminal."""
        table = Table("", "database", "measured", "against", title=self.title, title_justify="left", box=None)
        table.columns[2].justify = "right"
        for figure in self.measured:
            colour = {True: "green", False: "red", None: ""}[figure.met]
            value = f"{_rounded(figure.value)} {figure.unit}"
            table.add_row(figure.name, figure.database, value, figure.against, style=colour)
        return table

    def write(self, folder: Path) -> Path:
        """Keep them as ``<folder>/<time>.json``."""
        now = datetime.now(UTC)
        machine = {
            "cores": os.cpu_count(),
            "memory_bytes": psutil.virtual_memory().total,
            "python": platform.python_version(),
        }
        told: dict[str, Any] = {"title": self.title, "at": now.isoformat(timespec="seconds"), "machine": machine}
        told |= {"figures": [asdict(figure) for figure in self.measured], "not_measured": self.not_measured}
        path = folder / f"{now:%Y-%m-%dT%H%M%SZ}.json"
        path.write_text(json.dumps(told, indent=1))
        return path


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"
