-- Issues whose rows in a table were written or removed by the batches %(batches)s, asked for the days from %(first)s to
-- %(last)s: due from the earliest such session on. An answer may reach beyond the days asked for.
INSERT INTO ops.indicator_due AS due (symbol, since)
SELECT symbol, min(session)
FROM (
    SELECT symbol, session FROM {table}
    WHERE session BETWEEN %(first)s::date - 45 AND %(last)s::date + 45 AND batch_id = ANY (%(batches)s)
    UNION ALL
    SELECT symbol, session FROM {revisions}
    WHERE session BETWEEN %(first)s::date - 45 AND %(last)s::date + 45 AND superseded_by = ANY (%(batches)s)
) AS touched
GROUP BY symbol
ON CONFLICT (symbol) DO UPDATE SET since = excluded.since WHERE excluded.since < due.since
