-- A fund's portfolio against its previous one in the warehouse; a position is known by its code, or else its name.
CREATE OR REPLACE VIEW mart.etf_holding_change AS
SELECT
    portfolio.fund,
    portfolio.session,
    earlier.session AS earlier_session,
    changed.component,
    changed.name,
    changed.change,
    changed.earlier_shares,
    changed.shares,
    changed.earlier_weight_pct,
    changed.weight_pct,
    coalesce(changed.weight_pct, 0) - coalesce(changed.earlier_weight_pct, 0) AS weight_change_pct
FROM (SELECT DISTINCT fund, session, complete FROM market.etf_holding) AS portfolio
CROSS JOIN LATERAL (
    SELECT before.session FROM market.etf_holding AS before
    WHERE before.fund = portfolio.fund AND before.session < portfolio.session AND before.complete = portfolio.complete
    ORDER BY before.session DESC LIMIT 1
) AS earlier
CROSS JOIN LATERAL (
    SELECT
        coalesce(max(component) FILTER (WHERE is_later), max(component)) AS component,
        coalesce(max(name) FILTER (WHERE is_later), max(name)) AS name,
        CASE WHEN bool_and(is_later) THEN 'added' WHEN NOT bool_or(is_later) THEN 'removed' ELSE 'reweighted' END
            AS change,
        sum(shares) FILTER (WHERE NOT is_later) AS earlier_shares,
        sum(shares) FILTER (WHERE is_later) AS shares,
        sum(weight_pct) FILTER (WHERE NOT is_later) AS earlier_weight_pct,
        sum(weight_pct) FILTER (WHERE is_later) AS weight_pct
    FROM (
        SELECT component, name, shares, weight_pct, position.session = portfolio.session AS is_later
        FROM market.etf_holding AS position
        WHERE position.fund = portfolio.fund AND position.session IN (portfolio.session, earlier.session)
    ) AS position
    GROUP BY coalesce(nullif(component, ''), name)
) AS changed
WHERE changed.change <> 'reweighted'
    OR (changed.earlier_shares, changed.earlier_weight_pct) IS DISTINCT FROM (changed.shares, changed.weight_pct);

COMMENT ON VIEW mart.etf_holding_change IS 'What changed in each ETF''s portfolio since the one before: positions added, removed and reweighted';
COMMENT ON COLUMN mart.etf_holding_change.fund IS 'Symbol of the ETF';
COMMENT ON COLUMN mart.etf_holding_change.session IS 'Day of the later portfolio';
COMMENT ON COLUMN mart.etf_holding_change.earlier_session IS 'Day of the earlier portfolio';
COMMENT ON COLUMN mart.etf_holding_change.component IS 'Code of the component; empty where none is published';
COMMENT ON COLUMN mart.etf_holding_change.name IS 'Name of the component';
COMMENT ON COLUMN mart.etf_holding_change.change IS 'added, removed, or reweighted: other shares or another weight';
COMMENT ON COLUMN mart.etf_holding_change.earlier_shares IS 'Shares in one creation unit before [shares]';
COMMENT ON COLUMN mart.etf_holding_change.shares IS 'Shares in one creation unit now [shares]';
COMMENT ON COLUMN mart.etf_holding_change.earlier_weight_pct IS 'Weight before [percent]';
COMMENT ON COLUMN mart.etf_holding_change.weight_pct IS 'Weight now [percent]';
COMMENT ON COLUMN mart.etf_holding_change.weight_change_pct IS 'Change of the weight; an unpublished weight counts as 0 [percentage points]';
