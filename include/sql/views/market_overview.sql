CREATE OR REPLACE VIEW mart.market_overview AS
SELECT
    session,
    market,
    count(*) AS issues,
    count(*) FILTER (WHERE change > 0) AS advances,
    count(*) FILTER (WHERE change < 0) AS declines,
    count(*) FILTER (WHERE fluctuation_code = 4) AS upper_limits,
    count(*) FILTER (WHERE fluctuation_code = 5) AS lower_limits,
    count(*) FILTER (WHERE halted) AS halted,
    sum(volume) AS volume,
    sum(value_krw) AS value_krw,
    sum(market_cap_krw) AS market_cap_krw
FROM market.daily_bar
GROUP BY session, market;

COMMENT ON VIEW mart.market_overview IS 'Breadth, turnover and size per session and market';
COMMENT ON COLUMN mart.market_overview.session IS 'Trading day, Asia/Seoul';
COMMENT ON COLUMN mart.market_overview.market IS 'Market segment';
COMMENT ON COLUMN mart.market_overview.issues IS 'Issues in the daily table';
COMMENT ON COLUMN mart.market_overview.advances IS 'Issues that closed above their base price';
COMMENT ON COLUMN mart.market_overview.declines IS 'Issues that closed below their base price';
COMMENT ON COLUMN mart.market_overview.upper_limits IS 'Issues that closed at the upper limit';
COMMENT ON COLUMN mart.market_overview.lower_limits IS 'Issues that closed at the lower limit';
COMMENT ON COLUMN mart.market_overview.halted IS 'Halted issues';
COMMENT ON COLUMN mart.market_overview.volume IS 'Shares traded [shares]';
COMMENT ON COLUMN mart.market_overview.value_krw IS 'Turnover [KRW]';
COMMENT ON COLUMN mart.market_overview.market_cap_krw IS 'Sum of market capitalisations [KRW]';
