-- All that a screen may look at, one row per issue and session. Asked for a session, for an issue, or for both: that
-- equality reaches into every part, the sums of flows too, which a range of sessions does not. The parts are joined
-- table by table because a row of mart.daily_bar or mart.net_flow cannot be looked up from within a join. Prices are
-- those of mart.adjusted_daily_bar; a test holds them together.
CREATE OR REPLACE VIEW mart.screenable AS
SELECT
    indicator.symbol,
    indicator.session,
    indicator.traded,
    coalesce(stock.market, product.market) AS market,
    -- Masters are not loaded for every session; what an issue is does not change.
    coalesce(
        (SELECT master.kind FROM market.listed_instrument AS master
         WHERE master.symbol = indicator.symbol ORDER BY master.session DESC LIMIT 1),
        lower(product.kind),
        'stock'
    ) AS kind,
    issue.name,
    nullif(coalesce(stock.open, product.open), 0) * coalesce(factor.price_factor, 1) AS open,
    nullif(coalesce(stock.high, product.high), 0) * coalesce(factor.price_factor, 1) AS high,
    nullif(coalesce(stock.low, product.low), 0) * coalesce(factor.price_factor, 1) AS low,
    nullif(coalesce(stock.close, product.close), 0) * coalesce(factor.price_factor, 1) AS close,
    nullif(coalesce(stock.base_price, product.base_price), 0) * coalesce(factor.price_factor, 1) AS base_price,
    coalesce(stock.volume, product.volume) * coalesce(factor.volume_factor, 1) AS volume,
    coalesce(stock.close, product.close) AS raw_close,
    coalesce(stock.value_krw, product.value_krw) AS value_krw,
    coalesce(stock.change, product.change)::double precision / coalesce(stock.base_price, product.base_price)
        AS change_rate,
    coalesce(stock.market_cap_krw, product.market_cap_krw) AS market_cap_krw,
    coalesce(stock.listed_shares, product.listed_shares) AS listed_shares,
    indicator.sma_5, indicator.sma_20, indicator.sma_50, indicator.sma_60, indicator.sma_120, indicator.sma_200,
    indicator.ema_12, indicator.ema_26, indicator.macd, indicator.macd_signal, indicator.macd_histogram,
    indicator.ichimoku_tenkan, indicator.ichimoku_kijun, indicator.ichimoku_senkou_a, indicator.ichimoku_senkou_b,
    indicator.ichimoku_chikou, indicator.adx_14, indicator.plus_di_14, indicator.minus_di_14, indicator.rsi_14,
    indicator.stochastic_k, indicator.stochastic_d, indicator.williams_r_14, indicator.cci_20, indicator.roc_10,
    indicator.bollinger_upper, indicator.bollinger_middle, indicator.bollinger_lower, indicator.bollinger_width,
    indicator.bollinger_percent_b, indicator.atr_14, indicator.realised_volatility_20, indicator.high_52_weeks,
    indicator.low_52_weeks, indicator.mfi_14, indicator.obv, indicator.volume_ratio_20, indicator.beta_60,
    indicator.relative_strength_60, indicator.foreign_net_krw_5, indicator.foreign_net_krw_20,
    indicator.institution_net_krw_5, indicator.institution_net_krw_20, indicator.foreign_pct_change_20,
    fundamental.eps_krw, fundamental.per, fundamental.bps_krw, fundamental.pbr, fundamental.dps_krw,
    fundamental.dividend_yield_pct,
    holding.foreign_shares, holding.foreign_pct, holding.limit_shares, holding.limit_used_pct,
    flow.individual_net_krw, flow.individual_net_shares, flow.foreign_net_krw, flow.foreign_net_shares,
    flow.institution_net_krw, flow.institution_net_shares, flow.pension_net_krw
FROM derived.indicator AS indicator
LEFT JOIN market.daily_bar AS stock
    ON stock.symbol = indicator.symbol AND stock.session = indicator.session AND stock.venue = 'KRX'
LEFT JOIN market.etp_daily_bar AS product
    ON product.symbol = indicator.symbol AND product.session = indicator.session
LEFT JOIN market.adjustment_factor AS factor
    ON factor.symbol = indicator.symbol AND indicator.session BETWEEN factor.first_session AND factor.last_session
LEFT JOIN market.instrument AS issue ON issue.symbol = indicator.symbol
LEFT JOIN market.fundamental AS fundamental
    ON fundamental.symbol = indicator.symbol AND fundamental.session = indicator.session
LEFT JOIN market.foreign_holding AS holding
    ON holding.symbol = indicator.symbol AND holding.session = indicator.session
LEFT JOIN (
    SELECT
        net.symbol, net.session,
        sum(net.net_krw) FILTER (WHERE net.investor = 'individual') AS individual_net_krw,
        sum(net.net_shares) FILTER (WHERE net.investor = 'individual') AS individual_net_shares,
        sum(net.net_krw) FILTER (WHERE net.investor IN ('foreign', 'other_foreign')) AS foreign_net_krw,
        sum(net.net_shares) FILTER (WHERE net.investor IN ('foreign', 'other_foreign')) AS foreign_net_shares,
        sum(net.net_krw) FILTER (WHERE net.investor = 'institution') AS institution_net_krw,
        sum(net.net_shares) FILTER (WHERE net.investor = 'institution') AS institution_net_shares,
        sum(net.net_krw) FILTER (WHERE net.investor = 'pension') AS pension_net_krw
    FROM market.investor_flow AS net
    GROUP BY net.symbol, net.session
) AS flow ON flow.symbol = indicator.symbol AND flow.session = indicator.session;

COMMENT ON VIEW mart.screenable IS 'All that a screen may look at: bars, indicators, fundamentals, foreign holdings and net buying, per issue and session';
COMMENT ON COLUMN mart.screenable.symbol IS 'Exchange short code';
COMMENT ON COLUMN mart.screenable.session IS 'Trading day, Asia/Seoul';
COMMENT ON COLUMN mart.screenable.traded IS 'Whether the issue traded: a screen considers no other';
COMMENT ON COLUMN mart.screenable.market IS 'Market segment on the session';
COMMENT ON COLUMN mart.screenable.kind IS 'Kind of issue as the latest master tells; stock where no master tells';
COMMENT ON COLUMN mart.screenable.name IS 'Latest name';
COMMENT ON COLUMN mart.screenable.open IS 'Adjusted first price [KRW per share, adjusted]';
COMMENT ON COLUMN mart.screenable.high IS 'Adjusted highest price [KRW per share, adjusted]';
COMMENT ON COLUMN mart.screenable.low IS 'Adjusted lowest price [KRW per share, adjusted]';
COMMENT ON COLUMN mart.screenable.close IS 'Adjusted last price [KRW per share, adjusted]';
COMMENT ON COLUMN mart.screenable.base_price IS 'Adjusted base price of the session [KRW per share, adjusted]';
COMMENT ON COLUMN mart.screenable.volume IS 'Shares traded, in shares of today [shares, adjusted]';
COMMENT ON COLUMN mart.screenable.raw_close IS 'Close as published [KRW per share]';
COMMENT ON COLUMN mart.screenable.value_krw IS 'Turnover [KRW]';
COMMENT ON COLUMN mart.screenable.change_rate IS 'Published change over the base price: the session''s return [ratio]';
COMMENT ON COLUMN mart.screenable.market_cap_krw IS 'Close times listed shares [KRW]';
COMMENT ON COLUMN mart.screenable.listed_shares IS 'Shares listed on the session [shares]';
COMMENT ON COLUMN mart.screenable.sma_5 IS 'Mean close of the last 5 sessions [KRW per share, adjusted]';
COMMENT ON COLUMN mart.screenable.sma_20 IS 'Mean close of the last 20 sessions [KRW per share, adjusted]';
COMMENT ON COLUMN mart.screenable.sma_50 IS 'Mean close of the last 50 sessions [KRW per share, adjusted]';
COMMENT ON COLUMN mart.screenable.sma_60 IS 'Mean close of the last 60 sessions [KRW per share, adjusted]';
COMMENT ON COLUMN mart.screenable.sma_120 IS 'Mean close of the last 120 sessions [KRW per share, adjusted]';
COMMENT ON COLUMN mart.screenable.sma_200 IS 'Mean close of the last 200 sessions [KRW per share, adjusted]';
COMMENT ON COLUMN mart.screenable.ema_12 IS 'Exponential average of the close, weight 2/13, begun with the mean of the first 12 [KRW per share, adjusted]';
COMMENT ON COLUMN mart.screenable.ema_26 IS 'Exponential average of the close, weight 2/27, begun with the mean of the first 26 [KRW per share, adjusted]';
COMMENT ON COLUMN mart.screenable.macd IS 'Fast less slow exponential average of the close [KRW per share, adjusted]';
COMMENT ON COLUMN mart.screenable.macd_signal IS 'Exponential average of macd over 9 sessions [KRW per share, adjusted]';
COMMENT ON COLUMN mart.screenable.macd_histogram IS 'macd less macd_signal [KRW per share, adjusted]';
COMMENT ON COLUMN mart.screenable.ichimoku_tenkan IS 'Middle of the highest high and lowest low of 9 sessions [KRW per share, adjusted]';
COMMENT ON COLUMN mart.screenable.ichimoku_kijun IS 'Middle of the highest high and lowest low of 26 sessions [KRW per share, adjusted]';
COMMENT ON COLUMN mart.screenable.ichimoku_senkou_a IS 'Middle of tenkan and kijun as of 26 sessions before [KRW per share, adjusted]';
COMMENT ON COLUMN mart.screenable.ichimoku_senkou_b IS 'Middle of 52 sessions'' extremes as of 26 sessions before [KRW per share, adjusted]';
COMMENT ON COLUMN mart.screenable.ichimoku_chikou IS 'The session''s own close, which a chart draws 26 sessions back: compare it to what was there [KRW per share, adjusted]';
COMMENT ON COLUMN mart.screenable.adx_14 IS 'Strength of the trend, whatever its direction [percent]';
COMMENT ON COLUMN mart.screenable.plus_di_14 IS 'Upward movement over true range, both smoothed [percent]';
COMMENT ON COLUMN mart.screenable.minus_di_14 IS 'Downward movement over true range, both smoothed [percent]';
COMMENT ON COLUMN mart.screenable.rsi_14 IS 'Average gain over average gain and loss, Wilder''s smoothing [percent]';
COMMENT ON COLUMN mart.screenable.stochastic_k IS 'Where the close is in 14 sessions'' range, mean of 3 [percent]';
COMMENT ON COLUMN mart.screenable.stochastic_d IS 'Mean of stochastic_k over 3 sessions [percent]';
COMMENT ON COLUMN mart.screenable.williams_r_14 IS 'The close below the highest high, -100 at the lowest low [percent]';
COMMENT ON COLUMN mart.screenable.cci_20 IS 'Typical price less its mean, over 0.015 mean deviations [ratio]';
COMMENT ON COLUMN mart.screenable.roc_10 IS 'The close over that of 10 sessions before, less one: two weeks'' change [percent]';
COMMENT ON COLUMN mart.screenable.bollinger_upper IS 'Mean close of 20 sessions and two standard deviations [KRW per share, adjusted]';
COMMENT ON COLUMN mart.screenable.bollinger_middle IS 'Mean close of 20 sessions [KRW per share, adjusted]';
COMMENT ON COLUMN mart.screenable.bollinger_lower IS 'Mean close of 20 sessions less two standard deviations [KRW per share, adjusted]';
COMMENT ON COLUMN mart.screenable.bollinger_width IS 'Upper less lower band, over the middle [ratio]';
COMMENT ON COLUMN mart.screenable.bollinger_percent_b IS 'Where the close is between the lower (0) and upper (1) band [ratio]';
COMMENT ON COLUMN mart.screenable.atr_14 IS 'True range, Wilder''s smoothing [KRW per share, adjusted]';
COMMENT ON COLUMN mart.screenable.realised_volatility_20 IS 'Sample standard deviation of 20 log returns times the root of 250: annual [ratio per year]';
COMMENT ON COLUMN mart.screenable.high_52_weeks IS 'Highest high of the last 250 sessions, the session''s own included [KRW per share, adjusted]';
COMMENT ON COLUMN mart.screenable.low_52_weeks IS 'Lowest low of the last 250 sessions, the session''s own included [KRW per share, adjusted]';
COMMENT ON COLUMN mart.screenable.mfi_14 IS 'Share of money flow that came on a rising typical price [percent]';
COMMENT ON COLUMN mart.screenable.obv IS 'Volume added on a rising and taken off on a falling close, since the first [shares, adjusted]';
COMMENT ON COLUMN mart.screenable.volume_ratio_20 IS 'Volume over the mean volume of the 20 sessions before [ratio]';
COMMENT ON COLUMN mart.screenable.beta_60 IS 'Slope of 60 returns on the index''s between the same sessions [ratio]';
COMMENT ON COLUMN mart.screenable.relative_strength_60 IS 'Growth of the close over growth of the index in 60 sessions - 1 [ratio]';
COMMENT ON COLUMN mart.screenable.foreign_net_krw_5 IS 'Bought less sold by foreigners over the last 5 sessions [KRW]';
COMMENT ON COLUMN mart.screenable.foreign_net_krw_20 IS 'Bought less sold by foreigners over the last 20 sessions [KRW]';
COMMENT ON COLUMN mart.screenable.institution_net_krw_5 IS 'Bought less sold by institutions over the last 5 sessions [KRW]';
COMMENT ON COLUMN mart.screenable.institution_net_krw_20 IS 'Bought less sold by institutions over the last 20 sessions [KRW]';
COMMENT ON COLUMN mart.screenable.foreign_pct_change_20 IS 'Held by foreigners, less that of 20 sessions before [percentage points]';
COMMENT ON COLUMN mart.screenable.eps_krw IS 'Earnings per share; null where not positive or unknown [KRW per share]';
COMMENT ON COLUMN mart.screenable.per IS 'Price over earnings: close / EPS [ratio]';
COMMENT ON COLUMN mart.screenable.bps_krw IS 'Book value per share [KRW per share]';
COMMENT ON COLUMN mart.screenable.pbr IS 'Price over book: close / BPS [ratio]';
COMMENT ON COLUMN mart.screenable.dps_krw IS 'Dividend per share of the last year [KRW per share]';
COMMENT ON COLUMN mart.screenable.dividend_yield_pct IS 'Dividend yield: 100 x DPS / close [percent]';
COMMENT ON COLUMN mart.screenable.foreign_shares IS 'Shares held by foreigners [shares]';
COMMENT ON COLUMN mart.screenable.foreign_pct IS 'Held by foreigners of the listed shares [percent]';
COMMENT ON COLUMN mart.screenable.limit_shares IS 'Shares foreigners may hold; null where not published [shares]';
COMMENT ON COLUMN mart.screenable.limit_used_pct IS 'Held by foreigners of what they may hold [percent]';
COMMENT ON COLUMN mart.screenable.individual_net_krw IS 'Net buying of individuals on the session; null where they did not trade it [KRW]';
COMMENT ON COLUMN mart.screenable.individual_net_shares IS 'Net buying of individuals on the session; null where they did not trade it [shares]';
COMMENT ON COLUMN mart.screenable.foreign_net_krw IS 'Net buying of foreigners, registered and other, on the session; null where they did not trade it [KRW]';
COMMENT ON COLUMN mart.screenable.foreign_net_shares IS 'Net buying of foreigners, registered and other, on the session; null where they did not trade it [shares]';
COMMENT ON COLUMN mart.screenable.institution_net_krw IS 'Net buying of institutions on the session; null where they did not trade it [KRW]';
COMMENT ON COLUMN mart.screenable.institution_net_shares IS 'Net buying of institutions on the session; null where they did not trade it [shares]';
COMMENT ON COLUMN mart.screenable.pension_net_krw IS 'Net buying of pension funds, a part of institutions, on the session; null where they did not trade it [KRW]';
