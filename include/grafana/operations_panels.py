"""Panels of the warehouse's own state: what is loaded, what is not, and why."""

from __future__ import annotations

from include.grafana.source import IN_RANGE, SESSION_TIME, SqlQuery
from include.grafana.style import (
    FULL_WIDTH,
    AnyPanel,
    by_threshold,
    numbers,
    red_from_one,
    rows,
    stacked_bars,
)

_NOT_LOADED = "outcome NOT IN ('loaded', 'not_a_session')"


def operations_panels() -> list[AnyPanel]:
    """The panels, in order."""
    return [
        _open_matters(),
        _outcomes(),
        _rows_loaded(),
        _alarms(),
        _not_loaded(),
        _quarantine(),
        _batches(),
    ]


def _open_matters() -> AnyPanel:
    query = SqlQuery(f"""
SELECT (SELECT count(*) FROM ops.alarm WHERE closed_at IS NULL) AS "Open alarms",
       (SELECT count(*) FROM mart.session_coverage
        WHERE {_NOT_LOADED}
          AND {IN_RANGE}) AS "Sessions not loaded",
       (SELECT count(*) FROM ops.quarantine WHERE released_by IS NULL) AS "Rows in quarantine"
""")
    return (
        numbers(
            "Open matters",
            "Alarms and quarantined rows of any time, and sessions of the time range that a source was asked "
            "for and that are not loaded.",
            query,
            width=12,
        )
        .thresholds(red_from_one())
        .color_scheme(by_threshold())
        .height(6)
    )


def _outcomes() -> AnyPanel:
    query = SqlQuery(f"""
SELECT dataset AS "Dataset",
       outcome AS "Outcome",
       count(*) AS "Sessions",
       min(session)::text AS "First",
       max(session)::text AS "Last",
       sum(rows) AS "Rows"
FROM mart.session_coverage
WHERE {IN_RANGE}
GROUP BY dataset, outcome
ORDER BY dataset, outcome
""")
    return rows(
        "Coverage",
        "What became of the sessions of the time range, by dataset.",
        query,
        width=12,
        height=6,
    )


def _rows_loaded() -> AnyPanel:
    query = SqlQuery(
        f"""
SELECT {SESSION_TIME},
       dataset AS metric,
       rows
FROM mart.session_coverage
WHERE outcome = 'loaded'
  AND {IN_RANGE}
ORDER BY session, dataset
""",
        "time_series",
    )
    return stacked_bars(
        "Rows per session",
        "Rows of each session that passed every rule, by dataset. A gap is a session that is not loaded.",
        query,
        width=FULL_WIDTH,
    )


def _alarms() -> AnyPanel:
    query = SqlQuery("""
SELECT opened_at AS "Opened",
       dataset AS "Dataset",
       session::text AS "Session",
       kind AS "Kind",
       message AS "Message"
FROM ops.alarm
WHERE closed_at IS NULL
ORDER BY opened_at DESC
LIMIT 200
""")
    return rows(
        "Open alarms",
        "What a person should look at, newest first (at most 200). An alarm closes itself when its session is loaded.",
        query,
        width=12,
    ).no_value("none")


def _not_loaded() -> AnyPanel:
    query = SqlQuery(f"""
SELECT session::text AS "Session",
       dataset AS "Dataset",
       outcome AS "Outcome",
       source AS "Source",
       detail AS "Why"
FROM mart.session_coverage
WHERE {_NOT_LOADED}
  AND {IN_RANGE}
ORDER BY session DESC, dataset
LIMIT 200
""")
    return rows(
        "Sessions not loaded",
        "Sessions of the time range that a source was asked for and that are not loaded, newest first (at most 200).",
        query,
        width=12,
    ).no_value("none")


def _quarantine() -> AnyPanel:
    query = SqlQuery("""
SELECT dataset AS "Dataset",
       source AS "Source",
       rule AS "Rule",
       count(*) AS "Rows",
       min(session)::text AS "First session",
       max(session)::text AS "Last session"
FROM ops.quarantine
WHERE released_by IS NULL
GROUP BY dataset, source, rule
ORDER BY count(*) DESC, dataset, source, rule
""")
    return rows(
        "Quarantine",
        "Published rows of any time that are kept out of the fact tables, by the rule that keeps them out.",
        query,
        width=12,
    ).no_value("none")


def _batches() -> AnyPanel:
    query = SqlQuery("""
SELECT started_at AS "Started",
       dataset AS "Dataset",
       source AS "Source",
       first_session::text AS "From",
       last_session::text AS "To",
       status AS "Status",
       rows_published AS "Published",
       rows_inserted AS "New",
       rows_updated AS "Corrected",
       rows_quarantined AS "Quarantined",
       error AS "Error"
FROM ops.batch
ORDER BY batch_id DESC
LIMIT 50
""")
    return rows(
        "Latest batches",
        "The last 50 attempts to load a chunk of sessions, with the number of rows each published, added, "
        "corrected and quarantined.",
        query,
        width=12,
    )
