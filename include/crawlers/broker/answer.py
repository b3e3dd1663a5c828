"""Reading brokers' answers: a field that is missing or is not what it should be is ``Malformed``, by name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from include.outcomes import Malformed

_WHOLE = re.compile(r"[+-]?\d+")
_DECIMAL = re.compile(r"[+-]?\d*\.?\d+")


@dataclass(frozen=True)
class Answer:
    """A JSON object of a broker's answer; ``where`` says in messages which."""

    where: str
    fields: Mapping[str, Any]

    @staticmethod
    def from_json(content: bytes, where: str) -> Answer:
        """The object that ``content`` is, in UTF-8.

        Raises:
            Malformed: it is not one.
        """
        try:
            document = json.loads(content.decode("utf-8"))
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise Malformed(f"{where}: expected JSON in UTF-8, got {content[:60]!r}...") from error
        return Answer._of(document, where)

    @staticmethod
    def _of(value: Any, where: str) -> Answer:
        if not isinstance(value, dict):
            raise Malformed(f"{where}: expected an object, got {str(value)[:80]}")
        return Answer(where, value)

    def part(self, name: str) -> Answer:
        """The object in the field ``name``; an empty list stands for one without fields."""
        value = self._field(name)
        return Answer._of({} if value == [] else value, f"{self.where}, {name}")

    def rows(self, name: str) -> list[Answer]:
        """The objects of the list in the field ``name``, empty ones left out: brokers pad lists with them."""
        value = self._field(name)
        if not isinstance(value, list):
            raise Malformed(f"{self.where}: {name} is {str(value)[:80]}, expected a list")
        rows = [Answer._of(row, f"{self.where}, {name} {place}") for place, row in enumerate(value, start=1)]
        return [row for row in rows if row.fields]

    def text(self, name: str) -> str:
        """The field ``name``, without the spaces around it."""
        value = self._field(name)
        if not isinstance(value, str):
            raise Malformed(f"{self.where}: {name} is {value!r}, expected text")
        return value.strip()

    def blank(self, names: Sequence[str]) -> bool:
        """Whether all of ``names`` are empty: how a broker writes "nothing yet"."""
        return all(self.text(name) == "" for name in names)

    def whole(self, name: str) -> int:
        """The field ``name``, a whole number."""
        return int(self._matched(name, _WHOLE, "a whole number"))

    def decimal(self, name: str) -> Decimal:
        """The field ``name``, exactly as written."""
        return Decimal(self._matched(name, _DECIMAL, "a number"))

    def day(self, name: str) -> date:
        """The field ``name``, a date as YYYYMMDD or YYYY/MM/DD."""
        text = self.text(name)
        try:
            return datetime.strptime(text.replace("/", ""), "%Y%m%d").date()  # noqa: DTZ007
        except ValueError:
            raise Malformed(f"{self.where}: {name} is {text!r}, expected a date YYYYMMDD") from None

    def _matched(self, name: str, pattern: re.Pattern[str], expected: str) -> str:
        text = self.text(name)
        if not pattern.fullmatch(text):
            raise Malformed(f"{self.where}: {name} is {text!r}, expected {expected}")
        return text

    def _field(self, name: str) -> Any:
        if name not in self.fields:
            raise Malformed(f"{self.where}: no field {name}; it has {', '.join(self.fields) or 'none'}")
        return self.fields[name]
