-- Stocks and exchange-traded products in one shape. Other views are made of it: the number puts it before them.
CREATE OR REPLACE VIEW mart.daily_bar AS
SELECT
    symbol, session, 'STOCK' AS kind, market, open, high, low, close, volume, value_krw, market_cap_krw,
    listed_shares, change, base_price, halted, NULL::numeric(18,2) AS nav, NULL::text AS underlying_index,
    NULL::numeric(18,2) AS underlying_close, source, known_at
FROM market.daily_bar
WHERE venue = 'KRX'
UNION ALL
SELECT
    symbol, session, kind, market, open, high, low, close, volume, value_krw, market_cap_krw,
    listed_shares, change, base_price, halted, nav, underlying_index, underlying_close, source, known_at
FROM market.etp_daily_bar;

COMMENT ON VIEW mart.daily_bar IS 'Daily bars of stocks, ETFs and ETNs, raw, as the exchange published them';
COMMENT ON COLUMN mart.daily_bar.symbol IS 'Exchange short code';
COMMENT ON COLUMN mart.daily_bar.session IS 'Trading day, Asia/Seoul';
COMMENT ON COLUMN mart.daily_bar.kind IS 'STOCK, ETF or ETN; mart.instrument tells kinds of stocks apart';
COMMENT ON COLUMN mart.daily_bar.market IS 'Market segment on the session';
COMMENT ON COLUMN mart.daily_bar.open IS 'First price; 0 on a halted session [KRW]';
COMMENT ON COLUMN mart.daily_bar.high IS 'Highest price; 0 on a halted session [KRW]';
COMMENT ON COLUMN mart.daily_bar.low IS 'Lowest price; 0 on a halted session [KRW]';
COMMENT ON COLUMN mart.daily_bar.close IS 'Last price; carried over a halt [KRW]';
COMMENT ON COLUMN mart.daily_bar.volume IS 'Shares or units traded [shares]';
COMMENT ON COLUMN mart.daily_bar.value_krw IS 'Turnover [KRW]';
COMMENT ON COLUMN mart.daily_bar.market_cap_krw IS 'Close times listed shares [KRW]';
COMMENT ON COLUMN mart.daily_bar.listed_shares IS 'Shares or units listed [shares]';
COMMENT ON COLUMN mart.daily_bar.change IS 'Close less the base price, signed [KRW]';
COMMENT ON COLUMN mart.daily_bar.base_price IS 'Price the change is measured from [KRW]';
COMMENT ON COLUMN mart.daily_bar.halted IS 'No continuous trading, the close is carried';
COMMENT ON COLUMN mart.daily_bar.nav IS 'Net asset value per unit of an ETF, indicative value of an ETN; null for stocks [KRW]';
COMMENT ON COLUMN mart.daily_bar.underlying_index IS 'Index an ETF or ETN follows; null for stocks';
COMMENT ON COLUMN mart.daily_bar.underlying_close IS 'Close of that index [points]';
COMMENT ON COLUMN mart.daily_bar.source IS 'Source the values came from';
COMMENT ON COLUMN mart.daily_bar.known_at IS 'When these values became known';
