-- Adds the temporary table observed_run to market.instrument_observation and brings market.instrument up to date.

-- A symbol has one set of attributes on a session: the one told last.
UPDATE market.instrument_observation AS known
SET observed = known.observed - told.days
FROM (
    SELECT run.symbol, other.name, other.market, other.section, range_agg(daterange(run.first_day, run.end_day)) AS days
    FROM observed_run AS run
    JOIN market.instrument_observation AS other
        ON other.symbol = run.symbol
        AND (other.name, other.market, other.section) <> (run.name, run.market, run.section)
        AND other.observed && daterange(run.first_day, run.end_day)
    GROUP BY run.symbol, other.name, other.market, other.section
) AS told
WHERE (known.symbol, known.name, known.market, known.section) = (told.symbol, told.name, told.market, told.section);

DELETE FROM market.instrument_observation AS known
USING observed_run AS run
WHERE known.symbol = run.symbol AND isempty(known.observed);

INSERT INTO market.instrument_observation AS known (symbol, name, market, section, observed)
SELECT symbol, name, market, section, range_agg(daterange(first_day, end_day))
FROM observed_run
GROUP BY symbol, name, market, section
ON CONFLICT (symbol, name, market, section) DO UPDATE SET observed = known.observed + excluded.observed
WHERE NOT known.observed @> excluded.observed;

INSERT INTO market.instrument AS known (symbol, first_session, last_session, name, market, section)
SELECT DISTINCT ON (seen.symbol)
    seen.symbol,
    min(lower(seen.observed)) OVER (PARTITION BY seen.symbol),
    (SELECT max(calendar.session) FROM market.session AS calendar WHERE calendar.session < upper(seen.observed)),
    seen.name,
    seen.market,
    seen.section
FROM market.instrument_observation AS seen
WHERE seen.symbol IN (SELECT symbol FROM observed_run)
ORDER BY seen.symbol, upper(seen.observed) DESC
ON CONFLICT (symbol) DO UPDATE SET
    first_session = excluded.first_session,
    last_session = excluded.last_session,
    name = excluded.name,
    market = excluded.market,
    section = excluded.section
WHERE (known.first_session, known.last_session, known.name, known.market, known.section)
    IS DISTINCT FROM
    (excluded.first_session, excluded.last_session, excluded.name, excluded.market, excluded.section);
