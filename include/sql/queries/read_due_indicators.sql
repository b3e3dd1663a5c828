-- What is to be computed, with what is stored of it; the formulas are %(formulas)s. 1,000 days hold about 670 sessions.
-- An issue is computed whole if the factors read here, which its rows are noted to rest on, are not those of the rows
-- it has: they may have changed since it was entered.
WITH due AS (
    SELECT
        queued.symbol,
        CASE
            WHEN state.factor_digest = coalesce(factors.digest, '') AND state.formula_digest = %(formulas)s
            THEN queued.since
            ELSE '0001-01-01'
        END AS since,
        coalesce(factors.digest, '') AS factor_digest,
        state.symbol IS NOT NULL AS is_stored
    FROM ops.indicator_due AS queued
    LEFT JOIN mart.factor_digest AS factors ON factors.symbol = queued.symbol
    LEFT JOIN derived.indicator_state AS state ON state.symbol = queued.symbol
)
SELECT
    due.symbol,
    due.since,
    due.factor_digest,
    due.is_stored,
    start.session,
    CASE WHEN start.traded_sessions > 0 THEN start.obv ELSE 'NaN' END AS first_obv
FROM due
LEFT JOIN LATERAL (
    SELECT session, traded_sessions, obv FROM derived.indicator AS stored
    WHERE stored.symbol = due.symbol AND due.is_stored AND stored.traded
        AND stored.session >= due.since - 1000 AND stored.session < due.since
    ORDER BY stored.session LIMIT 1
) AS start ON true
ORDER BY due.symbol
