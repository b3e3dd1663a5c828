-- Access tokens of brokers, shared by all workers. For the pipeline only: no other role enters this schema.
CREATE SCHEMA broker;
COMMENT ON SCHEMA broker IS 'Access tokens of brokers: readable by the pipeline alone';
GRANT USAGE ON SCHEMA broker TO etl;

-- Unlogged: tokens stay out of the write-ahead log and what is archived of it; after a crash new ones are asked for.
CREATE UNLOGGED TABLE broker.token (
    owner       text PRIMARY KEY,
    value       text NOT NULL,
    issued_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at  timestamptz NOT NULL
);
COMMENT ON TABLE broker.token IS 'The latest token of each broker account; deleting a row has a new one asked for';
COMMENT ON COLUMN broker.token.owner IS 'Broker, environment (real or mock) and a digest of the app key';
COMMENT ON COLUMN broker.token.value IS 'The token';
COMMENT ON COLUMN broker.token.issued_at IS 'When it was issued';
COMMENT ON COLUMN broker.token.expires_at IS 'When it ends';
GRANT SELECT, INSERT, UPDATE, DELETE ON broker.token TO etl;
