"""A page of what was found about corporate actions in a week, for people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
from jinja2 import Environment, FileSystemLoader
from psycopg.rows import dict_row

from include.settings import Settings
from include.warehouse.connection import SQL_QUERIES, connect

_TEMPLATES = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True)


@dataclass(frozen=True)
class Week:
    """An ISO week, Monday to Sunday in Seoul."""

    year: int
    number: int

    @classmethod
    def of(cls, day: date) -> Week:
        """The week ``day`` is in."""
        year, number, _ = day.isocalendar()
        return cls(year, number)

    @classmethod
    def named(cls, name: str) -> Week:
        """The week called ``name``, as 2024-W02.

        Raises:
            ValueError: there is no such week.
        """
        try:
            return cls.of(date.fromisoformat(f"{name}-1"))
        except ValueError:
            raise ValueError(f"{name!r} is not a week: expected YEAR-Wnn, as 2024-W02") from None

    @property
    def monday(self) -> date:
        """Its first day."""
        return date.fromisocalendar(self.year, self.number, 1)

    def __str__(self) -> str:
        return f"{self.year}-W{self.number:02}"


def write_weekly_report(settings: Settings, week: Week) -> Path:
    """Write the page of ``week`` under the reports folder; where it is.

    It lists what became known in the week: actions found, what more was told of earlier ones, and operators'
    decisions; then what is pending now, whenever it was found.

    Raises:
        WarehouseUnreachableError: the warehouse does not answer.
    """
    days = {"first": week.monday, "last": week.monday + timedelta(days=6)}
    with connect(settings.warehouse_dsn, "etl") as connection:
        page = _TEMPLATES.get_template("weekly_report.html").render(
            week=week,
            found=_read(connection, "actions_found_in_week.sql", days),
            pending=_read(connection, "actions_pending.sql", {}),
            **days,
        )
    path = settings.reports / "corporate_actions" / f"{week}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def _read(connection: psycopg.Connection, name: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute((SQL_QUERIES / name).read_bytes(), parameters or None).fetchall()
