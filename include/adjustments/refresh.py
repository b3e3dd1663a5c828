"""Finds base-price resets in the daily bars and keeps events and factors in step with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import psycopg

from include.adjustments.factors import Event, factor_intervals
from include.warehouse.connection import SQL_QUERIES, connect


@dataclass(frozen=True)
class AdjustmentReport:
    """Symbols whose factors changed, and the events of the symbols looked at."""

    symbols_changed: int
    events_applied: int
    events_pending: int

    def summary(self) -> str:
        """One line in plain words."""
        pending = (
            f"; {self.events_pending:,} are held as pending until missing sessions are loaded"
            if self.events_pending
            else ""
        )
        return (
            f"{self.events_applied:,} base-price resets applied{pending}; "
            f"factors of {self.symbols_changed:,} symbols changed"
        )


def refresh_adjustments(dsn: str, symbols: Sequence[str] | None = None) -> AdjustmentReport:
    """Bring ``market.base_price_event`` and ``market.adjustment_factor`` up to date, in one transaction.

    Depends only on the bars in the warehouse, not on the order they came in; running it again changes
    nothing. ``symbols`` limits it to some; None means all.
    """
    with connect(dsn, "etl") as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('refresh adjustments'))")
        parameters = {"symbols": list(symbols) if symbols is not None else None}
        connection.execute((SQL_QUERIES / "find_base_price_events.sql").read_bytes(), parameters)
        connection.execute((SQL_QUERIES / "replace_base_price_events.sql").read_bytes(), parameters)
        _compute_factors(connection)
        changed = connection.execute(
            (SQL_QUERIES / "replace_adjustment_factors.sql").read_bytes(), parameters
        ).fetchone()
        counts: dict[str, int] = dict(
            connection.execute("SELECT status, count(*) FROM found_event GROUP BY status").fetchall()
        )
    return AdjustmentReport(
        symbols_changed=changed[0] if changed else 0,
        events_applied=counts.get("applied", 0),
        events_pending=counts.get("pending", 0),
    )


def _compute_factors(connection: psycopg.Connection) -> None:
    applied = connection.execute(
        "SELECT symbol, session, price_factor FROM found_event WHERE status = 'applied' "
        'ORDER BY symbol COLLATE "C", session'
    )
    intervals = factor_intervals(Event(*row) for row in applied.fetchall())
    connection.execute("CREATE TEMPORARY TABLE found_factor (LIKE market.adjustment_factor) ON COMMIT DROP")
    with connection.cursor() as cursor, cursor.copy("COPY found_factor FROM STDIN") as copy:
        for interval in intervals:
            copy.write_row(astuple(interval))
