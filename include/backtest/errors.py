"""What can be wrong with a backtest."""

from __future__ import annotations


class NothingToTestError(LookupError):
    """The warehouse lacks what a backtest needs; the message says what and how to get it."""


class MarketChangedError(RuntimeError):
    """Corporate actions were found while the market was read; running again helps."""


class ProcessKilledError(RuntimeError):
    """A process that did a part of the work was ended from outside, most often for want of memory."""
