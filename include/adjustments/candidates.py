"""Reads from the warehouse which sessions may be ex-dates, with all that was ever known about each."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any

import psycopg
from psycopg.rows import dict_row

from include.adjustments.evidence import Bar, Kind, ShareStep
from include.adjustments.history import BarVersion, Candidate, DatedStep, Decision
from include.warehouse.connection import SQL_QUERIES

# From the ex-date of a stock dividend at the end of a year to the listing of its shares.
_STEPS_WITHIN = timedelta(days=130)


def read_candidates(connection: psycopg.Connection, symbols: Sequence[str] | None) -> list[Candidate]:
    """The candidates of ``symbols``, or of all issues, in order of symbol and session.

    Leaves temporary tables behind for the rest of the transaction.
    """
    _run_script(connection, "find_notable_bars.sql", symbols)
    known = _Known(
        sessions=[session for (session,) in connection.execute("SELECT session FROM market.session ORDER BY session")],
        versions=_replaced_versions(connection),
        steps=_share_steps(connection),
        decisions=_decisions(connection, symbols),
    )
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute((SQL_QUERIES / "read_candidates.sql").read_bytes()).fetchall()
    candidates = [_candidate(row, known) for row in rows]
    return [*candidates, *_decided_without_bars(known, {(each.symbol, each.ex_date) for each in candidates})]


@dataclass(frozen=True)
class _Known:
    """What the rows of the candidates are completed from, by symbol and session."""

    sessions: list[date]
    versions: Mapping[str, list[BarVersion]]
    steps: Mapping[str, list[DatedStep]]
    decisions: Mapping[tuple[str, date], list[Decision]]


def _run_script(connection: psycopg.Connection, name: str, symbols: Sequence[str] | None) -> None:
    """Run the statements of a query file one by one: a statement with parameters goes alone."""
    parameters = {"symbols": None if symbols is None else list(symbols)}
    for statement in (SQL_QUERIES / name).read_text(encoding="utf-8").split(";\n"):
        if statement.strip():
            connection.execute(statement.encode(), parameters if "%(" in statement else None)


def _replaced_versions(connection: psycopg.Connection) -> dict[str, list[BarVersion]]:
    """Values that corrections replaced, of the bars that are notable and of those just before them."""
    versions: defaultdict[str, list[BarVersion]] = defaultdict(list)
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            "SELECT DISTINCT held.symbol, held.session, held.open, held.close, held.base_price, held.listed_shares, "
            "held.market, held.halted, held.known_at, held.superseded_at "
            "FROM mart.daily_bar_version AS held JOIN notable_bar AS bar ON held.symbol = bar.symbol "
            "AND held.session BETWEEN coalesce(bar.prior_session, bar.session) AND bar.session "
            "WHERE held.superseded_at IS NOT NULL"
        )
        for row in cursor:
            versions[row["symbol"]].append(BarVersion(_bar(row, ""), row["known_at"], row["superseded_at"]))
    return versions


def _share_steps(connection: psycopg.Connection) -> dict[str, list[DatedStep]]:
    steps: defaultdict[str, list[DatedStep]] = defaultdict(list)
    for symbol, session, ratio, known_at, superseded_at in connection.execute(
        "SELECT symbol, session, ratio, known_at, superseded_at FROM share_step ORDER BY symbol, session, known_at"
    ):
        steps[symbol].append(DatedStep(ShareStep(session, ratio), known_at, superseded_at))
    return steps


def _decisions(connection: psycopg.Connection, symbols: Sequence[str] | None) -> dict[tuple[str, date], list[Decision]]:
    decisions: defaultdict[tuple[str, date], list[Decision]] = defaultdict(list)
    for symbol, ex_date, decision, kind, ratio, reason, decided_by, decided_at in connection.execute(
        "SELECT symbol, ex_date, decision, kind, applied_ratio, reason, decided_by, decided_at "
        "FROM market.corporate_action_decision WHERE %(symbols)s::text[] IS NULL OR symbol = ANY (%(symbols)s) "
        "ORDER BY decided_at, decision_id",
        {"symbols": None if symbols is None else list(symbols)},
    ):
        decisions[symbol, ex_date].append(
            Decision(decision, None if kind is None else Kind(kind), ratio, reason, decided_by, decided_at)
        )
    return decisions


def _candidate(row: Mapping[str, Any], known: _Known) -> Candidate:
    symbol, session = row["symbol"], row["session"]
    replaced = known.versions.get(symbol, [])
    return Candidate(
        symbol=symbol,
        ex_date=session,
        name=row["name"],
        is_product=row["kind"] != "STOCK",
        bars=(
            *(version for version in replaced if version.bar.session == session),
            BarVersion(_bar(row, ""), row["known_at"], None),
        ),
        priors=(
            *(version for version in replaced if row["prior_session"] <= version.bar.session < session),
            BarVersion(_bar(row, "prior_"), row["prior_known_at"], None),
        ),
        sessions_missing=partial(_sessions_between, known.sessions, session),
        shares_before=row["traded_shares"],
        sessions_untraded=_sessions_between(known.sessions, session, row["traded_on"] or date.min),
        later_steps=tuple(
            dated for dated in known.steps.get(symbol, []) if session < dated.step.session <= session + _STEPS_WITHIN
        ),
        resumed=(row["resumed_on"], row["resumed_known_at"]) if row["resumed_on"] else None,
        fiscal_year_end=row["fiscal_year_end"],
        new_listings=tuple(row["new_listings"] or ()),
        par_ratio=None if row["par_ratio"] is None else float(row["par_ratio"]),
        decisions=tuple(known.decisions.get((symbol, session), ())),
    )


def _decided_without_bars(known: _Known, seen: set[tuple[str, date]]) -> Iterator[Candidate]:
    """What operators decided about sessions of which there is no bar, or none before it."""
    for (symbol, ex_date), decisions in sorted(known.decisions.items()):
        if (symbol, ex_date) not in seen:
            yield Candidate(
                symbol=symbol,
                ex_date=ex_date,
                name="",
                is_product=False,
                bars=(),
                priors=(),
                sessions_missing=partial(_sessions_between, known.sessions, ex_date),
                shares_before=None,
                sessions_untraded=0,
                later_steps=(),
                resumed=None,
                fiscal_year_end=False,
                new_listings=(),
                par_ratio=None,
                decisions=tuple(decisions),
            )


def _bar(row: Mapping[str, Any], prefix: str) -> Bar:
    shares = "prior_shares" if prefix else "listed_shares"
    return Bar(
        session=row[f"{prefix}session"],
        open=row[f"{prefix}open"],
        close=row[f"{prefix}close"],
        base_price=row[f"{prefix}base_price"],
        listed_shares=row[shares],
        market=row[f"{prefix}market"],
        halted=row[f"{prefix}halted"],
    )


def _sessions_between(sessions: list[date], session: date, prior: date) -> int:
    """The exchange's sessions after ``prior`` and before ``session``."""
    return bisect_left(sessions, session) - bisect_right(sessions, prior)
