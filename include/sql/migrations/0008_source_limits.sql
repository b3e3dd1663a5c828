-- What all workers share about a source: its token buckets, its circuit breaker, and the day's calls.

-- pyrate-limiter's own tables, one per bucket, gave way to rate_limit.bucket.
DO $$
DECLARE
    obsolete regclass;
BEGIN
    FOR obsolete IN
        SELECT oid FROM pg_class
        WHERE relnamespace = 'rate_limit'::regnamespace AND relkind = 'r' AND relname LIKE 'ratelimit\_\_\_%'
    LOOP
        EXECUTE format('DROP TABLE %s', obsolete);
    END LOOP;
END
$$;

-- Unlogged: after a crash every bucket allows one call, as a new one does, and no call waits for a disk.
CREATE UNLOGGED TABLE rate_limit.bucket (
    name                  text PRIMARY KEY,
    theoretical_arrival_us bigint NOT NULL
);
COMMENT ON SCHEMA rate_limit IS 'Token buckets of the sources, shared by all workers';
COMMENT ON TABLE rate_limit.bucket IS 'One row per limited thing: a source, or one of its endpoints';
COMMENT ON COLUMN rate_limit.bucket.name IS 'Source, or source and endpoint';
COMMENT ON COLUMN rate_limit.bucket.theoretical_arrival_us IS 'Earliest time of the next call by the generic cell rate algorithm, microseconds since 1970';
GRANT SELECT, INSERT, UPDATE, DELETE ON rate_limit.bucket TO etl;

CREATE TABLE ops.source_breaker (
    source      text PRIMARY KEY,
    state       text NOT NULL DEFAULT 'closed' CHECK (state IN ('closed', 'open', 'half-open')),
    failures    integer NOT NULL DEFAULT 0,
    opened_at   timestamptz,
    changed_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ops.source_breaker IS 'Circuit breaker of each source: while open, no worker calls it; deleting the row closes it';
COMMENT ON COLUMN ops.source_breaker.source IS 'Source';
COMMENT ON COLUMN ops.source_breaker.state IS 'closed: calls go through; open: none does until the cool-down ends; half-open: the next call decides';
COMMENT ON COLUMN ops.source_breaker.failures IS 'Calls that failed in a row, over all workers';
COMMENT ON COLUMN ops.source_breaker.opened_at IS 'When it last opened';
COMMENT ON COLUMN ops.source_breaker.changed_at IS 'When the state last changed';

CREATE TABLE ops.source_quota (
    source  text NOT NULL,
    day     date NOT NULL,
    calls   bigint NOT NULL,
    PRIMARY KEY (source, day)
);
COMMENT ON TABLE ops.source_quota IS 'Calls of each source by day, counted before they are made and held to the source''s daily limit';
COMMENT ON COLUMN ops.source_quota.source IS 'Source';
COMMENT ON COLUMN ops.source_quota.day IS 'Day, Asia/Seoul';
COMMENT ON COLUMN ops.source_quota.calls IS 'Calls allowed so far';
