-- The symbols held that left the market by a session: by the list of delistings, or by having no row on the last five
-- sessions that have bars of their kind. A session without any says nothing: its dataset was not loaded.
WITH held AS (
    SELECT *
    FROM unnest(%(symbols)s::text[], %(products)s::text[], %(opened)s::date[]) AS held (symbol, product, opened)
), loaded AS (
    SELECT kinds.product, recent.since
    FROM (SELECT DISTINCT product FROM held) AS kinds
    CROSS JOIN LATERAL (
        SELECT min(last_ones.session) AS since
        FROM (
            SELECT past.session
            FROM market.session AS past
            -- Session after session, and no further than the last ones.
            CROSS JOIN LATERAL (
                SELECT FROM mart.daily_bar AS bar
                WHERE bar.session = past.session AND bar.kind = kinds.product LIMIT 1
            ) AS there
            WHERE past.session <= %(session)s
            ORDER BY past.session DESC LIMIT %(absent)s
        ) AS last_ones
        HAVING count(*) = %(absent)s
    ) AS recent
)
SELECT held.symbol
FROM held
WHERE EXISTS (
    SELECT FROM market.delisting AS gone
    WHERE gone.symbol = held.symbol AND gone.session > held.opened AND gone.session <= %(session)s
) OR EXISTS (
    SELECT FROM loaded
    WHERE loaded.product = held.product AND NOT EXISTS (
        SELECT FROM mart.daily_bar AS bar
        WHERE bar.symbol = held.symbol AND bar.session BETWEEN loaded.since AND %(session)s
    )
)
