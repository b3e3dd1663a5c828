"""Panels of what was found: signals of strategies, and issues that fulfil a screen's conditions."""

from __future__ import annotations

from include.grafana.source import IN_RANGE, SESSION_TIME, SqlQuery
from include.grafana.style import FALL, FULL_WIDTH, RISE, AnyPanel, colour, lines, rows, stacked_bars


def finding_panels() -> list[AnyPanel]:
    """The panels, in order."""
    return [_signals(), _hits(), _last_signals(), _top_of_screens()]


def _signals() -> AnyPanel:
    query = SqlQuery(
        f"""
SELECT {SESSION_TIME},
       count(*) FILTER (WHERE side = 'buy') AS "Buy",
       -count(*) FILTER (WHERE side = 'sell') AS "Sell"
FROM mart.signal
WHERE {IN_RANGE}
GROUP BY session
ORDER BY session
""",
        "time_series",
    )
    return (
        stacked_bars(
            "Signals",
            "Signals of all strategies that say buy, and those that say sell (drawn downwards).",
            query,
            width=12,
        )
        .override_by_name("Buy", colour(RISE))
        .override_by_name("Sell", colour(FALL))
    )


def _hits() -> AnyPanel:
    query = SqlQuery(
        f"""
SELECT {SESSION_TIME},
       screen AS metric,
       hits
FROM mart.screen_run
WHERE {IN_RANGE}
ORDER BY session, screen
""",
        "time_series",
    )
    return lines("Hits of the screens", "Issues that fulfil all conditions of a screen.", query, width=12)


def _last_signals() -> AnyPanel:
    query = SqlQuery(f"""
SELECT session::text AS "Session",
       symbol AS "Symbol",
       name AS "Name",
       side AS "Side",
       round(strength::numeric, 1) AS "Strength",
       priority AS "Priority",
       strategy AS "Strategy",
       reason AS "Reason"
FROM mart.signal
WHERE session = (SELECT max(session) FROM mart.signal WHERE {IN_RANGE})
ORDER BY strength DESC, symbol, strategy
LIMIT 100
""")
    return rows(
        "Signals of the last session",
        "The hundred strongest of the newest session of the time range that has any.",
        query,
        width=FULL_WIDTH,
        height=10,
    )


def _top_of_screens() -> AnyPanel:
    query = SqlQuery(f"""
SELECT session::text AS "Session",
       title AS "Screen",
       rank AS "Rank",
       symbol AS "Symbol",
       name AS "Name",
       values::text AS "Values"
FROM mart.screen_result
WHERE session = (SELECT max(session) FROM mart.screen_run WHERE {IN_RANGE})
  AND rank <= 10
ORDER BY screen, rank
""")
    return rows(
        "Top of the screens",
        "The first ten of each screen, on the newest session of the time range that screens were run on.",
        query,
        width=FULL_WIDTH,
        height=10,
    )
