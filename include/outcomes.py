"""What can come of asking a source for data, besides data. Empty is never success."""

from __future__ import annotations

from typing import ClassVar


class CollectionOutcome(Exception):
    """Base of every typed outcome. ``outcome`` is the name the ledger and alarms carry."""

    outcome: ClassVar[str]

    @classmethod
    def named(cls, outcome: str, message: str) -> CollectionOutcome:
        """The outcome that goes by the name ``outcome``."""
        return next(kind for kind in cls.__subclasses__() if kind.outcome == outcome)(message)


class NotASession(CollectionOutcome):
    """The exchange did not trade on the day asked for."""

    outcome = "not_a_session"


class NotPublished(CollectionOutcome):
    """The session is over or running, and the source does not hold it yet: ask again later."""

    outcome = "not_published"


class AuthRequired(CollectionOutcome):
    """The source wants a credential, or refuses the one it got: a person has to act."""

    outcome = "auth_required"


class RateLimited(CollectionOutcome):
    """The source, or our own account of its limits, allows no further call now."""

    outcome = "rate_limited"


class SourceDown(CollectionOutcome):
    """The source does not answer, or answers with a failure of its own."""

    outcome = "source_down"


class Malformed(CollectionOutcome):
    """The answer is not what the source is known to publish."""

    outcome = "malformed"


class CoverageDrop(CollectionOutcome):
    """The answer is about the right session and lacks a part of the market."""

    outcome = "coverage_drop"


class Missing(CollectionOutcome):
    """The source spans the session and holds no row of it."""

    outcome = "missing"


class SourceNotConfiguredError(RuntimeError):
    """The source lacks an address, a folder or a credential it needs: nothing was asked."""
