-- Raw prices times the product of the factors of all later events; a halted session has no open, high and low.
CREATE OR REPLACE VIEW mart.adjusted_daily_bar AS
SELECT
    bar.symbol,
    bar.session,
    nullif(bar.open, 0) * coalesce(factor.price_factor, 1) AS open,
    nullif(bar.high, 0) * coalesce(factor.price_factor, 1) AS high,
    nullif(bar.low, 0) * coalesce(factor.price_factor, 1) AS low,
    bar.close * coalesce(factor.price_factor, 1) AS close,
    bar.volume * coalesce(factor.volume_factor, 1) AS volume,
    bar.value_krw,
    bar.base_price * coalesce(factor.price_factor, 1) AS base_price,
    bar.change::double precision / bar.base_price AS change_rate,
    coalesce(factor.price_factor, 1) AS price_factor,
    bar.close AS raw_close,
    bar.market,
    bar.halted
FROM mart.daily_bar AS bar
LEFT JOIN market.adjustment_factor AS factor
    ON factor.symbol = bar.symbol
    AND bar.session BETWEEN factor.first_session AND factor.last_session;

COMMENT ON VIEW mart.adjusted_daily_bar IS 'Daily bars with corporate actions applied on read: close / previous close - 1 = change_rate on neighbouring sessions';
COMMENT ON COLUMN mart.adjusted_daily_bar.symbol IS 'Exchange short code';
COMMENT ON COLUMN mart.adjusted_daily_bar.session IS 'Trading day, Asia/Seoul';
COMMENT ON COLUMN mart.adjusted_daily_bar.open IS 'Adjusted first price; null on a halted session [KRW]';
COMMENT ON COLUMN mart.adjusted_daily_bar.high IS 'Adjusted highest price; null on a halted session [KRW]';
COMMENT ON COLUMN mart.adjusted_daily_bar.low IS 'Adjusted lowest price; null on a halted session [KRW]';
COMMENT ON COLUMN mart.adjusted_daily_bar.close IS 'Adjusted last price [KRW]';
COMMENT ON COLUMN mart.adjusted_daily_bar.volume IS 'Shares traded, in shares of today [shares]';
COMMENT ON COLUMN mart.adjusted_daily_bar.value_krw IS 'Turnover, never adjusted [KRW]';
COMMENT ON COLUMN mart.adjusted_daily_bar.base_price IS 'Adjusted base price [KRW]';
COMMENT ON COLUMN mart.adjusted_daily_bar.change_rate IS 'Published change / base price: the session''s return [ratio]';
COMMENT ON COLUMN mart.adjusted_daily_bar.price_factor IS 'What raw prices were multiplied by';
COMMENT ON COLUMN mart.adjusted_daily_bar.raw_close IS 'Close as published [KRW]';
COMMENT ON COLUMN mart.adjusted_daily_bar.market IS 'Market segment on the session';
COMMENT ON COLUMN mart.adjusted_daily_bar.halted IS 'No continuous trading, the close is carried';
