"""What all errors of the local platform have in common."""

from __future__ import annotations


class PlatformError(RuntimeError):
    """The local platform could not do what was asked; the message says what, why and what to do."""
