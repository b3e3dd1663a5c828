CREATE OR REPLACE VIEW mart.base_price_event AS
SELECT
    event.symbol,
    instrument.name,
    event.session,
    event.prior_session,
    event.prior_close,
    event.base_price,
    event.price_factor,
    event.status
FROM market.base_price_event AS event
LEFT JOIN market.instrument USING (symbol);

COMMENT ON VIEW mart.base_price_event IS 'Base-price resets, applied and pending, with the issue''s latest name';
COMMENT ON COLUMN mart.base_price_event.symbol IS 'Exchange short code';
COMMENT ON COLUMN mart.base_price_event.name IS 'Latest name';
COMMENT ON COLUMN mart.base_price_event.session IS 'Session of the reset base price';
COMMENT ON COLUMN mart.base_price_event.prior_session IS 'The symbol''s last session before it in the warehouse';
COMMENT ON COLUMN mart.base_price_event.prior_close IS 'Close of prior_session [KRW]';
COMMENT ON COLUMN mart.base_price_event.base_price IS 'Base price of session [KRW]';
COMMENT ON COLUMN mart.base_price_event.price_factor IS 'base_price / prior_close';
COMMENT ON COLUMN mart.base_price_event.status IS 'applied, or pending until the sessions between are loaded';
