"""Brokers' access tokens, kept in the warehouse: issued once, used by all workers, renewed before they end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from psycopg import Connection
from psycopg.rows import TupleRow

from include.crawlers.limits.shared_state import open_shared_state

RENEWAL_MARGIN = timedelta(minutes=10)
# Advisory locks take two integers: this one, and the hash of the token's owner.
_LOCK_CLASS = 0x6B72777A


@dataclass(frozen=True)
class Token:
    """A token as issued, and how long it lives from then on."""

    value: str = field(repr=False)
    lifetime: timedelta


class TokenCache:
    """The tokens in the warehouse at ``dsn``."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def token(self, owner: str, issue: Callable[[], Token], *, refused: str | None = None) -> str:
        """A token of ``owner`` with at least :data:`RENEWAL_MARGIN` to live, other than the one ``refused``.

        Where there is none, one caller of all processes asks for it by ``issue`` and the others wait for that. What
        ``issue`` raises is raised here and nothing is kept.
        """
        with open_shared_state(self._dsn) as state, state.connection() as connection:
            held = _held(connection, owner, refused)
            if held is not None:
                return held
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_LOCK_CLASS, owner])
                held = _held(connection, owner, refused)
                return held if held is not None else _keep(connection, owner, issue())


def _held(connection: Connection[TupleRow], owner: str, refused: str | None) -> str | None:
    row = connection.execute(
        "SELECT value FROM broker.token WHERE owner = %s AND value IS DISTINCT FROM %s "
        "AND expires_at > clock_timestamp() + %s",
        [owner, refused, RENEWAL_MARGIN],
    ).fetchone()
    return None if row is None else str(row[0])


def _keep(connection: Connection[TupleRow], owner: str, token: Token) -> str:
    connection.execute(
        "INSERT INTO broker.token (owner, value, expires_at) VALUES (%s, %s, clock_timestamp() + %s) "
        "ON CONFLICT (owner) DO UPDATE SET value = excluded.value, issued_at = excluded.issued_at, "
        "expires_at = excluded.expires_at",
        [owner, token.value, token.lifetime],
    )
    return token.value
