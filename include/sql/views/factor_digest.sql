-- Texts of a day and of a number depend on the server's settings; differences of days and bytes of numbers do not.
CREATE OR REPLACE VIEW mart.factor_digest AS
SELECT
    symbol,
    md5(string_agg(
        (first_session - date '2000-01-01') || ' ' || (last_session - date '2000-01-01') || ' '
            || encode(float8send(price_factor), 'hex') || ' ' || encode(float8send(volume_factor), 'hex'),
        ';' ORDER BY first_session)) AS digest
FROM market.adjustment_factor
GROUP BY symbol;

COMMENT ON VIEW mart.factor_digest IS 'Digests of each issue''s rows in market.adjustment_factor: what is computed of adjusted prices is to be computed again when it changes';
COMMENT ON COLUMN mart.factor_digest.symbol IS 'Exchange short code';
COMMENT ON COLUMN mart.factor_digest.digest IS 'Digest of the intervals and their factors';
