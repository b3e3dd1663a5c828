-- What neighbouring runs of market.instrument_observation differ in, and the ends of runs in market.halt.
CREATE OR REPLACE VIEW mart.instrument_event AS
WITH known AS (
    SELECT dataset, min(session) AS first_session, max(session) AS last_session
    FROM ops.session_outcome
    WHERE dataset IN ('daily_bar', 'etp_daily_bar') AND outcome = 'loaded'
    GROUP BY dataset
), issue AS (
    -- An issue is new, or gone, by the table it is in: the other one may reach further.
    SELECT symbol, known.first_session, known.last_session
    FROM (
        SELECT
            symbol,
            CASE WHEN EXISTS (SELECT FROM market.etp_daily_bar AS bar WHERE bar.symbol = instrument.symbol)
                THEN 'etp_daily_bar' ELSE 'daily_bar' END AS dataset
        FROM market.instrument
    ) AS of_table
    JOIN known USING (dataset)
), run AS (
    SELECT symbol, name, market, section, lower(days) AS first_day, upper(days) AS end_day
    FROM market.instrument_observation, unnest(observed) AS observed_run (days)
), neighbour AS (
    SELECT
        run.*,
        lag(name) OVER of_symbol AS earlier_name,
        lag(market) OVER of_symbol AS earlier_market,
        lag(section) OVER of_symbol AS earlier_section,
        row_number() OVER of_symbol = 1 AS is_first,
        lead(first_day) OVER of_symbol IS NULL AS is_last
    FROM run
    WINDOW of_symbol AS (PARTITION BY symbol ORDER BY first_day)
)
SELECT symbol, first_day AS session, 'listed' AS kind, NULL AS earlier, market AS later
FROM neighbour JOIN issue USING (symbol)
WHERE is_first AND first_day > issue.first_session
UNION ALL
SELECT symbol, end_day, 'delisted', market, NULL
FROM neighbour JOIN issue USING (symbol)
WHERE is_last AND end_day <= issue.last_session
UNION ALL
SELECT symbol, first_day, 'renamed', earlier_name, name
FROM neighbour
WHERE earlier_name <> name
UNION ALL
SELECT symbol, first_day, 'market_moved', earlier_market, market
FROM neighbour
WHERE earlier_market <> market
UNION ALL
SELECT symbol, first_day, 'section_changed', earlier_section, section
FROM neighbour
WHERE earlier_section <> section AND earlier_market = market
UNION ALL
SELECT symbol, lower(days), 'halted', NULL, NULL
FROM market.halt, unnest(halted) AS halted_run (days)
UNION ALL
SELECT halt.symbol, upper(days), 'resumed', NULL, NULL
FROM market.halt, unnest(halted) AS halted_run (days)
WHERE EXISTS (SELECT FROM run WHERE run.symbol = halt.symbol AND upper(days) >= run.first_day AND upper(days) < run.end_day);

COMMENT ON VIEW mart.instrument_event IS 'Listings, delistings, renamings, market moves, section changes, halts and resumptions, found in the daily tables';
COMMENT ON COLUMN mart.instrument_event.symbol IS 'Exchange short code';
COMMENT ON COLUMN mart.instrument_event.session IS 'First session it held on; of a delisting, the first session without the issue';
COMMENT ON COLUMN mart.instrument_event.kind IS 'listed, delisted, renamed, market_moved, section_changed, halted or resumed';
COMMENT ON COLUMN mart.instrument_event.earlier IS 'Name, market or section before; null where there is none';
COMMENT ON COLUMN mart.instrument_event.later IS 'Name, market or section from then on; null where there is none';
