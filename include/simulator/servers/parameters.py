"""Reading the parameters of requests whose service answers a wrong one with words of its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime


class WrongParameterError(Exception):
    """A parameter is missing or is not what it should be; its name."""


def text(params: Mapping[str, str], name: str) -> str:
    """The parameter ``name``, which may be empty.

    Raises:
        WrongParameterError: there is none.
    """
    if name not in params:
        raise WrongParameterError(name)
    return params[name]


def number(params: Mapping[str, str], name: str) -> int:
    """The parameter ``name``, a whole number.

    Raises:
        WrongParameterError: there is none, or it is not one.
    """
    try:
        return int(text(params, name))
    except ValueError:
        raise WrongParameterError(name) from None


def day(params: Mapping[str, str], name: str) -> date:
    """The parameter ``name``, a day as YYYYMMDD.

    Raises:
        WrongParameterError: there is none, or it is not one.
    """
    try:
        return datetime.strptime(text(params, name), "%Y%m%d").date()  # noqa: DTZ007 - a day, not a moment
    except ValueError:
        raise WrongParameterError(name) from None


def choice(params: Mapping[str, str], name: str, choices: Mapping[str, str]) -> str:
    """What the parameter ``name`` stands for among ``choices``.

    Raises:
        WrongParameterError: there is none, or it stands for nothing.
    """
    value = text(params, name)
    if value not in choices:
        raise WrongParameterError(name)
    return choices[value]
