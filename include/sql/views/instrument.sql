CREATE OR REPLACE VIEW mart.instrument AS
SELECT
    issue.symbol,
    issue.name,
    issue.market,
    issue.section,
    issue.first_session,
    issue.last_session,
    master.isin,
    master.kind,
    classified.sector,
    master.listed_on,
    gone.delisted_on,
    gone.reason AS delisting_reason,
    gone.successor_symbol,
    master.listed_shares,
    master.par_value,
    master.full_name,
    master.english_name
FROM market.instrument AS issue
LEFT JOIN LATERAL (
    SELECT isin, kind, listed_on, listed_shares, par_value, full_name, english_name
    FROM market.listed_instrument AS listed
    WHERE listed.symbol = issue.symbol ORDER BY listed.session DESC LIMIT 1
) AS master ON true
LEFT JOIN LATERAL (
    SELECT sector FROM market.sector AS listed
    WHERE listed.symbol = issue.symbol ORDER BY listed.session DESC LIMIT 1
) AS classified ON true
LEFT JOIN LATERAL (
    SELECT session AS delisted_on, reason, successor_symbol FROM market.delisting AS left_off
    WHERE left_off.symbol = issue.symbol AND left_off.session > issue.last_session ORDER BY left_off.session LIMIT 1
) AS gone ON true;

COMMENT ON VIEW mart.instrument IS 'Every issue ever seen in the daily tables, delisted ones included, with its latest attributes';
COMMENT ON COLUMN mart.instrument.symbol IS 'Exchange short code';
COMMENT ON COLUMN mart.instrument.name IS 'Latest name';
COMMENT ON COLUMN mart.instrument.market IS 'Latest market';
COMMENT ON COLUMN mart.instrument.section IS 'Latest section; empty where the market has none';
COMMENT ON COLUMN mart.instrument.first_session IS 'First session it was seen in';
COMMENT ON COLUMN mart.instrument.last_session IS 'Last session it was seen in';
COMMENT ON COLUMN mart.instrument.isin IS 'International securities identification number; null where no master told it';
COMMENT ON COLUMN mart.instrument.kind IS 'Kind of issue: common, preferred, etf, etn, reit, spac and others; null where no master told it';
COMMENT ON COLUMN mart.instrument.sector IS 'Latest industry group; null where not classified';
COMMENT ON COLUMN mart.instrument.listed_on IS 'Day of listing; null where no master told it';
COMMENT ON COLUMN mart.instrument.delisted_on IS 'Day of delisting; null while listed, or where no list told it';
COMMENT ON COLUMN mart.instrument.delisting_reason IS 'Reason of the delisting, as the exchange gives it';
COMMENT ON COLUMN mart.instrument.successor_symbol IS 'Issue the holders of a delisted one got instead';
COMMENT ON COLUMN mart.instrument.listed_shares IS 'Shares listed, as the latest master tells [shares]';
COMMENT ON COLUMN mart.instrument.par_value IS 'Par value in the issue''s own currency';
COMMENT ON COLUMN mart.instrument.full_name IS 'Full name';
COMMENT ON COLUMN mart.instrument.english_name IS 'English name';

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
