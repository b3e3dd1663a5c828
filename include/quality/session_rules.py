"""Decides, session by session, whether what a source gave can be the session's table at all."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb
import pyarrow as pa

from include.datasets.registry import Coverage, Dataset
from include.outcomes import CoverageDrop, Malformed, NotASession, NotPublished
from include.quality.row_rules import DUPLICATE_KEY, DUPLICATE_ROW

# More repeated rows than this are not a slip of the source, but another table.
_DUPLICATES_TOLERATED = 0.01
# At least this share of traded rows equal to the prior session's in all of copy_of_yesterday is a copy of it.
_COPY_SHARE = 0.9
# A baseline older than this says nothing about today's number of issues.
_BASELINE_AGE = timedelta(days=14)


@dataclass(frozen=True)
class Refusal:
    """Why a session may not load: the typed outcome's name, and the reason in words."""

    outcome: str
    reason: str


@dataclass(frozen=True)
class _Session:
    """One session of marked rows: how many rows, clean ones by group, repeated ones, and copies of yesterday."""

    day: date
    rows: int
    clean: Mapping[str, int]
    repeated: int
    copied_share: float

    @property
    def clean_rows(self) -> int:
        return sum(self.clean.values())


def refuse_sessions(
    marked: pa.Table, baseline: pa.Table | None, dataset: Dataset, calendar: Collection[date]
) -> dict[date, Refusal]:
    """The sessions of ``marked`` (see ``mark_violations``) that may not load.

    ``baseline`` holds the dataset's rows of the session loaded last before these, or is None; ``calendar``
    the exchange's sessions. Each session is measured against the last one before it that was accepted.
    """
    refused: dict[date, Refusal] = {}
    accepted = _baseline_session(baseline, dataset)
    for session in _sessions(marked, baseline, dataset):
        refusal = _refusal(session, accepted, dataset, calendar)
        if refusal is None:
            accepted = session
        else:
            refused[session.day] = refusal
    return refused


def _refusal(
    session: _Session, accepted: _Session | None, dataset: Dataset, calendar: Collection[date]
) -> Refusal | None:
    if session.day not in calendar:
        return Refusal(
            NotASession.outcome,
            f"{session.day} is not a session of the exchange, yet the source gave {session.rows:,} rows. If the day "
            "did trade, the calendar is wrong: see docs/operator.md",
        )
    if session.repeated > _DUPLICATES_TOLERATED * session.rows:
        return Refusal(
            Malformed.outcome,
            f"{session.repeated:,} of {session.rows:,} rows of {session.day} repeat the key of another",
        )
    if session.copied_share >= _COPY_SHARE:
        return Refusal(
            NotPublished.outcome,
            f"{session.copied_share:.0%} of the rows traded on {session.day} repeat the prior session's to the last "
            "figure: a stale copy of yesterday",
        )
    if dataset.coverage and accepted and session.day - accepted.day <= _BASELINE_AGE:
        return _coverage_refusal(session, accepted, dataset.coverage)
    return None


def _coverage_refusal(session: _Session, accepted: _Session, coverage: Coverage) -> Refusal | None:
    if session.clean_rows < coverage.share * accepted.clean_rows:
        return Refusal(
            CoverageDrop.outcome,
            f"{session.clean_rows:,} usable rows on {session.day}, expected at least {coverage.share:.0%} of the "
            f"{accepted.clean_rows:,} of {accepted.day}",
        )
    for group, expected in accepted.clean.items():
        found = session.clean.get(group, 0)
        if expected >= coverage.group_size and found < coverage.group_share * expected:
            return Refusal(
                CoverageDrop.outcome,
                f"{found:,} usable {group} rows on {session.day}, expected at least {coverage.group_share:.0%} of the "
                f"{expected:,} of {accepted.day}",
            )
    return None


def _baseline_session(baseline: pa.Table | None, dataset: Dataset) -> _Session | None:
    if baseline is None:
        return None
    with duckdb.connect() as database:
        database.register("baseline", baseline)
        groups = database.execute(
            f"SELECT session, {_group_of(dataset)} AS grouped, count(*) FROM baseline GROUP BY ALL"
        ).fetchall()
    [day] = {day for day, _, _ in groups}
    return _Session(day, baseline.num_rows, {name: count for _, name, count in groups}, 0, 0.0)


def _sessions(marked: pa.Table, baseline: pa.Table | None, dataset: Dataset) -> Iterator[_Session]:
    """What each session of ``marked`` holds, in order of day; rows without a day belong to none."""
    with duckdb.connect() as database:
        database.register("marked", marked)
        copies = _copied_shares(database, baseline, dataset)
        counted = database.execute(
            f"""
            SELECT session, {_group_of(dataset)} AS grouped, count(*),
                   count(*) FILTER (WHERE violated_rule IS NULL),
                   count(*) FILTER (WHERE violated_rule IN ('{DUPLICATE_KEY}', '{DUPLICATE_ROW}'))
            FROM marked WHERE session IS NOT NULL GROUP BY ALL ORDER BY session
            """
        ).fetchall()
    by_day: dict[date, list[tuple[str, int, int, int]]] = {}
    for day, group, rows, clean, repeated in counted:
        by_day.setdefault(day, []).append((group, rows, clean, repeated))
    for day, groups in by_day.items():
        yield _Session(
            day=day,
            rows=sum(rows for _, rows, _, _ in groups),
            clean={group: clean for group, _, clean, _ in groups},
            repeated=sum(repeated for _, _, _, repeated in groups),
            copied_share=copies.get(day, 0.0),
        )


def _group_of(dataset: Dataset) -> str:
    return dataset.coverage.group_of if dataset.coverage else "''"


def _copied_shares(
    database: duckdb.DuckDBPyConnection, baseline: pa.Table | None, dataset: Dataset
) -> dict[date, float]:
    """Per session, the share of traded rows equal to the symbol's prior row in this data."""
    if not dataset.copy_of_yesterday:
        return {}
    figures = ", ".join(dataset.copy_of_yesterday)
    read = f"SELECT symbol, session, {figures} FROM"
    everything = f"{read} marked WHERE violated_rule IS NULL"
    if baseline is not None:
        database.register("baseline", baseline)
        everything += f" UNION ALL {read} baseline"
    row = f"struct_pack({', '.join(f'{name} := {name}' for name in dataset.copy_of_yesterday)})"
    shares = database.execute(
        f"""
        WITH everything AS ({everything}), neighbours AS (
            SELECT session, volume, {row} = lag({row}) OVER (PARTITION BY symbol ORDER BY session) AS copied
            FROM everything
        )
        SELECT session, avg(CASE WHEN copied THEN 1.0 ELSE 0.0 END)
        FROM neighbours WHERE volume > 0 AND copied IS NOT NULL GROUP BY session
        """
    ).fetchall()
    return {session: float(share) for session, share in shares}
