-- Schemas and roles. The roles cannot log in: the pipeline and `krxw query` take one by SET ROLE, and an operator
-- grants them to the login roles of people and tools.

CREATE SCHEMA IF NOT EXISTS market;
CREATE SCHEMA IF NOT EXISTS derived;
CREATE SCHEMA IF NOT EXISTS mart;
CREATE SCHEMA IF NOT EXISTS ops;
CREATE SCHEMA IF NOT EXISTS staging;
CREATE SCHEMA IF NOT EXISTS rate_limit;

COMMENT ON SCHEMA market IS 'Facts as published: never adjusted, never rewritten without a revision';
COMMENT ON SCHEMA derived IS 'What is computed from facts: indicators, signals, results';
COMMENT ON SCHEMA mart IS 'Views for people and tools';
COMMENT ON SCHEMA ops IS 'How the warehouse came to be: batches, source calls, quality results, quarantine, alarms';
COMMENT ON SCHEMA rate_limit IS 'Token buckets of the sources, shared by all workers: one table per source, kept by pyrate-limiter';
COMMENT ON SCHEMA staging IS 'Rows on their way in; a table here belongs to one running batch';

-- Roles belong to the server, not to this database: another warehouse on it may have made them.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['etl', 'analyst', 'grafana'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL;
        END;
        EXECUTE format('GRANT %I TO CURRENT_USER', wanted);
    END LOOP;
    EXECUTE format('ALTER ROLE analyst IN DATABASE %I SET statement_timeout = ''60s''', current_database());
    EXECUTE format('ALTER ROLE grafana IN DATABASE %I SET statement_timeout = ''30s''', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO etl, analyst, grafana', current_database());
END
$$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;

GRANT USAGE ON SCHEMA market, derived, mart, ops TO etl;
GRANT USAGE, CREATE ON SCHEMA staging, rate_limit TO etl;
GRANT USAGE ON SCHEMA market, derived, mart TO analyst;
GRANT USAGE ON SCHEMA mart, ops TO grafana;

ALTER DEFAULT PRIVILEGES IN SCHEMA market, derived, ops GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO etl;
ALTER DEFAULT PRIVILEGES IN SCHEMA market, derived, ops GRANT USAGE ON SEQUENCES TO etl;
ALTER DEFAULT PRIVILEGES IN SCHEMA mart GRANT SELECT ON TABLES TO etl, analyst, grafana;
ALTER DEFAULT PRIVILEGES IN SCHEMA market, derived GRANT SELECT ON TABLES TO analyst;
ALTER DEFAULT PRIVILEGES IN SCHEMA ops GRANT SELECT ON TABLES TO grafana;
