-- Base prices that differ from the previous close, of the symbols asked for, into the temporary table found_event.
-- Two neighbouring sessions make an event. Across a session without the symbol's row the base price may differ from
-- the last close merely because the market moved: such a reset is pending until the gap is filled.
CREATE TEMPORARY TABLE found_event ON COMMIT DROP AS
SELECT
    bar.symbol,
    bar.session,
    bar.prior_session,
    bar.prior_close,
    bar.base_price,
    bar.base_price::double precision / bar.prior_close AS price_factor,
    CASE WHEN calendar.next_session = bar.session THEN 'applied' ELSE 'pending' END AS status
FROM (
    SELECT
        symbol,
        session,
        base_price,
        lag(session) OVER neighbours AS prior_session,
        lag(close) OVER neighbours AS prior_close
    FROM market.daily_bar
    WHERE venue = 'KRX' AND (%(symbols)s::text[] IS NULL OR symbol = ANY (%(symbols)s))
    WINDOW neighbours AS (PARTITION BY symbol ORDER BY session)
) AS bar
JOIN market.session AS calendar ON calendar.session = bar.prior_session
WHERE bar.base_price <> bar.prior_close
