-- Raw prices times the factors of all later actions and payouts; a halted session has no open, high and low.
CREATE OR REPLACE VIEW mart.total_return_daily_bar AS
SELECT
    bar.symbol,
    bar.session,
    nullif(bar.open, 0) * coalesce(factor.price_factor, 1) AS open,
    nullif(bar.high, 0) * coalesce(factor.price_factor, 1) AS high,
    nullif(bar.low, 0) * coalesce(factor.price_factor, 1) AS low,
    bar.close * coalesce(factor.price_factor, 1) AS close,
    bar.value_krw,
    coalesce(factor.price_factor, 1) AS price_factor,
    bar.close AS raw_close,
    bar.market,
    bar.halted
FROM mart.daily_bar AS bar
LEFT JOIN market.total_return_factor AS factor
    ON factor.symbol = bar.symbol
    AND bar.session BETWEEN factor.first_session AND factor.last_session;

COMMENT ON VIEW mart.total_return_daily_bar IS 'Daily bars with corporate actions applied and cash dividends and distributions reinvested at the close before the ex-date';
COMMENT ON COLUMN mart.total_return_daily_bar.symbol IS 'Exchange short code';
COMMENT ON COLUMN mart.total_return_daily_bar.session IS 'Trading day, Asia/Seoul';
COMMENT ON COLUMN mart.total_return_daily_bar.open IS 'First price on the scale of total return; null on a halted session [KRW]';
COMMENT ON COLUMN mart.total_return_daily_bar.high IS 'Highest price on that scale; null on a halted session [KRW]';
COMMENT ON COLUMN mart.total_return_daily_bar.low IS 'Lowest price on that scale; null on a halted session [KRW]';
COMMENT ON COLUMN mart.total_return_daily_bar.close IS 'Last price on that scale [KRW]';
COMMENT ON COLUMN mart.total_return_daily_bar.value_krw IS 'Turnover, never adjusted [KRW]';
COMMENT ON COLUMN mart.total_return_daily_bar.price_factor IS 'What raw prices were multiplied by';
COMMENT ON COLUMN mart.total_return_daily_bar.raw_close IS 'Close as published [KRW]';
COMMENT ON COLUMN mart.total_return_daily_bar.market IS 'Market segment on the session';
COMMENT ON COLUMN mart.total_return_daily_bar.halted IS 'No continuous trading, the close is carried';
