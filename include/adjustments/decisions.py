"""What operators decide about corporate actions: entered with who and why, kept, and applied at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import psycopg

from include.adjustments.evidence import Kind
from include.adjustments.refresh import AdjustmentReport, refresh_adjustments
from include.market.symbols import is_valid_symbol
from include.warehouse.connection import connect

_ABOUT_A_KNOWN_ACTION = ("confirm", "correct", "dismiss")


class InvalidDecisionError(ValueError):
    """The decision is about nothing the warehouse knows, or says too little."""


@dataclass(frozen=True)
class NewDecision:
    """``decision`` is confirm, correct, add, dismiss or withdraw; ``applied_ratio`` multiplies earlier prices."""

    symbol: str
    ex_date: date
    decision: str
    reason: str
    kind: Kind | None = None
    applied_ratio: float | None = None
    decided_by: str | None = None


def decide(dsn: str, new: NewDecision) -> AdjustmentReport:
    """Enter the decision and bring the symbol's actions and factors up to it.

    Raises:
        InvalidDecisionError: no such symbol or session; nothing to confirm, correct or dismiss; no reason; no kind or
            ratio where they are needed, or one that is not positive.
        WarehouseUnreachableError: the warehouse does not answer.
    """
    with connect(dsn, "etl") as connection:
        _check(connection, new)
        connection.execute(
            "INSERT INTO market.corporate_action_decision "
            "(symbol, ex_date, decision, kind, applied_ratio, reason, decided_by) "
            "VALUES (%s, %s, %s, %s, %s, %s, coalesce(%s, session_user))",
            [new.symbol, new.ex_date, new.decision, new.kind, new.applied_ratio, new.reason, new.decided_by],
        )
    return refresh_adjustments(dsn, [new.symbol])


def _check(connection: psycopg.Connection, new: NewDecision) -> None:
    if not new.reason.strip():
        raise InvalidDecisionError("a decision needs a reason: it is kept with it")
    if new.applied_ratio is not None and not 0 < new.applied_ratio < float("inf"):
        raise InvalidDecisionError(f"the ratio earlier prices are multiplied by is positive, got {new.applied_ratio}")
    if new.decision == "correct" and new.kind is None and new.applied_ratio is None:
        raise InvalidDecisionError("say what to correct: the kind, the ratio or both")
    if new.decision == "add" and (new.kind is None or new.applied_ratio is None):
        raise InvalidDecisionError("an action that is added needs a kind and a ratio")
    query = "SELECT FROM market.instrument WHERE symbol = %s"
    if not is_valid_symbol(new.symbol) or connection.execute(query, [new.symbol]).fetchone() is None:
        raise InvalidDecisionError(f"no issue {new.symbol!r} is in the daily bars")
    if connection.execute("SELECT FROM market.session WHERE session = %s", [new.ex_date]).fetchone() is None:
        raise InvalidDecisionError(f"{new.ex_date} is not a session of the exchange")
    [[last]] = connection.execute("SELECT max(last_session) FROM market.instrument").fetchall()
    if new.ex_date > last:
        raise InvalidDecisionError(f"{new.ex_date} is to come: bars are loaded up to {last}")
    if new.decision in _ABOUT_A_KNOWN_ACTION:
        _require_action(connection, new)


def _require_action(connection: psycopg.Connection, new: NewDecision) -> None:
    ex_dates = [
        ex_date
        for (ex_date,) in connection.execute(
            "SELECT ex_date FROM market.corporate_action WHERE symbol = %s AND kind <> 'code_change' ORDER BY ex_date",
            [new.symbol],
        )
    ]
    if new.ex_date not in ex_dates:
        others = ", ".join(map(str, ex_dates)) or "none"
        raise InvalidDecisionError(
            f"no action of {new.symbol} on {new.ex_date} to {new.decision}; there are: {others}. "
            "One that was not found can be added"
        )
