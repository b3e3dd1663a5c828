"""Every strategy, declared once in the modules of ``strategies``."""

from __future__ import annotations

import difflib

from include.signals.strategies import averages, bands, combined, flows, levels, oscillators, trends
from include.signals.strategy import Strategy

CATALOGUE: tuple[Strategy, ...] = (
    *averages.STRATEGIES,
    *oscillators.STRATEGIES,
    *bands.STRATEGIES,
    *trends.STRATEGIES,
    *levels.STRATEGIES,
    *flows.STRATEGIES,
    *combined.STRATEGIES,
)
_BY_NAME = {strategy.name: strategy for strategy in CATALOGUE}


class UnknownStrategyError(LookupError):
    """There is no such strategy; the message names those that are close."""


def strategy_named(name: str) -> Strategy:
    """The strategy of that name.

    Raises:
        UnknownStrategyError: there is none.
    """
    if name not in _BY_NAME:
        close = difflib.get_close_matches(name, _BY_NAME, n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else f"there are: {', '.join(_BY_NAME)}"
        raise UnknownStrategyError(f"no strategy is called {name!r}; {hint}")
    return _BY_NAME[name]
