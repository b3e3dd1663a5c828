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
# At least this share of traded rows equal to the prior session's in all of copy_of_yesterday is a copy of it: of all
# rows, or of a group's, which may come from an answer of their own, where they are not too few for a coincidence.
_COPY_SHARE = 0.9
_COPY_GROUP_ROWS = 3
# A baseline older than this says nothing about today's number of issues.
_BASELINE_AGE = timedelta(days=14)


@dataclass(frozen=True)
class Refusal:
    """Why a session may not load: the typed outcome's name, and the reason in words."""

    outcome: str
    reason: str


@dataclass(frozen=True)
class _Session:
    """One session of marked rows: how many rows, usable ones in all and by group, repeated ones, copies of yesterday.

    Usable ones are counted as the dataset's coverage counts: rows, or different values of a column.
    """

    day: date
    rows: int
    clean_rows: int
    clean: Mapping[str, int]
    repeated: int
    copied_share: float


def refuse_sessions(
    marked: pa.Table, baseline: pa.Table | None, dataset: Dataset, calendar: Collection[date], *, partial: bool = False
) -> dict[date, Refusal]:
    """The sessions of ``marked`` (see ``mark_violations``) that may not load.

    ``baseline`` holds the dataset's rows of the session loaded last before these, or is None; ``calendar``
    the exchange's sessions. Each session is measured against the last one before it that was accepted; how much of
    it there is does not matter from a ``partial`` source.
    """
    refused: dict[date, Refusal] = {}
    accepted = _baseline_session(baseline, dataset)
    for session in _sessions(marked, baseline, dataset):
        refusal = _refusal(session, None if partial else accepted, dataset, calendar)
        if refusal is None:
            accepted = session
        else:
            refused[session.day] = refusal
    return refused


def _refusal(
    session: _Session, accepted: _Session | None, dataset: Dataset, calendar: Collection[date]
) -> Refusal | None:
    if dataset.on_sessions and session.day not in calendar:
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
    if dataset.on_sessions and session.clean_rows == 0:
        return Refusal(CoverageDrop.outcome, f"none of the {session.rows:,} rows of {session.day} is usable")
    if dataset.coverage and accepted and session.day - accepted.day <= _BASELINE_AGE:
        return _coverage_refusal(session, accepted, dataset.coverage)
    return None


def _coverage_refusal(session: _Session, accepted: _Session, coverage: Coverage) -> Refusal | None:
    if session.clean_rows < coverage.share * accepted.clean_rows:
        return Refusal(
            CoverageDrop.outcome,
            f"{session.clean_rows:,} usable {coverage.unit} on {session.day}, expected at least "
            f"{coverage.share:.0%} of the {accepted.clean_rows:,} of {accepted.day}",
        )
    for group, expected in accepted.clean.items():
        found = session.clean.get(group, 0)
        if expected >= coverage.group_size and found < coverage.group_share * expected:
            return Refusal(
                CoverageDrop.outcome,
                f"{found:,} usable {group} {coverage.unit} on {session.day}, expected at least "
                f"{coverage.group_share:.0%} of the {expected:,} of {accepted.day}",
            )
    return None


def _baseline_session(baseline: pa.Table | None, dataset: Dataset) -> _Session | None:
    if baseline is None:
        return None
    with duckdb.connect() as database:
        database.register("baseline", baseline)
        [(day, count)] = database.execute(
            f"SELECT session, {_count(dataset)} FROM baseline GROUP BY session"
        ).fetchall()
        groups = database.execute(f"SELECT {_group_of(dataset)}, {_count(dataset)} FROM baseline GROUP BY 1").fetchall()
    return _Session(day, baseline.num_rows, count, dict(groups), 0, 0.0)


def _sessions(marked: pa.Table, baseline: pa.Table | None, dataset: Dataset) -> Iterator[_Session]:
    """What each session of ``marked`` holds, in order of day; rows without a day belong to none."""
    with duckdb.connect() as database:
        database.register("marked", marked)
        copies = _copied_shares(database, baseline, dataset)
        groups = database.execute(
            f"SELECT session, {_group_of(dataset)}, {_count(dataset)} FROM marked "
            "WHERE violated_rule IS NULL AND session IS NOT NULL GROUP BY ALL"
        ).fetchall()
        sessions = database.execute(
            f"""
            SELECT session, count(*), {_count(dataset)} FILTER (violated_rule IS NULL),
                   count(*) FILTER (violated_rule IN ('{DUPLICATE_KEY}', '{DUPLICATE_ROW}'))
            FROM marked WHERE session IS NOT NULL GROUP BY session ORDER BY session
            """
        ).fetchall()
    clean: dict[date, dict[str, int]] = {}
    for day, group, count in groups:
        clean.setdefault(day, {})[group] = count
    for day, rows, clean_rows, repeated in sessions:
        yield _Session(day, rows, clean_rows, clean.get(day, {}), repeated, copies.get(day, 0.0))


def _group_of(dataset: Dataset) -> str:
    return dataset.coverage.group_of if dataset.coverage else "''"


def _count(dataset: Dataset) -> str:
    """SQL that counts what coverage is measured in."""
    return f'count(DISTINCT "{dataset.coverage.of}")' if dataset.coverage and dataset.coverage.of else "count(*)"


def _copied_shares(
    database: duckdb.DuckDBPyConnection, baseline: pa.Table | None, dataset: Dataset
) -> dict[date, float]:
    """Per session, the share of the rows judged that equal the prior row of the same thing in this data.

    It is that of all rows or of one group, whichever is larger. A value that one of the two rows lacks is not
    compared: sources differ in what they publish.
    """
    if not dataset.copy_of_yesterday:
        return {}
    columns = ", ".join(f'"{name}"' for name in dataset.column_names)
    everything = f"SELECT {columns} FROM marked WHERE violated_rule IS NULL"
    if baseline is not None:
        database.register("baseline", baseline)
        everything += f" UNION ALL SELECT {columns} FROM baseline"
    same = " AND ".join(f'coalesce("{name}" = lag("{name}") OVER things, true)' for name in dataset.copy_of_yesterday)
    thing = ", ".join(f'"{name}"' for name in dataset.key if name != dataset.session_column)
    enough = min(_COPY_GROUP_ROWS, dataset.coverage.group_size if dataset.coverage else _COPY_GROUP_ROWS)
    shares = database.execute(
        f"""
        WITH everything AS (
            SELECT *, {dataset.copy_among} AS judged, {_group_of(dataset)} AS of_group FROM ({everything})
        ), neighbours AS (
            SELECT session, of_group, judged AND lag(judged) OVER things AS judged, {same} AS copied
            FROM everything WINDOW things AS (PARTITION BY {thing} ORDER BY session)
        ), shares AS (
            SELECT session, avg(copied::integer) AS share, grouping(of_group) AS of_all, count(*) AS rows
            FROM neighbours WHERE judged GROUP BY GROUPING SETS ((session), (session, of_group))
        )
        SELECT session, max(share) FROM shares WHERE of_all = 1 OR rows >= {enough} GROUP BY session
        """
    ).fetchall()
    return {session: float(share) for session, share in shares}
