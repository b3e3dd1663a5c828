CREATE OR REPLACE VIEW mart.latest_quote AS
SELECT
    quote.symbol,
    issue.name,
    quote.session,
    quote.at,
    quote.price,
    quote.change,
    quote.change::double precision / nullif(quote.price - quote.change, 0) AS change_rate,
    quote.open,
    quote.high,
    quote.low,
    quote.volume,
    quote.value_krw,
    quote.source
FROM (
    SELECT DISTINCT ON (symbol) *
    FROM market.intraday_snapshot
    WHERE session = (SELECT max(session) FROM market.intraday_snapshot) AND venue = 'KRX'
    ORDER BY symbol, at DESC
) AS quote
LEFT JOIN market.instrument AS issue USING (symbol);

COMMENT ON VIEW mart.latest_quote IS 'The last quote of each watched issue in the latest session with snapshots';
COMMENT ON COLUMN mart.latest_quote.symbol IS 'Exchange short code';
COMMENT ON COLUMN mart.latest_quote.name IS 'Latest name';
COMMENT ON COLUMN mart.latest_quote.session IS 'Trading day, Asia/Seoul';
COMMENT ON COLUMN mart.latest_quote.at IS 'Tick the quote was taken for';
COMMENT ON COLUMN mart.latest_quote.price IS 'Last price [KRW]';
COMMENT ON COLUMN mart.latest_quote.change IS 'Price less the base price, signed [KRW]';
COMMENT ON COLUMN mart.latest_quote.change_rate IS 'Change over the base price [ratio]';
COMMENT ON COLUMN mart.latest_quote.open IS 'First price of the session; 0 before the first trade [KRW]';
COMMENT ON COLUMN mart.latest_quote.high IS 'Highest price so far [KRW]';
COMMENT ON COLUMN mart.latest_quote.low IS 'Lowest price so far [KRW]';
COMMENT ON COLUMN mart.latest_quote.volume IS 'Shares traded so far [shares]';
COMMENT ON COLUMN mart.latest_quote.value_krw IS 'Turnover so far [KRW]';
COMMENT ON COLUMN mart.latest_quote.source IS 'Source of the quote';
