CREATE TABLE market.instrument (
    symbol         text PRIMARY KEY,
    first_session  date NOT NULL,
    last_session   date NOT NULL,
    name           text NOT NULL,
    market         text NOT NULL,
    section        text NOT NULL
);
COMMENT ON TABLE market.instrument IS 'Every issue ever seen in the daily table, delisted ones included';
COMMENT ON COLUMN market.instrument.symbol IS 'Exchange short code';
COMMENT ON COLUMN market.instrument.first_session IS 'First session it was seen in';
COMMENT ON COLUMN market.instrument.last_session IS 'Last session it was seen in';
COMMENT ON COLUMN market.instrument.name IS 'Name on its last session';
COMMENT ON COLUMN market.instrument.market IS 'Market on its last session';
COMMENT ON COLUMN market.instrument.section IS 'Section of the market on its last session; empty where the market has none';

-- The sessions each set of attributes was observed in, as a set of date ranges: adding a chunk is a union, so the
-- result is the same in whatever order chunks are loaded. A session is the range from its day to the next session's.
CREATE TABLE market.instrument_observation (
    symbol    text NOT NULL,
    name      text NOT NULL,
    market    text NOT NULL,
    section   text NOT NULL,
    observed  datemultirange NOT NULL,
    PRIMARY KEY (symbol, name, market, section)
);
COMMENT ON TABLE market.instrument_observation IS 'When each issue was seen under which name, market and section; mart.instrument_history lists it';
COMMENT ON COLUMN market.instrument_observation.symbol IS 'Exchange short code';
COMMENT ON COLUMN market.instrument_observation.name IS 'Name';
COMMENT ON COLUMN market.instrument_observation.market IS 'Market';
COMMENT ON COLUMN market.instrument_observation.section IS 'Section of the market';
COMMENT ON COLUMN market.instrument_observation.observed IS 'Sessions seen, each as the days from it up to the next session';
