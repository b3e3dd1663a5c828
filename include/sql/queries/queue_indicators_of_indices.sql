-- Issues measured against an index whose closes the batches %(batches)s wrote or removed, all of them between %(first)s
-- and %(last)s: due from the earliest such session on, where they have bars on its market from then on. What is said
-- twice of their sessions keeps partitions before them out of the plan.
WITH measured AS (
    SELECT * FROM unnest(%(markets)s::text[], %(names)s::text[], %(families)s::text[])
        AS measured (market, index_name, family)
), changed AS (
    SELECT index_name, family, min(session) AS since
    FROM (
        SELECT index_name, family, session FROM market.index_bar
        WHERE session BETWEEN %(first)s AND %(last)s AND batch_id = ANY (%(batches)s)
        UNION ALL
        SELECT index_name, family, session FROM market.index_bar_revision
        WHERE session BETWEEN %(first)s AND %(last)s AND superseded_by = ANY (%(batches)s)
    ) AS touched
    GROUP BY index_name, family
)
INSERT INTO ops.indicator_due AS due (symbol, since)
SELECT bar.symbol, min(changed.since)
FROM changed
JOIN measured ON (measured.index_name, measured.family) = (changed.index_name, changed.family)
JOIN mart.daily_bar AS bar ON bar.market = measured.market AND bar.session >= changed.since
WHERE bar.session >= %(first)s
GROUP BY bar.symbol
ON CONFLICT (symbol) DO UPDATE SET since = excluded.since WHERE excluded.since < due.since
