-- Made of adjusted bars, so that a month with a corporate action in it is on one scale.
CREATE OR REPLACE VIEW mart.monthly_bar AS
SELECT
    symbol,
    date_trunc('month', session)::date AS month,
    min(session) AS first_session,
    max(session) AS last_session,
    count(*) AS sessions,
    (array_agg(open ORDER BY session) FILTER (WHERE open IS NOT NULL))[1] AS open,
    max(high) AS high,
    min(low) AS low,
    (array_agg(close ORDER BY session DESC))[1] AS close,
    sum(volume) AS volume,
    sum(value_krw) AS value_krw
FROM mart.adjusted_daily_bar
GROUP BY symbol, date_trunc('month', session);

COMMENT ON VIEW mart.monthly_bar IS 'Adjusted bars of calendar months';
COMMENT ON COLUMN mart.monthly_bar.symbol IS 'Exchange short code';
COMMENT ON COLUMN mart.monthly_bar.month IS 'First day of the month';
COMMENT ON COLUMN mart.monthly_bar.first_session IS 'First session of the month in the warehouse';
COMMENT ON COLUMN mart.monthly_bar.last_session IS 'Last session of the month in the warehouse';
COMMENT ON COLUMN mart.monthly_bar.sessions IS 'How many sessions, halted ones included';
COMMENT ON COLUMN mart.monthly_bar.open IS 'Adjusted first price; null where nothing was traded [KRW]';
COMMENT ON COLUMN mart.monthly_bar.high IS 'Adjusted highest price; null where nothing was traded [KRW]';
COMMENT ON COLUMN mart.monthly_bar.low IS 'Adjusted lowest price; null where nothing was traded [KRW]';
COMMENT ON COLUMN mart.monthly_bar.close IS 'Adjusted last price [KRW]';
COMMENT ON COLUMN mart.monthly_bar.volume IS 'Shares traded, in shares of today [shares]';
COMMENT ON COLUMN mart.monthly_bar.value_krw IS 'Turnover, never adjusted [KRW]';
