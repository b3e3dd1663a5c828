-- What is to be computed, with what is stored of it. 1,000 days hold about 670 sessions.
SELECT
    due.symbol,
    CASE WHEN state.symbol IS NULL THEN '0001-01-01' ELSE due.since END AS since,
    coalesce(factors.digest, '') AS factor_digest,
    state.symbol IS NOT NULL AS is_stored,
    start.session,
    CASE WHEN start.traded_sessions > 0 THEN start.obv ELSE 'NaN' END AS first_obv
FROM ops.indicator_due AS due
LEFT JOIN mart.factor_digest AS factors ON factors.symbol = due.symbol
LEFT JOIN derived.indicator_state AS state ON state.symbol = due.symbol
LEFT JOIN LATERAL (
    SELECT session, traded_sessions, obv FROM derived.indicator AS stored
    WHERE stored.symbol = state.symbol AND stored.traded
        AND stored.session >= due.since - 1000 AND stored.session < due.since
    ORDER BY stored.session LIMIT 1
) AS start ON true
ORDER BY due.symbol
