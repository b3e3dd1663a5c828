-- What there is of a session, and how many later ones have bars. A dataset without rows in 30 days is not collected.
SELECT
    EXISTS (SELECT FROM market.daily_bar WHERE session = %(session)s) AS has_stocks,
    EXISTS (SELECT FROM market.etp_daily_bar WHERE session = %(session)s)
    OR NOT EXISTS (
        SELECT FROM market.etp_daily_bar WHERE session BETWEEN %(session)s::date - 30 AND %(session)s::date - 1
    ) AS has_funds,
    NOT %(flows)s
    OR EXISTS (SELECT FROM market.investor_flow WHERE session = %(session)s)
    OR NOT EXISTS (
        SELECT FROM market.investor_flow WHERE session BETWEEN %(session)s::date - 30 AND %(session)s::date - 1
    ) AS has_flows,
    NOT EXISTS (
        SELECT FROM ops.batch
        WHERE status = 'loaded' AND dataset IN ('daily_bar', 'etp_daily_bar') AND first_session <= %(session)s
            AND NOT EXISTS (SELECT FROM ops.adjusted_batch AS done WHERE done.batch_id = batch.batch_id)
    ) AS has_actions,
    NOT EXISTS (
        SELECT FROM ops.batch
        WHERE status = 'loaded' AND dataset = ANY (%(indicated)s) AND first_session <= %(session)s
            AND NOT EXISTS (SELECT FROM ops.indicated_batch AS done WHERE done.batch_id = batch.batch_id)
    )
    AND NOT EXISTS (SELECT FROM ops.indicator_due WHERE since <= %(session)s)
    AND NOT EXISTS (SELECT FROM ops.unsignalled_symbol WHERE since <= %(session)s)
    AND (
        -- A few issues may lack indicators for reasons of their own.
        SELECT count(*) FILTER (WHERE looked_at.through >= %(session)s) >= 0.95 * count(*)
        FROM mart.daily_bar AS bar
        LEFT JOIN derived.signal_state AS looked_at USING (symbol)
        WHERE bar.session = %(session)s AND bar.open > 0
    ) AS has_signals,
    (
        SELECT count(*) FROM (
            SELECT FROM market.session AS later
            WHERE later.session > %(session)s
                AND later.session <= (SELECT max(session) FROM market.daily_bar)
                AND EXISTS (SELECT FROM market.daily_bar AS bar WHERE bar.session = later.session)
            ORDER BY later.session LIMIT %(enough)s
        ) AS loaded
    ) AS later_sessions
