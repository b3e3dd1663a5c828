CREATE TABLE market.base_price_event (
    symbol          text NOT NULL,
    session         date NOT NULL,
    prior_session   date NOT NULL,
    prior_close     bigint NOT NULL,
    base_price      bigint NOT NULL,
    price_factor    double precision NOT NULL,
    status          text NOT NULL CHECK (status IN ('applied', 'pending')),
    PRIMARY KEY (symbol, session)
);
COMMENT ON TABLE market.base_price_event IS 'Sessions whose base price is not the previous close: the exchange reset it for a corporate action';
COMMENT ON COLUMN market.base_price_event.symbol IS 'Exchange short code';
COMMENT ON COLUMN market.base_price_event.session IS 'Session of the reset base price';
COMMENT ON COLUMN market.base_price_event.prior_session IS 'The symbol''s last session before it in the warehouse';
COMMENT ON COLUMN market.base_price_event.prior_close IS 'Close of prior_session [KRW]';
COMMENT ON COLUMN market.base_price_event.base_price IS 'Base price of session [KRW]';
COMMENT ON COLUMN market.base_price_event.price_factor IS 'base_price / prior_close: multiplies every earlier price';
COMMENT ON COLUMN market.base_price_event.status IS 'applied; pending: sessions between the two are missing from the warehouse, so nothing is inferred until they are loaded';

CREATE TABLE market.adjustment_factor (
    symbol         text NOT NULL,
    first_session  date NOT NULL,
    last_session   date NOT NULL,
    price_factor   double precision NOT NULL,
    volume_factor  double precision NOT NULL,
    PRIMARY KEY (symbol, first_session)
);
COMMENT ON TABLE market.adjustment_factor IS 'Cumulative factors per symbol and interval of sessions; a symbol or session without a row has factor 1';
COMMENT ON COLUMN market.adjustment_factor.symbol IS 'Exchange short code';
COMMENT ON COLUMN market.adjustment_factor.first_session IS 'First day of the interval';
COMMENT ON COLUMN market.adjustment_factor.last_session IS 'Last day of the interval, inclusive';
COMMENT ON COLUMN market.adjustment_factor.price_factor IS 'Product of the factors of all applied events after the interval';
COMMENT ON COLUMN market.adjustment_factor.volume_factor IS '1 / price_factor';
