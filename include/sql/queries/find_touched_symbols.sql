-- Issues whose actions or factors may have changed through what was loaded from %(first)s to %(last)s by the batches
-- %(batches)s, and through operators' decisions not looked at yet.
WITH neighbour AS (
    SELECT
        kind, symbol, session, close, base_price, listed_shares,
        lag(session) OVER issue AS prior_session,
        lag(close) OVER issue AS prior_close,
        lag(listed_shares) OVER issue AS prior_shares
    FROM mart.daily_bar
    WHERE session BETWEEN %(first)s::date - 45 AND %(last)s::date + 45
    WINDOW issue AS (PARTITION BY kind, symbol ORDER BY session)
), touched AS (
    SELECT symbol
    FROM neighbour
    WHERE session >= %(first)s AND (
        base_price <> prior_close
        OR (kind = 'STOCK' AND abs(listed_shares - prior_shares) > 0.02 * prior_shares)
        OR (kind = 'STOCK' AND abs(close - base_price) > 0.15 * base_price)
        OR prior_session IS NULL)
    UNION
    SELECT symbol FROM market.corporate_action WHERE ex_date BETWEEN %(first)s::date - 150 AND %(last)s::date + 400
    UNION
    SELECT held.symbol
    FROM market.daily_bar_revision AS held LEFT JOIN LATERAL (
        SELECT * FROM market.daily_bar AS bar WHERE (bar.symbol, bar.session) = (held.symbol, held.session) LIMIT 1
    ) AS bar ON true
    WHERE held.superseded_by = ANY (%(batches)s)
        AND (held.open, held.close, held.base_price, held.listed_shares, held.market, held.halted)
            IS DISTINCT FROM (bar.open, bar.close, bar.base_price, bar.listed_shares, bar.market, bar.halted)
    UNION
    SELECT held.symbol
    FROM market.etp_daily_bar_revision AS held LEFT JOIN LATERAL (
        SELECT * FROM market.etp_daily_bar AS bar WHERE (bar.symbol, bar.session) = (held.symbol, held.session) LIMIT 1
    ) AS bar ON true
    WHERE held.superseded_by = ANY (%(batches)s)
        AND (held.open, held.close, held.base_price, held.listed_shares, held.market, held.halted)
            IS DISTINCT FROM (bar.open, bar.close, bar.base_price, bar.listed_shares, bar.market, bar.halted)
    UNION
    SELECT symbol FROM market.dividend WHERE batch_id = ANY (%(batches)s)
    UNION
    SELECT symbol FROM market.dividend WHERE session BETWEEN %(first)s::date - 45 AND %(last)s::date + 45
    UNION
    SELECT symbol FROM market.dividend_revision WHERE superseded_by = ANY (%(batches)s)
    UNION
    SELECT symbol FROM market.corporate_action_decision
    WHERE decision_id NOT IN (SELECT decision_id FROM ops.adjusted_decision)
)
-- A preferred share is told by its common share, so a company's issues are looked at together.
SELECT DISTINCT issue.symbol
FROM (SELECT symbol FROM market.instrument UNION SELECT symbol FROM touched) AS issue
WHERE left(issue.symbol, 5) IN (SELECT left(symbol, 5) FROM touched)
ORDER BY 1
