"""From JSON to a screen, with errors that say where, what was expected, what came and what to do."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from include.screens.columns import COLUMNS, ScreenColumn, did_you_mean
from include.screens.definition import (
    OPERATORS,
    Between,
    ColumnComparison,
    Comparison,
    Condition,
    Membership,
    Operator,
    Rank,
    Screen,
)
from include.screens.errors import InvalidScreenError

MOST_CONDITIONS = 50
# A year of sessions: a trend that must have held for longer is a column of its own.
MOST_SESSIONS = 250
MOST_KEPT = 10_000
# Columns of one unit differ by less, and the product stays a number.
LEAST_FACTOR, GREATEST_FACTOR = 1e-6, 1e6
_LONGEST_TEXT = 1_000

_NAME = re.compile("[a-z][a-z0-9_]{0,62}")
_FIELDS = ("name", "title", "meaning", "conditions", "rank", "limit")
_CONDITION_FIELDS = ("column", "op", "value", "other", "factor", "sessions")
_NUMBER_OPERATORS = (*OPERATORS, "between")
_TEXT_OPERATORS = ("in", "not in")
_ORDERS = ("ascending", "descending")

_Part = TypeVar("_Part")


class _Problem(Exception):
    """One thing that is wrong, and where."""

    def __init__(self, where: str, expected: str, came: object, advice: str = "") -> None:
        super().__init__(f"{where}: expected {expected}, got {_shown(came)}{advice}")


_MISSING = object()


def parse_file(file: Path) -> Screen:
    """The screen that ``file`` declares in JSON, with or without a byte order mark.

    Raises:
        InvalidScreenError: it is not UTF-8, not JSON, or not a screen; the message lists every problem.
        OSError: it cannot be read.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidScreenError(
            (f"{file.name}: expected text in UTF-8, got another encoding at byte {error.start:,}: save it as UTF-8",)
        ) from error
    return parse_text(text)


def parse_text(text: str) -> Screen:
    """The screen that ``text`` declares in JSON.

    Raises:
        InvalidScreenError: it is not JSON, or not a screen; the message lists every problem.
    """
    try:
        document = json.loads(text, object_pairs_hook=_without_repetition)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidScreenError((f"{place}: expected JSON, got something else: {error.msg}",)) from error
    except InvalidScreenError:
        raise
    except (ValueError, RecursionError) as error:
        raise InvalidScreenError((f"expected JSON of a screen, got something that cannot be read: {error}",)) from error
    return parse_screen(document)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise InvalidScreenError((f"{name!r} is there twice in one object: say it once",))
    return dict(pairs)


def parse_screen(document: object) -> Screen:
    """The screen that ``document``, JSON as Python objects, declares.

    Raises:
        InvalidScreenError: unknown fields or columns, values of a wrong type or out of the column's range, unknown
            operators, no conditions, columns of different units compared; the message lists every problem.
    """
    if not isinstance(document, dict):
        raise InvalidScreenError((f"expected an object with {', '.join(_FIELDS)}, got {_shown(document)}",))
    problems: list[str] = []

    def part(read: Callable[[], _Part]) -> _Part | None:
        try:
            return read()
        except _Problem as problem:
            problems.append(str(problem))
            return None

    part(lambda: _require_known_fields("the screen", document, _FIELDS))
    name = part(lambda: _name(document.get("name", _MISSING)))
    title = part(lambda: _text("title", document.get("title", _MISSING)))
    meaning = part(lambda: _text("meaning", document.get("meaning", _MISSING)))
    given = part(lambda: _conditions(document.get("conditions", _MISSING)))
    conditions = [part(partial(_condition, place, one)) for place, one in given or ()]
    rank = part(lambda: _rank(document["rank"])) if "rank" in document else None
    limit = part(lambda: _whole("limit", document["limit"], MOST_KEPT)) if "limit" in document else None
    if "limit" in document and "rank" not in document:
        problems.append("limit: expected a rank with it, got none: say which issues to keep first")
    read = [condition for condition in conditions if condition is not None]
    if problems or name is None or title is None or meaning is None:
        raise InvalidScreenError(tuple(problems))
    return Screen(name, title, meaning, tuple(read), rank, limit)


def _name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise _Problem("name", "up to 63 of a-z, 0-9 and _, a letter first", value)
    return value


def _text(where: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST_TEXT:
        raise _Problem(where, f"text of up to {_LONGEST_TEXT:,} characters", value)
    return _storable(where, value)


def _storable(where: str, text: str) -> str:
    """``text``, if the database can hold it: neither NUL nor half a surrogate pair."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise _Problem(where, "text of whole characters, without NUL", text)
    return text


def _conditions(value: object) -> list[tuple[str, object]]:
    if not isinstance(value, list) or not value:
        raise _Problem("conditions", "a list of at least one condition", value)
    if len(value) > MOST_CONDITIONS:
        raise _Problem("conditions", f"at most {MOST_CONDITIONS} conditions", len(value))
    return [(f"conditions[{number}]", one) for number, one in enumerate(value)]


def _condition(where: str, given: object) -> Condition:
    if not isinstance(given, dict):
        raise _Problem(where, "an object with column, op and value", given)
    _require_known_fields(where, given, _CONDITION_FIELDS)
    column = _column(f"{where}.column", given.get("column", _MISSING))
    sessions = _whole(f"{where}.sessions", given["sessions"], MOST_SESSIONS) if "sessions" in given else 1
    operator = given.get("op", _MISSING)
    known = _TEXT_OPERATORS if column.is_text else _NUMBER_OPERATORS
    if operator not in known:
        of = f"the {'text' if column.is_text else 'number'} {column.name}"
        raise _Problem(f"{where}.op", f"one of {', '.join(known)} for {of}", operator)
    if operator in OPERATORS:
        return _comparison(where, column, operator, given, sessions)
    for field in ("other", "factor"):
        if field in given:
            raise _Problem(f"{where}.{field}", f"no {field} with {operator!r}", given[field])
    value = given.get("value", _MISSING)
    if operator == "between":
        return _between(f"{where}.value", column, value, sessions)
    return Membership(column.name, _members(f"{where}.value", column, value), operator == "not in", sessions)


def _comparison(
    where: str, column: ScreenColumn, operator: Operator, given: dict[str, Any], sessions: int
) -> Comparison | ColumnComparison:
    if ("value" in given) == ("other" in given):
        raise _Problem(where, "either a value or another column to compare to", sorted(given))
    if "value" in given:
        if "factor" in given:
            raise _Problem(f"{where}.factor", "no factor with a value: it multiplies another column", given["factor"])
        return Comparison(column.name, operator, _in_range(f"{where}.value", column, given["value"]), sessions)
    other = _column(f"{where}.other", given["other"])
    if other.unit != column.unit:
        expected = f"a column in {column.unit}, as {column.name} is"
        raise _Problem(f"{where}.other", expected, other.name, f", which is {_kind(other)}")
    if other.name == column.name and "factor" not in given:
        raise _Problem(f"{where}.other", f"another column than {column.name} itself", other.name)
    factor = _number(f"{where}.factor", given.get("factor", 1))
    if not LEAST_FACTOR <= factor <= GREATEST_FACTOR:
        raise _Problem(f"{where}.factor", f"a number from {LEAST_FACTOR:f} to {GREATEST_FACTOR:,.0f}", given["factor"])
    return ColumnComparison(column.name, operator, other.name, factor, sessions)


def _between(where: str, column: ScreenColumn, value: object, sessions: int) -> Between:
    if not isinstance(value, list) or len(value) != 2:
        raise _Problem(where, "a list of two numbers, the lower first", value)
    low, high = (_in_range(f"{where}[{place}]", column, bound) for place, bound in enumerate(value))
    if low > high:
        raise _Problem(where, "the lower number first", value)
    return Between(column.name, low, high, sessions)


def _members(where: str, column: ScreenColumn, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise _Problem(where, "a list of at least one text", value)
    for place, one in enumerate(value):
        if not isinstance(one, str):
            raise _Problem(f"{where}[{place}]", "text", one)
        _storable(f"{where}[{place}]", one)
        if column.values is not None and one not in column.values:
            raise _Problem(f"{where}[{place}]", column.range, one, did_you_mean(one, column.values))
    return tuple(value)


def _rank(given: object) -> Rank:
    if not isinstance(given, dict):
        raise _Problem("rank", "an object with column and order", given)
    _require_known_fields("rank", given, ("column", "order"))
    column = _column("rank.column", given.get("column", _MISSING))
    if column.is_text:
        raise _Problem("rank.column", "a column of numbers", column.name, ", which is text")
    order = given.get("order", _MISSING)
    if order not in _ORDERS:
        raise _Problem("rank.order", " or ".join(_ORDERS), order)
    return Rank(column.name, order == "descending")


def _column(where: str, name: object) -> ScreenColumn:
    if not isinstance(name, str) or name not in COLUMNS:
        near = did_you_mean(name, COLUMNS) if isinstance(name, str) else ""
        advice = near or "; `krxw screen columns` lists them"
        raise _Problem(where, "a column a screen may use", name, advice)
    return COLUMNS[name]


def _in_range(where: str, column: ScreenColumn, value: object) -> float:
    number = _number(where, value)
    too_small = column.minimum is not None and number < column.minimum
    if too_small or (column.maximum is not None and number > column.maximum):
        raise _Problem(where, f"{column.range}, the range of {column.name} [{column.unit}]", value)
    return number


def _number(where: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Problem(where, "a number", value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _Problem(where, "a finite number", value)
    return number


def _whole(where: str, value: object, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise _Problem(where, f"a whole number from 1 to {most:,}", value)
    return value


def _require_known_fields(where: str, given: dict[str, Any], known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            raise _Problem(where, f"the fields {', '.join(known)}", name, did_you_mean(name, known))


def _kind(column: ScreenColumn) -> str:
    return "text" if column.is_text else f"in {column.unit}"


def _shown(value: object) -> str:
    """What came, cut to a line, in characters that can be printed."""
    if value is _MISSING:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str | int | float | list | dict) else repr(value)
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= 80 else f"{text[:77]}..."
