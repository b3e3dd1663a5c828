-- Issues intraday snapshots are taken of: those watched, or the largest by turnover of the last session before.
SELECT issue.symbol, issue.market, issue.name, issue.section
FROM market.instrument AS issue
JOIN (
    SELECT symbol FROM ops.watched_symbol
    UNION ALL
    (
        SELECT symbol FROM market.daily_bar
        WHERE session = (SELECT max(session) FROM market.daily_bar WHERE session <= %(session)s)
            AND NOT EXISTS (SELECT FROM ops.watched_symbol)
        ORDER BY value_krw DESC, symbol
        LIMIT 200
    )
) AS watched USING (symbol)
ORDER BY issue.symbol
