-- Factors of the intervals before each applied action, into found_adjustment_factor. After an issue's last action it is 1.
INSERT INTO found_adjustment_factor (symbol, first_session, last_session, price_factor, volume_factor)
SELECT symbol, first_session, last_session, price_factor, 1 / price_factor
FROM (
    SELECT
        symbol,
        coalesce(lag(ex_date) OVER (PARTITION BY symbol ORDER BY ex_date), '1900-01-01') AS first_session,
        ex_date - 1 AS last_session,
        mart.product(applied_ratio) OVER (PARTITION BY symbol ORDER BY ex_date DESC) AS price_factor
    FROM market.corporate_action AS action
    WHERE status = 'applied' AND (%(symbols)s::text[] IS NULL OR symbol = ANY (%(symbols)s))
        -- One to come, which an operator may have added, changes nothing yet.
        AND ex_date <= coalesce(
            (SELECT last_session FROM market.instrument AS issue WHERE issue.symbol = action.symbol), 'infinity')
) AS interval_before
