-- As compute_adjustment_factors.sql, with cash paid out reinvested at the close before the ex-date, into
-- found_total_return_factor: 1 - dividend / close for a stock, base / close for a distribution of an ETF or ETN.
WITH scale_change AS (
    SELECT symbol, ex_date AS session, applied_ratio AS ratio
    FROM market.corporate_action AS action
    WHERE status = 'applied' AND (%(symbols)s::text[] IS NULL OR symbol = ANY (%(symbols)s))
        -- One to come, which an operator may have added, changes nothing yet.
        AND ex_date <= coalesce(
            (SELECT last_session FROM market.instrument AS issue WHERE issue.symbol = action.symbol), 'infinity')
), payout AS (
    SELECT symbol, ex_date AS session, base_ratio AS ratio
    FROM market.corporate_action
    WHERE status = 'noted' AND kind = 'distribution' AND (%(symbols)s::text[] IS NULL OR symbol = ANY (%(symbols)s))
    UNION ALL
    SELECT paid.symbol, paid.session, 1 - paid.amount / before.close
    FROM (
        SELECT
            symbol,
            session,
            -- A source that divides by later splits is multiplied back: the close is that of its day.
            amount_krw::double precision / CASE WHEN split_adjusted THEN (
                SELECT mart.product(applied_ratio ORDER BY ex_date DESC)
                FROM market.corporate_action AS later
                WHERE later.symbol = dividend.symbol AND later.ex_date > dividend.session AND later.status = 'applied'
                    AND later.kind IN ('split', 'reverse_split', 'bonus_issue')
            ) ELSE 1 END AS amount
        FROM market.dividend AS dividend
        WHERE %(symbols)s::text[] IS NULL OR symbol = ANY (%(symbols)s)
    ) AS paid
    -- An ex-date to come changes nothing yet.
    JOIN market.instrument AS issue ON issue.symbol = paid.symbol AND issue.last_session >= paid.session
    JOIN LATERAL (
        SELECT close FROM market.daily_bar AS bar
        WHERE bar.symbol = paid.symbol AND bar.session < paid.session AND bar.venue = 'KRX'
        ORDER BY bar.session DESC LIMIT 1
    ) AS before ON paid.amount < before.close
), change AS (
    SELECT symbol, session, mart.product(ratio ORDER BY ratio) AS ratio
    FROM (SELECT * FROM scale_change UNION ALL SELECT * FROM payout) AS either
    GROUP BY symbol, session
)
INSERT INTO found_total_return_factor (symbol, first_session, last_session, price_factor)
SELECT
    symbol,
    coalesce(lag(session) OVER (PARTITION BY symbol ORDER BY session), '1900-01-01'),
    session - 1,
    mart.product(ratio) OVER (PARTITION BY symbol ORDER BY session DESC)
FROM change
