CREATE OR REPLACE VIEW mart.instrument AS
SELECT symbol, name, market, section, first_session, last_session FROM market.instrument;

COMMENT ON VIEW mart.instrument IS 'Every issue ever seen in the daily table, delisted ones included, with its latest attributes';
COMMENT ON COLUMN mart.instrument.symbol IS 'Exchange short code';
COMMENT ON COLUMN mart.instrument.name IS 'Latest name';
COMMENT ON COLUMN mart.instrument.market IS 'Latest market';
COMMENT ON COLUMN mart.instrument.section IS 'Latest section; empty where the market has none';
COMMENT ON COLUMN mart.instrument.first_session IS 'First session it was seen in';
COMMENT ON COLUMN mart.instrument.last_session IS 'Last session it was seen in';

CREATE OR REPLACE VIEW mart.instrument_history AS
SELECT
    observation.symbol,
    lower(run.days) AS first_session,
    (SELECT max(calendar.session) FROM market.session AS calendar
     WHERE calendar.session >= lower(run.days) AND calendar.session < upper(run.days)) AS last_session,
    observation.name,
    observation.market,
    observation.section
FROM market.instrument_observation AS observation
CROSS JOIN LATERAL unnest(observation.observed) AS run (days);

COMMENT ON VIEW mart.instrument_history IS 'Unbroken runs of sessions an issue was seen in under one name, market and section';
COMMENT ON COLUMN mart.instrument_history.symbol IS 'Exchange short code';
COMMENT ON COLUMN mart.instrument_history.first_session IS 'First session of the run';
COMMENT ON COLUMN mart.instrument_history.last_session IS 'Last session of the run';
COMMENT ON COLUMN mart.instrument_history.name IS 'Name during the run';
COMMENT ON COLUMN mart.instrument_history.market IS 'Market during the run';
COMMENT ON COLUMN mart.instrument_history.section IS 'Section of the market during the run';
