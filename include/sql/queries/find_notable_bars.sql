-- Bars that may be ex-dates, each beside the issue's bar before it, into the temporary table notable_bar; changes of
-- the listed share count into share_step. Looks at the issues asked for, all where none are named.
CREATE TEMPORARY TABLE neighbour ON COMMIT DROP AS
WITH decided AS (
    SELECT symbol, ex_date FROM market.corporate_action_decision
), corrected AS MATERIALIZED (
    SELECT held.symbol, held.session
    FROM mart.daily_bar_version AS held
    -- One look at the index for each: corrections are few beside the bars.
    LEFT JOIN LATERAL (
        SELECT * FROM mart.daily_bar AS bar WHERE (bar.symbol, bar.session) = (held.symbol, held.session) LIMIT 1
    ) AS bar ON true
    WHERE held.superseded_at IS NOT NULL AND (%(symbols)s::text[] IS NULL OR held.symbol = ANY (%(symbols)s))
        AND (held.open, held.close, held.base_price, held.listed_shares, held.market, held.halted)
            IS DISTINCT FROM (bar.open, bar.close, bar.base_price, bar.listed_shares, bar.market, bar.halted)
)
SELECT
    bar.*,
    bar.base_price <> bar.prior_close
    OR (symbol, session) IN (SELECT symbol, ex_date FROM decided) AS is_notable,
    (symbol, session) IN (SELECT symbol, session FROM corrected)
    OR (symbol, prior_session) IN (SELECT symbol, session FROM corrected) AS is_corrected,
    kind = 'STOCK' AND abs(listed_shares - prior_shares) > 0.02 * prior_shares AS is_step,
    -- Wider than any limit of its time, see include.market.limits.
    kind = 'STOCK' AND abs(close - base_price) > base_price * CASE
        WHEN session >= '2015-06-15' AND market <> 'KONEX' THEN 0.3 ELSE 0.15 END AS is_far
FROM (
    SELECT
        kind, symbol, session, open, close, base_price, listed_shares, market, halted, known_at,
        lag(session) OVER issue AS prior_session,
        lag(open) OVER issue AS prior_open,
        lag(close) OVER issue AS prior_close,
        lag(base_price) OVER issue AS prior_base_price,
        lag(listed_shares) OVER issue AS prior_shares,
        lag(market) OVER issue AS prior_market,
        lag(halted) OVER issue AS prior_halted,
        lag(known_at) OVER issue AS prior_known_at
    FROM mart.daily_bar
    WHERE %(symbols)s::text[] IS NULL OR symbol = ANY (%(symbols)s)
    WINDOW issue AS (PARTITION BY kind, symbol ORDER BY session)
) AS bar
WHERE bar.base_price <> bar.prior_close
    OR abs(listed_shares - prior_shares) > 0.02 * prior_shares
    OR abs(close - base_price) > 0.15 * base_price
    OR (symbol, session) IN (SELECT symbol, ex_date FROM decided)
    OR (symbol, session) IN (SELECT symbol, session FROM corrected)
    OR (symbol, prior_session) IN (SELECT symbol, session FROM corrected);

ANALYZE neighbour;

-- Where one of the two bars was corrected, each of their values makes a step for as long as both held. OFFSET 0 keeps
-- the planner from joining all bars to these few.
CREATE TEMPORARY TABLE share_step ON COMMIT DROP AS
SELECT
    symbol, session, listed_shares::double precision / prior_shares AS ratio,
    greatest(known_at, prior_known_at) AS known_at, NULL::timestamptz AS superseded_at
FROM neighbour
WHERE is_step AND NOT is_corrected
UNION ALL
SELECT
    bar.symbol, bar.session, bar.listed_shares::double precision / prior.listed_shares,
    greatest(bar.known_at, prior.known_at), least(bar.superseded_at, prior.superseded_at)
FROM neighbour
CROSS JOIN LATERAL (
    SELECT * FROM mart.daily_bar_version AS held
    WHERE (held.symbol, held.session) = (neighbour.symbol, neighbour.session) OFFSET 0
) AS bar
CROSS JOIN LATERAL (
    SELECT * FROM mart.daily_bar_version AS held
    WHERE (held.symbol, held.session) = (neighbour.symbol, neighbour.prior_session) OFFSET 0
) AS prior
WHERE neighbour.is_corrected AND neighbour.kind = 'STOCK'
    AND abs(bar.listed_shares - prior.listed_shares) > 0.02 * prior.listed_shares
    AND bar.known_at < coalesce(prior.superseded_at, 'infinity')
    AND prior.known_at < coalesce(bar.superseded_at, 'infinity');

-- A price that moves far from a base that was not reset tells of an action only where shares were exchanged.
CREATE TEMPORARY TABLE notable_bar ON COMMIT DROP AS
SELECT *
FROM neighbour
WHERE is_notable OR is_corrected OR (is_far AND EXISTS (
    SELECT FROM share_step AS step
    WHERE step.symbol = neighbour.symbol AND step.session BETWEEN neighbour.session - 400 AND neighbour.session
        AND (step.ratio > 1.4 OR step.ratio < 0.7)))
