-- The queue of issues whose indicators changed, each with the first session to read, %(memory)s traded ones before, its
-- last one, when its indicators were written, and the version of its row in the queue. Those of which the least has to
-- be read come first: a long halt reaches far back.
SELECT
    queued.symbol, queued.since, coalesce(earlier.first, queued.since) AS first, newest.through, state.written_at,
    queued.xmin::text
FROM ops.unsignalled_symbol AS queued
LEFT JOIN derived.indicator_state AS state USING (symbol)
CROSS JOIN LATERAL (
    SELECT min(session) AS first
    FROM (
        SELECT session FROM derived.indicator
        WHERE indicator.symbol = queued.symbol AND indicator.session < queued.since AND indicator.traded
        ORDER BY session DESC
        LIMIT %(memory)s
    ) AS remembered
) AS earlier
LEFT JOIN LATERAL (
    SELECT session AS through FROM derived.indicator WHERE indicator.symbol = queued.symbol ORDER BY session DESC LIMIT 1
) AS newest ON true
ORDER BY first DESC, queued.symbol
