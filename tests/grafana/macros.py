"""Expands Grafana's macros and variables as its server and page do before the database sees the query."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

# The expression of macros.go in Grafana's PostgreSQL data source.
_MACRO = re.compile(r"\$([_a-zA-Z0-9]+)\(([^)]*)\)")
_VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\$(\w+)")


def expand(sql: str, first: datetime, last: datetime, variables: Mapping[str, str]) -> str:
    """``sql`` with the variables put in by their format, and the macros by the bounds of the time range."""
    with_variables = _VARIABLE.sub(lambda found: _variable(found, variables), sql)
    return _MACRO.sub(lambda found: _macro(found, first, last), with_variables)


def _variable(found: re.Match[str], variables: Mapping[str, str]) -> str:
    name = found[1] or found[3]
    if name.startswith("__"):
        return found[0]  # a macro
    value = variables[name]
    if found[2] == "sqlstring":
        return "'" + value.replace("'", "''") + "'"
    raise ValueError(f"{found[0]} would be put into SQL without quotes; write ${{{name}:sqlstring}}")


def _macro(found: re.Match[str], first: datetime, last: datetime) -> str:
    bounds = {"__timeFrom": first, "__timeTo": last}
    if found[1] == "__timeFilter":
        return f"{found[2]} BETWEEN {_instant(first)} AND {_instant(last)}"
    if found[1] not in bounds or found[2]:
        raise ValueError(f"{found[0]} is no macro known here")
    return _instant(bounds[found[1]])


def _instant(moment: datetime) -> str:
    return "'" + moment.astimezone(UTC).isoformat().replace("+00:00", "Z") + "'"
