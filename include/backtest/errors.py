"""What can be wrong with a backtest."""

from __future__ import annotations


class NothingToTestError(LookupError):
    """The warehouse lacks what a backtest needs; the message says what and how to get it."""
