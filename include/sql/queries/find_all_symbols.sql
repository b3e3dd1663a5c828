-- Every issue there may be signals of, as find_unsignalled_symbols.sql has them, from before its first session on.
SELECT
    symbol, '0001-01-01'::date AS since, '0001-01-01'::date AS first, newest.through, state.written_at,
    queued.xmin::text
FROM (
    SELECT symbol FROM market.instrument
    UNION SELECT symbol FROM derived.signal_state
    UNION SELECT symbol FROM ops.unsignalled_symbol
) AS issue
LEFT JOIN ops.unsignalled_symbol AS queued USING (symbol)
LEFT JOIN derived.indicator_state AS state USING (symbol)
LEFT JOIN LATERAL (
    SELECT session AS through FROM derived.indicator WHERE indicator.symbol = issue.symbol ORDER BY session DESC LIMIT 1
) AS newest ON true
ORDER BY symbol
