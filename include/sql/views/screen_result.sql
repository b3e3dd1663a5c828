-- Where a session was screened by several versions of a screen, the last of them counts.
CREATE OR REPLACE VIEW mart.screen_run AS
SELECT DISTINCT ON (run.screen, run.session)
    run.screen,
    screen.title,
    run.version,
    run.session,
    run.considered,
    run.hits,
    run.known_at
FROM derived.screen_run AS run
JOIN derived.screen AS screen ON screen.name = run.screen AND screen.version = run.version
ORDER BY run.screen, run.session, run.version DESC;

COMMENT ON VIEW mart.screen_run IS 'The sessions each screen was run on, by the last version of it that was; no hits is a result';
COMMENT ON COLUMN mart.screen_run.screen IS 'Name of the screen';
COMMENT ON COLUMN mart.screen_run.title IS 'Title of the screen';
COMMENT ON COLUMN mart.screen_run.version IS 'Version of its definition';
COMMENT ON COLUMN mart.screen_run.session IS 'Trading day, Asia/Seoul';
COMMENT ON COLUMN mart.screen_run.considered IS 'Issues that traded and have a value in every column the screen looks at';
COMMENT ON COLUMN mart.screen_run.hits IS 'Those that fulfil all conditions, before the limit';
COMMENT ON COLUMN mart.screen_run.known_at IS 'When it was run last: it rests on what was loaded by then';

CREATE OR REPLACE VIEW mart.screen_result AS
SELECT
    result.screen,
    screen.title,
    result.version,
    result.session,
    result.rank,
    result.symbol,
    issue.name,
    result.values,
    result.known_at
FROM derived.screen_result AS result
JOIN derived.screen AS screen ON screen.name = result.screen AND screen.version = result.version
LEFT JOIN market.instrument AS issue ON issue.symbol = result.symbol
WHERE NOT EXISTS (
    SELECT FROM derived.screen_run AS later
    WHERE later.screen = result.screen AND later.session = result.session AND later.version > result.version
);

COMMENT ON VIEW mart.screen_result IS 'What each screen found on each session, with names, by the last version of the screen that was run on it';
COMMENT ON COLUMN mart.screen_result.screen IS 'Name of the screen';
COMMENT ON COLUMN mart.screen_result.title IS 'Title of the screen';
COMMENT ON COLUMN mart.screen_result.version IS 'Version of its definition';
COMMENT ON COLUMN mart.screen_result.session IS 'Trading day, Asia/Seoul';
COMMENT ON COLUMN mart.screen_result.rank IS 'Place among the session''s hits, from 1';
COMMENT ON COLUMN mart.screen_result.symbol IS 'Exchange short code';
COMMENT ON COLUMN mart.screen_result.name IS 'Latest name of the issue';
COMMENT ON COLUMN mart.screen_result.values IS 'Values of the columns the screen looks at';
COMMENT ON COLUMN mart.screen_result.known_at IS 'When this row was found';
