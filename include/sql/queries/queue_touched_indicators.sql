-- Issues whose rows in a table were written or removed by the batches %(batches)s, all of them between %(first)s and
-- %(last)s: due from the earliest such session on.
INSERT INTO ops.indicator_due AS due (symbol, since)
SELECT symbol, min(session)
FROM (
    SELECT symbol, session FROM {table}
    WHERE session BETWEEN %(first)s AND %(last)s AND batch_id = ANY (%(batches)s)
    UNION ALL
    SELECT symbol, session FROM {revisions}
    WHERE session BETWEEN %(first)s AND %(last)s AND superseded_by = ANY (%(batches)s)
) AS touched
GROUP BY symbol
ON CONFLICT (symbol) DO UPDATE SET since = excluded.since WHERE excluded.since < due.since
