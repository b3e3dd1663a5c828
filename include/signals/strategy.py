"""What a strategy is: one declaration, checked when it is made."""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from types import MappingProxyType
from typing import Literal

import numpy as np

from include.indicators.catalogue import CATALOGUE as INDICATORS
from include.indicators.windows import Flags, Floats
from include.signals.history import HISTORY_COLUMNS, History, LookAheadError, Rows, UnknownColumnError

Side = Literal["buy", "sell"]
Priority = Literal["high", "medium"]
# The strength from which a signal is of high priority; the others are of medium.
HIGH_PRIORITY_FROM = 70.0

# The datasets of investors, which come after the session's bars, and the columns made of each.
_INVESTORS = {
    "investor_flow": frozenset({"foreign_net_krw", "institution_net_krw"}),
    "foreign_holding": frozenset({"foreign_pct"}),
}
_COLUMNS_OF_INVESTORS = {
    dataset: frozenset(
        column.name
        for indicator in INDICATORS
        if not inputs.isdisjoint(indicator.inputs)
        for column in indicator.columns
    )
    for dataset, inputs in _INVESTORS.items()
}


class StrategyError(ValueError):
    """A strategy that cannot be; the message names it and says what is wrong."""


@dataclass(frozen=True)
class View:
    """Some rows of a history, to measure at: the same questions, answered for these rows only."""

    history: History
    rows: Rows

    def __getitem__(self, name: str) -> Floats:
        """A column, as :meth:`History.__getitem__`."""
        return self.history[name][self.rows]

    def before(self, name: str, sessions: int) -> Floats:
        """A column so many traded sessions before, as :meth:`History.before`."""
        return self.history.before(name, sessions)[self.rows]

    def highest(self, name: str, sessions: int) -> Floats:
        """As :meth:`History.highest`."""
        return self.history.highest(name, sessions)[self.rows]

    def lowest(self, name: str, sessions: int) -> Floats:
        """As :meth:`History.lowest`."""
        return self.history.lowest(name, sessions)[self.rows]


Condition = Callable[[History], Flags]
Figure = Callable[[View], Floats]


@dataclass(frozen=True)
class Scale:
    """Strength by one figure: 0 where it is ``weakest`` or beyond, 100 at ``strongest`` or beyond, linear between.

    ``weakest`` is the greater of the two where less is stronger. ``words`` name the figure to people.
    """

    figure: str
    weakest: float
    strongest: float
    words: str

    def of(self, values: Floats) -> Floats:
        """The strength, 0 to 100, of values of the figure."""
        share: Floats = (values - self.weakest) / (self.strongest - self.weakest)
        return 100 * share.clip(0, 1)


@dataclass(frozen=True)
class Strategy:
    """One strategy: on which sessions it says to buy or to sell, how strongly, and why.

    Attributes:
        name: as in tables, e.g. ``golden_cross_5_20``.
        version: a whole number from 1; raised with every change of what it finds or how strong that is, and all
            history is then evaluated anew.
        title: name for people.
        family: the group it stands in.
        side: what it says to do.
        memory: traded sessions before its own that the condition and the figures look at, beside what the
            indicators themselves look at.
        condition: by row of a history, whether there is a signal.
        words: the condition in words.
        strength: scales; the strength is the mean of what they give.
        reason: one line for people, a template of ``str.format`` over columns of a history and ``figures``.
        source: where the rule comes from.
        figures: what else is measured, by name, where there is a signal.
        stop_loss_pct: how far below the entry the rule gets out again, percent; None where it says nothing of that.

    Strengths and conditions compare prices to prices, so that a change of their scale, as by a split, changes nothing.

    Raises:
        StrategyError: a declaration that is incomplete, contradicts itself, or looks further back than ``memory``.
        UnknownColumnError: it names a column that is not there.
        LookAheadError: it looks ahead. (What only rows can show is shown by ``check_no_look_ahead`` and
            ``check_memory``.)
    """

    name: str
    version: int
    title: str
    family: str
    side: Side
    memory: int
    condition: Condition = field(repr=False)
    words: str
    strength: tuple[Scale, ...]
    reason: str
    source: str
    figures: Mapping[str, Figure] = field(default_factory=dict, hash=False, repr=False)
    stop_loss_pct: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "figures", MappingProxyType(dict(self.figures)))
        self._check_values()
        self._check_names()
        self._check_reach()

    @cached_property
    def columns(self) -> frozenset[str]:
        """The columns of a history the condition, the figures, the strength and the reason need."""
        return frozenset(self._measure_nothing().columns_read)

    @property
    def strength_in_words(self) -> str:
        """What the strength is measured by, and the values that give 0 and 100."""
        scales = "; ".join(f"{scale.words}: {scale.weakest:g} to {scale.strongest:g}" for scale in self.strength)
        return f"mean of {scales}" if len(self.strength) > 1 else scales

    @property
    def of_flows(self) -> bool:
        """Whether it looks at what classes of investors bought and sold, or hold."""
        return any(map(self.looks_at, _COLUMNS_OF_INVESTORS))

    def looks_at(self, dataset: str) -> bool:
        """Whether it looks at indicators made of ``dataset``: ``investor_flow`` or ``foreign_holding``."""
        return not _COLUMNS_OF_INVESTORS[dataset].isdisjoint(self.columns)

    def measured(self, view: View, name: str) -> Floats:
        """A figure, or a column of that name, on the rows of ``view``."""
        return self.figures[name](view) if name in self.figures else view[name]

    def strengths(self, history: History, rows: Rows) -> Floats:
        """The strength, 0 to 100, of the signals on ``rows``.

        Raises:
            StrategyError: a figure is missing on one of them.
        """
        found = self.strengths_if_any(history, rows)
        if (missing := np.flatnonzero(np.isnan(found))).size:
            place = _place(history, int(rows[missing[0]]))
            raise StrategyError(f"strategy {self.name!r}: the condition holds {place}, and the strength has no value")
        return found

    def strengths_if_any(self, history: History, rows: Rows) -> Floats:
        """As :meth:`strengths`; NaN where a figure is missing."""
        view = View(history, rows)
        with np.errstate(divide="ignore", invalid="ignore"):
            found: Floats = np.mean([scale.of(self.measured(view, scale.figure)) for scale in self.strength], axis=0)
        return found

    def reasons(self, history: History, rows: Rows) -> list[str]:
        """The reason of the signals on ``rows``, one line each with the numbers in it."""
        view = View(history, rows)
        with np.errstate(divide="ignore", invalid="ignore"):
            measured = {name: self.measured(view, name).tolist() for name in self._fields()}
        lines = zip(*measured.values(), strict=True)
        return [self.reason.format(**dict(zip(measured, line, strict=True))) for line in lines]

    def _fields(self) -> list[str]:
        return list(dict.fromkeys(name for _, name, _, _ in string.Formatter().parse(self.reason) if name))

    def _measure_nothing(self) -> History:
        """A history without rows on which everything was evaluated: it tells what was asked of it.

        Raises:
            StrategyError: the condition gives something else than true or false for each row.
            UnknownColumnError, LookAheadError: as the class.
        """
        history = History.without_rows()
        view = View(history, np.empty(0, np.intp))
        try:
            found = self.condition(history)
            for name in {*self._fields(), *self.figures, *(scale.figure for scale in self.strength)}:
                self.measured(view, name)
        except (LookAheadError, UnknownColumnError) as error:
            raise type(error)(f"strategy {self.name!r}: {error}") from error
        if not isinstance(found, np.ndarray) or found.dtype != np.bool_ or found.shape != (0,):
            raise StrategyError(f"strategy {self.name!r}: its condition does not give true or false for each row")
        return history

    def _check_values(self) -> None:
        for name in ("name", "title", "family", "words", "reason", "source"):
            if not getattr(self, name).strip():
                self._refuse(f"it has no {name}")
        if not self.name.isidentifier() or not self.name.islower():
            self._refuse("a name is of lower-case letters, digits and underscores")
        if self.side not in ("buy", "sell"):
            self._refuse(f"side is {self.side!r}, expected 'buy' or 'sell'")
        for name, least in (("version", 1), ("memory", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                self._refuse(f"{name} is {value!r}, expected a whole number from {least} on")
        if self.stop_loss_pct is not None and not 0 < self.stop_loss_pct < 100:
            self._refuse(f"stop_loss_pct is {self.stop_loss_pct!r}, expected more than 0 and less than 100")
        if not self.strength:
            self._refuse("nothing says how strong a signal is")
        for scale in self.strength:
            ends = (scale.weakest, scale.strongest)
            if not all(map(math.isfinite, ends)) or scale.weakest == scale.strongest:
                self._refuse(f"the scale of {scale.figure!r} goes from {ends[0]} to {ends[1]}: no length")

    def _check_names(self) -> None:
        if hidden := self.figures.keys() & set(HISTORY_COLUMNS):
            self._refuse(f"figures are called as columns are: {', '.join(sorted(hidden))}")

    def _check_reach(self) -> None:
        back = self._measure_nothing().sessions_back
        if back > self.memory:
            self._refuse(f"memory is {self.memory} sessions, and it looks {back} back")

    def _refuse(self, what: str) -> None:
        raise StrategyError(f"strategy {self.name!r}: {what}")


def priority_of(strength: float) -> Priority:
    """The priority of a signal of that strength."""
    return "high" if strength >= HIGH_PRIORITY_FROM else "medium"


def within(parameter: str, value: float, least: float, most: float) -> float:
    """``value`` itself, of a parameter of a strategy.

    Raises:
        StrategyError: it is not from ``least`` to ``most``.
    """
    if not least <= value <= most:
        raise StrategyError(f"{parameter} is {value}, expected {least:g} to {most:g}")
    return value


def whole(parameter: str, value: int, least: int = 1) -> int:
    """``value`` itself, of a parameter that counts sessions.

    Raises:
        StrategyError: it is not a whole number, or less than ``least``.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise StrategyError(f"{parameter} is {value!r}, expected a whole number from {least} on")
    return value


def _place(history: History, row: int) -> str:
    symbol = history.symbols[history.symbol_index(np.array([row]))[0]]
    session: date = history.sessions[row].astype(object)
    return f"for {symbol} on {session}"
