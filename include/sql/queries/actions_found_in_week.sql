-- What became known of corporate actions from %(first)s to %(last)s, days in Seoul, in order of ex-date, symbol and time.
SELECT
    held.symbol, issue.name, held.ex_date, held.kind, held.status, held.base_ratio, held.share_ratio,
    held.applied_ratio, held.confidence, held.evidence, held.decided_by, held.known_at,
    EXISTS (
        SELECT FROM mart.corporate_action_version AS earlier
        WHERE (earlier.symbol, earlier.ex_date) = (held.symbol, held.ex_date) AND earlier.known_at < held.known_at
    ) AS was_known
FROM mart.corporate_action_version AS held
LEFT JOIN market.instrument AS issue USING (symbol)
WHERE held.known_at >= mart.end_of_day(%(first)s::date - 1) AND held.known_at < mart.end_of_day(%(last)s::date)
ORDER BY held.ex_date, held.symbol COLLATE "C", held.known_at
