"""What can be wrong with a screen, each with a message that says what to do."""

from __future__ import annotations


class ScreenError(ValueError):
    """Something about a screen is wrong; the message says what."""


class InvalidScreenError(ScreenError):
    """A definition that cannot be run; ``problems`` says where, what was expected and what came."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class UnknownScreenError(ScreenError):
    """No screen of that name is kept."""


class DuplicateScreenError(ScreenError):
    """A screen of that name is kept already."""


class NothingToScreenError(ScreenError):
    """No issue could be looked at: indicators, or values of a column, are missing."""


class IndicatorsBehindError(NothingToScreenError):
    """Batches were loaded whose rows the indicators do not have yet: they come without anyone's doing."""


class SlowScreenError(ScreenError):
    """A screen that took too long on a session, and was broken off."""


class FailedScreensError(ScreenError):
    """Screens that could not be run; the others were, and what they found is kept."""
