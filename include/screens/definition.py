"""A screen as data: conditions that must all hold, what to rank by and how many to keep.

These hold what :mod:`include.screens.parse` has checked; nothing else makes them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

Operator = Literal["<", "<=", ">", ">="]
OPERATORS: tuple[Operator, ...] = ("<", "<=", ">", ">=")


@dataclass(frozen=True)
class Comparison:
    """The column against a number of its own unit."""

    column: str
    operator: Operator
    value: float
    sessions: int = 1


@dataclass(frozen=True)
class ColumnComparison:
    """The column against ``factor`` times another of the same unit."""

    column: str
    operator: Operator
    other: str
    factor: float = 1.0
    sessions: int = 1


@dataclass(frozen=True)
class Between:
    """The column from ``low`` to ``high``, both included."""

    column: str
    low: float
    high: float
    sessions: int = 1


@dataclass(frozen=True)
class Membership:
    """The text column is one of ``values``, or with ``negated`` none of them."""

    column: str
    values: tuple[str, ...]
    negated: bool = False
    sessions: int = 1


# ``sessions`` of each: it held on each of the last so many traded sessions, this one included. A missing
# value fulfils no condition.
Condition = Comparison | ColumnComparison | Between | Membership


@dataclass(frozen=True)
class Rank:
    """What the issues found are put in order by; the symbol decides where values are equal."""

    column: str
    descending: bool


@dataclass(frozen=True)
class Screen:
    """A screen. All ``conditions`` must hold; the first ``limit`` by ``rank`` are kept, all without a limit."""

    name: str
    title: str
    meaning: str
    conditions: tuple[Condition, ...]
    rank: Rank | None = None
    limit: int | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it looks at, each once, in order of mention."""
        ranked = (self.rank.column,) if self.rank else ()
        return tuple(dict.fromkeys((*columns_of(self.conditions), *ranked)))

    @property
    def document(self) -> dict[str, Any]:
        """The screen as its JSON, of which it is parsed again."""
        return {"name": self.name, "title": self.title, "meaning": self.meaning, **self.definition}

    @property
    def definition(self) -> dict[str, Any]:
        """What it looks for, without its name: what makes one version differ from another."""
        written: dict[str, Any] = {"conditions": [_written(condition) for condition in self.conditions]}
        if self.rank:
            order = "descending" if self.rank.descending else "ascending"
            written["rank"] = {"column": self.rank.column, "order": order}
        if self.limit is not None:
            written["limit"] = self.limit
        return written


def columns_of(conditions: Iterable[Condition]) -> tuple[str, ...]:
    """The columns that the conditions look at, each once, in order of mention."""
    mentioned: dict[str, None] = {}
    for condition in conditions:
        mentioned[condition.column] = None
        if isinstance(condition, ColumnComparison):
            mentioned[condition.other] = None
    return tuple(mentioned)


def _written(condition: Condition) -> dict[str, Any]:
    match condition:
        case Comparison(column, operator, value):
            written: dict[str, Any] = {"column": column, "op": operator, "value": value}
        case ColumnComparison(column, operator, other, factor):
            written = {"column": column, "op": operator, "other": other}
            if factor != 1:
                written["factor"] = factor
        case Between(column, low, high):
            written = {"column": column, "op": "between", "value": [low, high]}
        case Membership(column, values, negated):
            written = {"column": column, "op": "not in" if negated else "in", "value": list(values)}
    if condition.sessions > 1:
        written["sessions"] = condition.sessions
    return written


def in_words(condition: Condition) -> str:
    """The condition as one reads it."""
    match condition:
        case Comparison(column, operator, value):
            text = f"{column} {operator} {value:,.15g}"
        case ColumnComparison(column, operator, other, factor):
            text = f"{column} {operator} {other}" + ("" if factor == 1 else f" x {factor:g}")
        case Between(column, low, high):
            text = f"{column} between {low:,.15g} and {high:,.15g}"
        case Membership(column, values, negated):
            text = f"{column} {'not in' if negated else 'in'} {', '.join(values)}"
    return text if condition.sessions == 1 else f"{text}, on each of the last {condition.sessions} traded sessions"
