"""Panels of the whole market: the last session in the range, and every session over time."""

from __future__ import annotations

from include.grafana.source import IN_RANGE, SESSION_TIME, SqlQuery
from include.grafana.style import (
    AMOUNT_KRW,
    FALL,
    FULL_WIDTH,
    NEUTRAL,
    RISE,
    AnyPanel,
    colour,
    lines,
    numbers,
    rows,
    stacked_bars,
    unit,
)

_LAST_SESSION = f"""
    session = (
        SELECT max(session) FROM mart.session_coverage
        WHERE dataset = 'daily_bar' AND outcome = 'loaded'
          AND {IN_RANGE}
    )"""


def market_panels() -> list[AnyPanel]:
    """The panels, in order."""
    return [
        _last_session(),
        _breadth_of_last_session(),
        _size_of_last_session(),
        _breadth(),
        _turnover(),
        _market_cap(),
        _limits_and_halts(),
        _markets(),
    ]


def _last_session() -> AnyPanel:
    query = SqlQuery(f"""
SELECT max(session)::text AS "Session"
FROM mart.session_coverage
WHERE dataset = 'daily_bar' AND outcome = 'loaded'
  AND {IN_RANGE}
""")
    return numbers(
        "Last session",
        "The newest session of the time range whose daily bars are loaded.",
        query,
        width=4,
    ).no_value("no session is loaded")


def _breadth_of_last_session() -> AnyPanel:
    query = SqlQuery(f"""
SELECT sum(advances) AS "Advances",
       sum(declines) AS "Declines",
       sum(issues - advances - declines) AS "Unchanged",
       sum(upper_limits) AS "Upper limit",
       sum(lower_limits) AS "Lower limit",
       sum(halted) AS "Halted"
FROM mart.market_overview
WHERE {_LAST_SESSION}
""")
    return (
        numbers(
            "Breadth of the last session",
            "Issues of all markets by their close against the base price (기준가). Unchanged includes halted issues.",
            query,
            width=12,
        )
        .override_by_name("Advances", colour(RISE))
        .override_by_name("Upper limit", colour(RISE))
        .override_by_name("Declines", colour(FALL))
        .override_by_name("Lower limit", colour(FALL))
    )


def _size_of_last_session() -> AnyPanel:
    query = SqlQuery(f"""
SELECT sum(value_krw) AS "Turnover",
       sum(market_cap_krw) AS "Market cap"
FROM mart.market_overview
WHERE {_LAST_SESSION}
""")
    return numbers(
        "Size of the last session",
        "Turnover and market capitalisation of all markets, in won.",
        query,
        width=8,
    ).unit(AMOUNT_KRW)


def _breadth() -> AnyPanel:
    query = SqlQuery(
        f"""
SELECT {SESSION_TIME},
       sum(advances) AS "Advances",
       -sum(declines) AS "Declines"
FROM mart.market_overview
WHERE {IN_RANGE}
GROUP BY session
ORDER BY session
""",
        "time_series",
    )
    return (
        stacked_bars(
            "Breadth",
            "Issues of all markets that closed above their base price, and below it (drawn downwards).",
            query,
            width=12,
        )
        .override_by_name("Advances", colour(RISE))
        .override_by_name("Declines", colour(FALL))
    )


def _turnover() -> AnyPanel:
    return stacked_bars(
        "Turnover",
        "Value traded per session and market, in won.",
        _by_market("value_krw"),
        width=12,
    ).unit(AMOUNT_KRW)


def _market_cap() -> AnyPanel:
    return lines(
        "Market capitalisation",
        "Sum over the issues of each market of close times listed shares, in won.",
        _by_market("market_cap_krw"),
        width=12,
    ).unit(AMOUNT_KRW)


def _by_market(column: str) -> SqlQuery:
    return SqlQuery(
        f"""
SELECT {SESSION_TIME},
       market AS metric,
       {column}
FROM mart.market_overview
WHERE {IN_RANGE}
ORDER BY session, market
""",
        "time_series",
    )


def _limits_and_halts() -> AnyPanel:
    query = SqlQuery(
        f"""
SELECT {SESSION_TIME},
       sum(upper_limits) AS "Upper limit",
       sum(lower_limits) AS "Lower limit",
       sum(halted) AS "Halted"
FROM mart.market_overview
WHERE {IN_RANGE}
GROUP BY session
ORDER BY session
""",
        "time_series",
    )
    return (
        lines(
            "Limits and halts",
            "Issues of all markets that closed at the upper or the lower price limit, and halted issues.",
            query,
            width=12,
        )
        .override_by_name("Upper limit", colour(RISE))
        .override_by_name("Lower limit", colour(FALL))
        .override_by_name("Halted", colour(NEUTRAL))
    )


def _markets() -> AnyPanel:
    query = SqlQuery(f"""
SELECT market AS "Market",
       issues AS "Issues",
       advances AS "Advances",
       declines AS "Declines",
       upper_limits AS "Upper limit",
       lower_limits AS "Lower limit",
       halted AS "Halted",
       volume AS "Volume",
       value_krw AS "Turnover",
       market_cap_krw AS "Market cap"
FROM mart.market_overview
WHERE {_LAST_SESSION}
ORDER BY market_cap_krw DESC
""")
    return (
        rows(
            "Markets in the last session",
            "Volume in shares, turnover and market capitalisation in won.",
            query,
            width=FULL_WIDTH,
            height=6,
        )
        .override_by_name("Turnover", unit(AMOUNT_KRW))
        .override_by_name("Market cap", unit(AMOUNT_KRW))
    )
