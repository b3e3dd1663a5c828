-- What the indicators of a session lack: issues yet to be computed (queued, or their factors changed since), and
-- loaded batches that the corporate actions or the indicators do not have yet.
SELECT
    (
        SELECT count(*) FROM (
            SELECT symbol FROM ops.indicator_due WHERE since <= %(session)s
            UNION
            SELECT state.symbol
            FROM derived.indicator_state AS state
            LEFT JOIN mart.factor_digest AS factors ON factors.symbol = state.symbol
            WHERE state.factor_digest <> coalesce(factors.digest, '')
        ) AS issue
    ) AS issues,
    (
        SELECT array_agg(DISTINCT dataset ORDER BY dataset)
        FROM ops.batch
        WHERE status = 'loaded' AND first_session <= %(session)s
            AND (
                dataset = ANY (%(indicated)s)
                AND NOT EXISTS (SELECT FROM ops.indicated_batch AS done WHERE done.batch_id = batch.batch_id)
                OR dataset = ANY (%(adjusted)s)
                AND NOT EXISTS (SELECT FROM ops.adjusted_batch AS done WHERE done.batch_id = batch.batch_id)
            )
    ) AS datasets
