-- One row per session that may be an ex-date: its bar, the bar before it, and what happened around them.
SELECT
    bar.symbol,
    bar.session,
    bar.kind,
    coalesce(called.name, '') AS name,
    bar.open, bar.close, bar.base_price, bar.listed_shares, bar.market, bar.halted, bar.known_at,
    bar.prior_session, bar.prior_open, bar.prior_close, bar.prior_base_price, bar.prior_shares, bar.prior_market,
    bar.prior_halted, bar.prior_known_at,
    traded.listed_shares AS traded_shares,
    traded.session AS traded_on,
    CASE WHEN bar.halted THEN resumed.session ELSE bar.session END AS resumed_on,
    CASE WHEN bar.halted THEN resumed.known_at ELSE bar.known_at END AS resumed_known_at,
    extract(month FROM bar.session) = 12
        AND extract(year FROM following.next_session) > extract(year FROM bar.session) AS fiscal_year_end,
    listed.names AS new_listings,
    par_after.par_value / nullif(par_before.par_value, 0) AS par_ratio
FROM notable_bar AS bar
JOIN market.session AS calendar ON calendar.session = bar.session
JOIN market.session AS following ON following.session = calendar.next_session
-- Its name before, when a company that is split up or merged may take another.
LEFT JOIN LATERAL (
    SELECT name FROM market.instrument_observation AS seen
    WHERE seen.symbol = bar.symbol AND seen.observed @> bar.prior_session LIMIT 1
) AS called ON true
LEFT JOIN LATERAL (
    SELECT session, listed_shares FROM mart.daily_bar AS earlier
    WHERE bar.prior_halted AND earlier.symbol = bar.symbol AND earlier.session < bar.prior_session
        AND earlier.session > bar.session - 400 AND NOT earlier.halted
    ORDER BY earlier.session DESC LIMIT 1
) AS traded ON true
LEFT JOIN LATERAL (
    SELECT session, known_at FROM mart.daily_bar AS later
    WHERE bar.halted AND later.symbol = bar.symbol AND later.session > bar.session AND NOT later.halted
    ORDER BY later.session LIMIT 1
) AS resumed ON true
LEFT JOIN LATERAL (
    SELECT array_agg(seen.name ORDER BY issue.symbol) AS names
    FROM market.instrument AS issue
    JOIN market.instrument_observation AS seen ON seen.symbol = issue.symbol AND seen.observed @> issue.first_session
    WHERE bar.prior_halted AND NOT bar.halted AND issue.first_session = bar.session AND issue.symbol <> bar.symbol
        AND seen.name NOT LIKE '%스팩%'
        AND EXISTS (
            SELECT FROM market.daily_bar AS first_bar
            WHERE (first_bar.symbol, first_bar.session) = (issue.symbol, issue.first_session))
) AS listed ON true
LEFT JOIN LATERAL (
    SELECT par_value FROM market.listed_instrument AS master
    WHERE bar.prior_halted AND master.symbol = bar.symbol AND master.session < bar.session
        AND master.session > bar.session - 60 AND master.par_value IS NOT NULL
    ORDER BY master.session DESC LIMIT 1
) AS par_before ON true
LEFT JOIN LATERAL (
    SELECT par_value FROM market.listed_instrument AS master
    WHERE bar.prior_halted AND master.symbol = bar.symbol AND master.session = bar.session
) AS par_after ON true
WHERE bar.prior_session IS NOT NULL
ORDER BY bar.symbol COLLATE "C", bar.session
