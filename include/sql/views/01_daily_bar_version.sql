-- Every value a bar ever had. Other views are made of it: the number puts it before them.
CREATE OR REPLACE VIEW mart.daily_bar_version AS
SELECT
    symbol, session, kind, market, open, high, low, close, volume, value_krw, market_cap_krw, listed_shares, change,
    base_price, halted, nav, underlying_index, underlying_close, source, known_at, NULL::timestamptz AS superseded_at
FROM mart.daily_bar
UNION ALL
SELECT
    symbol, session, 'STOCK', market, open, high, low, close, volume, value_krw, market_cap_krw, listed_shares, change,
    base_price, halted, NULL, NULL, NULL, source, known_at, superseded_at
FROM market.daily_bar_revision
WHERE venue = 'KRX'
UNION ALL
SELECT
    symbol, session, kind, market, open, high, low, close, volume, value_krw, market_cap_krw, listed_shares, change,
    base_price, halted, nav, underlying_index, underlying_close, source, known_at, superseded_at
FROM market.etp_daily_bar_revision;

COMMENT ON VIEW mart.daily_bar_version IS 'mart.daily_bar with the values that corrections replaced: each row held from known_at until superseded_at';
COMMENT ON COLUMN mart.daily_bar_version.superseded_at IS 'When a correction replaced these values; null while they hold';
COMMENT ON COLUMN mart.daily_bar_version.symbol IS 'Exchange short code';
COMMENT ON COLUMN mart.daily_bar_version.session IS 'Trading day, Asia/Seoul';
COMMENT ON COLUMN mart.daily_bar_version.kind IS 'STOCK, ETF or ETN; mart.instrument tells kinds of stocks apart';
COMMENT ON COLUMN mart.daily_bar_version.market IS 'Market segment on the session';
COMMENT ON COLUMN mart.daily_bar_version.open IS 'First price; 0 on a halted session [KRW]';
COMMENT ON COLUMN mart.daily_bar_version.high IS 'Highest price; 0 on a halted session [KRW]';
COMMENT ON COLUMN mart.daily_bar_version.low IS 'Lowest price; 0 on a halted session [KRW]';
COMMENT ON COLUMN mart.daily_bar_version.close IS 'Last price; carried over a halt [KRW]';
COMMENT ON COLUMN mart.daily_bar_version.volume IS 'Shares or units traded [shares]';
COMMENT ON COLUMN mart.daily_bar_version.value_krw IS 'Turnover [KRW]';
COMMENT ON COLUMN mart.daily_bar_version.market_cap_krw IS 'Close times listed shares [KRW]';
COMMENT ON COLUMN mart.daily_bar_version.listed_shares IS 'Shares or units listed [shares]';
COMMENT ON COLUMN mart.daily_bar_version.change IS 'Close less the base price, signed [KRW]';
COMMENT ON COLUMN mart.daily_bar_version.base_price IS 'Price the change is measured from [KRW]';
COMMENT ON COLUMN mart.daily_bar_version.halted IS 'No continuous trading, the close is carried';
COMMENT ON COLUMN mart.daily_bar_version.nav IS 'Net asset value per unit of an ETF, indicative value of an ETN; null for stocks [KRW]';
COMMENT ON COLUMN mart.daily_bar_version.underlying_index IS 'Index an ETF or ETN follows; null for stocks';
COMMENT ON COLUMN mart.daily_bar_version.underlying_close IS 'Close of that index [points]';
COMMENT ON COLUMN mart.daily_bar_version.source IS 'Source the values came from';
COMMENT ON COLUMN mart.daily_bar_version.known_at IS 'When these values became known';
