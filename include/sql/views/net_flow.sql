CREATE OR REPLACE VIEW mart.net_flow AS
SELECT
    flow.symbol,
    flow.session,
    sum(flow.net_krw) FILTER (WHERE flow.investor = 'individual') AS individual_net_krw,
    sum(flow.net_krw) FILTER (WHERE flow.investor IN ('foreign', 'other_foreign')) AS foreign_net_krw,
    sum(flow.net_krw) FILTER (WHERE flow.investor = 'institution') AS institution_net_krw,
    sum(flow.net_krw) FILTER (WHERE flow.investor = 'pension') AS pension_net_krw,
    sum(flow.net_shares) FILTER (WHERE flow.investor = 'individual') AS individual_net_shares,
    sum(flow.net_shares) FILTER (WHERE flow.investor IN ('foreign', 'other_foreign')) AS foreign_net_shares,
    sum(flow.net_shares) FILTER (WHERE flow.investor = 'institution') AS institution_net_shares
FROM market.investor_flow AS flow
GROUP BY flow.symbol, flow.session;

COMMENT ON VIEW mart.net_flow IS 'Net buying per stock and session by the classes most looked at; market.investor_flow has all';
COMMENT ON COLUMN mart.net_flow.symbol IS 'Exchange short code';
COMMENT ON COLUMN mart.net_flow.session IS 'Trading day, Asia/Seoul';
COMMENT ON COLUMN mart.net_flow.individual_net_krw IS 'Net buying of individuals [KRW]';
COMMENT ON COLUMN mart.net_flow.foreign_net_krw IS 'Net buying of foreigners, registered and other [KRW]';
COMMENT ON COLUMN mart.net_flow.institution_net_krw IS 'Net buying of institutions [KRW]';
COMMENT ON COLUMN mart.net_flow.pension_net_krw IS 'Net buying of pension funds, a part of institutions [KRW]';
COMMENT ON COLUMN mart.net_flow.individual_net_shares IS 'Net buying of individuals [shares]';
COMMENT ON COLUMN mart.net_flow.foreign_net_shares IS 'Net buying of foreigners, registered and other [shares]';
COMMENT ON COLUMN mart.net_flow.institution_net_shares IS 'Net buying of institutions [shares]';
