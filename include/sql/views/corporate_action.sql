CREATE OR REPLACE VIEW mart.corporate_action AS
SELECT
    action.symbol,
    issue.name,
    action.ex_date,
    action.kind,
    action.status,
    action.base_ratio,
    action.share_ratio,
    action.applied_ratio,
    action.applied_basis,
    action.confidence,
    action.evidence,
    action.decided_by,
    action.known_at,
    action.prior_session,
    action.prior_close,
    action.base_price
FROM market.corporate_action AS action
LEFT JOIN market.instrument AS issue USING (symbol);

COMMENT ON VIEW mart.corporate_action IS 'Corporate actions of stocks, ETFs and ETNs, with the ratio applied to earlier prices and why';
COMMENT ON COLUMN mart.corporate_action.symbol IS 'Exchange short code';
COMMENT ON COLUMN mart.corporate_action.name IS 'Latest name';
COMMENT ON COLUMN mart.corporate_action.ex_date IS 'First session on the new scale';
COMMENT ON COLUMN mart.corporate_action.kind IS 'split, reverse_split, bonus_issue, rights_issue, stock_dividend, capital_reduction, merger, spin_off, relisting, market_change, code_change, distribution or unexplained';
COMMENT ON COLUMN mart.corporate_action.status IS 'applied; noted: prices keep their scale; pending: missing bars would tell; dismissed by an operator';
COMMENT ON COLUMN mart.corporate_action.base_ratio IS 'Base price / previous close, as the exchange published them';
COMMENT ON COLUMN mart.corporate_action.share_ratio IS 'New shares per old one by the listed count; null while it has not moved';
COMMENT ON COLUMN mart.corporate_action.applied_ratio IS 'What earlier prices are multiplied by; 1 where nothing is applied';
COMMENT ON COLUMN mart.corporate_action.applied_basis IS 'Where applied_ratio comes from: base, shares, operator or none';
COMMENT ON COLUMN mart.corporate_action.confidence IS 'How sure the kind is, from 0 to 1';
COMMENT ON COLUMN mart.corporate_action.evidence IS 'What it was told by, in words';
COMMENT ON COLUMN mart.corporate_action.decided_by IS 'detection, or the operator who decided';
COMMENT ON COLUMN mart.corporate_action.known_at IS 'When all of this was known';
COMMENT ON COLUMN mart.corporate_action.prior_session IS 'The issue''s last session before it in the warehouse';
COMMENT ON COLUMN mart.corporate_action.prior_close IS 'Close of prior_session [KRW]';
COMMENT ON COLUMN mart.corporate_action.base_price IS 'Base price of ex_date [KRW]';

CREATE OR REPLACE VIEW mart.corporate_action_version AS
SELECT
    symbol, ex_date, kind, status, base_ratio, share_ratio, applied_ratio, applied_basis, confidence, evidence,
    decided_by, known_at, NULL::timestamptz AS superseded_at
FROM market.corporate_action
UNION ALL
SELECT
    symbol, ex_date, kind, status, base_ratio, share_ratio, applied_ratio, applied_basis, confidence, evidence,
    decided_by, known_at, superseded_at
FROM market.corporate_action_revision;

COMMENT ON VIEW mart.corporate_action_version IS 'All that was ever held of corporate actions: each row held from known_at until superseded_at';
COMMENT ON COLUMN mart.corporate_action_version.symbol IS 'Exchange short code';
COMMENT ON COLUMN mart.corporate_action_version.ex_date IS 'First session on the new scale';
COMMENT ON COLUMN mart.corporate_action_version.kind IS 'Kind, as in mart.corporate_action';
COMMENT ON COLUMN mart.corporate_action_version.status IS 'Status, as in mart.corporate_action';
COMMENT ON COLUMN mart.corporate_action_version.base_ratio IS 'Base price / previous close';
COMMENT ON COLUMN mart.corporate_action_version.share_ratio IS 'New shares per old one; null while the count had not moved';
COMMENT ON COLUMN mart.corporate_action_version.applied_ratio IS 'What earlier prices were multiplied by';
COMMENT ON COLUMN mart.corporate_action_version.applied_basis IS 'Where applied_ratio came from';
COMMENT ON COLUMN mart.corporate_action_version.confidence IS 'How sure the kind was, from 0 to 1';
COMMENT ON COLUMN mart.corporate_action_version.evidence IS 'What it was told by, in words';
COMMENT ON COLUMN mart.corporate_action_version.decided_by IS 'detection, or the operator who decided';
COMMENT ON COLUMN mart.corporate_action_version.known_at IS 'From when it was held';
COMMENT ON COLUMN mart.corporate_action_version.superseded_at IS 'Until when it was held; null while it is';

CREATE OR REPLACE VIEW mart.base_rounding AS
SELECT rounding.symbol, issue.name, rounding.session, rounding.prior_session, rounding.prior_close, rounding.base_price
FROM market.base_rounding AS rounding
LEFT JOIN market.instrument AS issue USING (symbol);

COMMENT ON VIEW mart.base_rounding IS 'Base prices that are the previous close rounded up to a tick: no corporate action, and nothing is adjusted';
COMMENT ON COLUMN mart.base_rounding.symbol IS 'Exchange short code';
COMMENT ON COLUMN mart.base_rounding.name IS 'Latest name';
COMMENT ON COLUMN mart.base_rounding.session IS 'Session of the rounded base price';
COMMENT ON COLUMN mart.base_rounding.prior_session IS 'The issue''s session before it';
COMMENT ON COLUMN mart.base_rounding.prior_close IS 'Its close, off the grid of prices [KRW]';
COMMENT ON COLUMN mart.base_rounding.base_price IS 'That close rounded up to a tick [KRW]';
