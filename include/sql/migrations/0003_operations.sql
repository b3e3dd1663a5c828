CREATE TABLE ops.batch (
    batch_id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset           text NOT NULL,
    source            text NOT NULL,
    first_session     date NOT NULL,
    last_session      date NOT NULL,
    status            text NOT NULL
        CHECK (status IN ('running', 'loaded', 'unchanged', 'refused', 'failed', 'abandoned')),
    landing_keys      text[] NOT NULL DEFAULT '{}',
    rows_published    bigint,
    rows_inserted     bigint,
    rows_updated      bigint,
    rows_unchanged    bigint,
    rows_quarantined  bigint,
    fetched_at        timestamptz,
    started_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at       timestamptz,
    error             text
);
CREATE INDEX ON ops.batch (dataset, started_at DESC);
COMMENT ON TABLE ops.batch IS 'The batch ledger: one row per attempt to load a chunk of sessions of one dataset from one source';
COMMENT ON COLUMN ops.batch.batch_id IS 'Identifies the batch; every fact row names the one that last wrote it';
COMMENT ON COLUMN ops.batch.dataset IS 'Dataset of the registry';
COMMENT ON COLUMN ops.batch.source IS 'Source asked';
COMMENT ON COLUMN ops.batch.first_session IS 'First day of the chunk asked for';
COMMENT ON COLUMN ops.batch.last_session IS 'Last day of the chunk asked for';
COMMENT ON COLUMN ops.batch.status IS 'running; loaded; unchanged: all rows were here already; refused: a check turned all sessions down; failed: an error, nothing written; abandoned: the process died, nothing written';
COMMENT ON COLUMN ops.batch.landing_keys IS 'Manifests of the landed bodies the batch was parsed from';
COMMENT ON COLUMN ops.batch.rows_published IS 'Rows the source published for the chunk';
COMMENT ON COLUMN ops.batch.rows_inserted IS 'Rows new to the warehouse';
COMMENT ON COLUMN ops.batch.rows_updated IS 'Rows corrected; their earlier values are in the revision table';
COMMENT ON COLUMN ops.batch.rows_unchanged IS 'Rows the warehouse held already, with the same values or those of a better source';
COMMENT ON COLUMN ops.batch.rows_quarantined IS 'Rows put into ops.quarantine';
COMMENT ON COLUMN ops.batch.fetched_at IS 'When the bodies were fetched';
COMMENT ON COLUMN ops.batch.started_at IS 'Start of the attempt';
COMMENT ON COLUMN ops.batch.finished_at IS 'End of the attempt';
COMMENT ON COLUMN ops.batch.error IS 'What went wrong, in words';

CREATE TABLE ops.session_outcome (
    dataset      text NOT NULL,
    session      date NOT NULL,
    outcome      text NOT NULL,
    source       text NOT NULL,
    rows         bigint NOT NULL,
    detail       text,
    batch_id     bigint,
    decided_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (dataset, session)
);
COMMENT ON TABLE ops.session_outcome IS 'What became of each session of each dataset: loaded, or why not';
COMMENT ON COLUMN ops.session_outcome.dataset IS 'Dataset of the registry';
COMMENT ON COLUMN ops.session_outcome.session IS 'Session, Asia/Seoul';
COMMENT ON COLUMN ops.session_outcome.outcome IS 'loaded, missing (absent from a source that spans it), or the typed outcome that kept it out';
COMMENT ON COLUMN ops.session_outcome.source IS 'Source asked';
COMMENT ON COLUMN ops.session_outcome.rows IS 'Rows of the session that passed every row rule in the batch that decided the outcome';
COMMENT ON COLUMN ops.session_outcome.detail IS 'Why, in words';
COMMENT ON COLUMN ops.session_outcome.batch_id IS 'Batch that decided';
COMMENT ON COLUMN ops.session_outcome.decided_at IS 'When it was decided';

CREATE TABLE ops.quarantine (
    quarantine_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset        text NOT NULL,
    source         text NOT NULL,
    session        date,
    symbol         text,
    rule           text NOT NULL,
    row_number     bigint NOT NULL,
    "row"          jsonb NOT NULL,
    batch_id       bigint NOT NULL,
    quarantined_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    released_by    bigint
);
CREATE UNIQUE INDEX ON ops.quarantine (dataset, source, rule, row_number, md5("row"::text));
CREATE INDEX ON ops.quarantine (dataset, session);
COMMENT ON TABLE ops.quarantine IS 'Published rows kept out of the fact tables, whole, with the rule that kept them out';
COMMENT ON COLUMN ops.quarantine.quarantine_id IS 'Identifies the row';
COMMENT ON COLUMN ops.quarantine.dataset IS 'Dataset of the registry';
COMMENT ON COLUMN ops.quarantine.source IS 'Source that published the row';
COMMENT ON COLUMN ops.quarantine.session IS 'Session the row is about';
COMMENT ON COLUMN ops.quarantine.symbol IS 'Symbol as published, however malformed';
COMMENT ON COLUMN ops.quarantine.rule IS 'First rule the row, or its session, broke';
COMMENT ON COLUMN ops.quarantine.row_number IS 'Place of the row in what the source published, from 1';
COMMENT ON COLUMN ops.quarantine."row" IS 'The row itself, under the registry''s column names';
COMMENT ON COLUMN ops.quarantine.batch_id IS 'Batch that first quarantined it';
COMMENT ON COLUMN ops.quarantine.quarantined_at IS 'When it was first quarantined';
COMMENT ON COLUMN ops.quarantine.released_by IS 'Later batch that loaded the same symbol and session; null while the gap is open';

CREATE TABLE ops.alarm (
    alarm_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset    text NOT NULL,
    session    date NOT NULL,
    kind       text NOT NULL,
    message    text NOT NULL,
    batch_id   bigint,
    opened_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at  timestamptz,
    closed_by  bigint
);
CREATE UNIQUE INDEX ON ops.alarm (dataset, session, kind) WHERE closed_at IS NULL;
COMMENT ON TABLE ops.alarm IS 'What a person should look at; an alarm closes itself when its session is loaded';
COMMENT ON COLUMN ops.alarm.alarm_id IS 'Identifies the alarm';
COMMENT ON COLUMN ops.alarm.dataset IS 'Dataset of the registry';
COMMENT ON COLUMN ops.alarm.session IS 'Session it is about; of a range that could not be read, the first';
COMMENT ON COLUMN ops.alarm.kind IS 'The typed outcome or the rule behind it';
COMMENT ON COLUMN ops.alarm.message IS 'What happened, what was expected, and what to do';
COMMENT ON COLUMN ops.alarm.batch_id IS 'Batch that opened it';
COMMENT ON COLUMN ops.alarm.opened_at IS 'When it was opened';
COMMENT ON COLUMN ops.alarm.closed_at IS 'When it was closed; null while open';
COMMENT ON COLUMN ops.alarm.closed_by IS 'Batch that closed it';

CREATE TABLE ops.quality_result (
    batch_id          bigint NOT NULL,
    suite             text NOT NULL,
    expectation       text NOT NULL,
    target            text NOT NULL,
    success           boolean NOT NULL,
    element_count     bigint,
    unexpected_count  bigint,
    observed          jsonb,
    checked_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (batch_id, suite, expectation, target)
);
COMMENT ON TABLE ops.quality_result IS 'One row per expectation of the suite that ran on a batch''s staging table';
COMMENT ON COLUMN ops.quality_result.batch_id IS 'Batch checked';
COMMENT ON COLUMN ops.quality_result.suite IS 'Expectation suite, named after the dataset';
COMMENT ON COLUMN ops.quality_result.expectation IS 'Type of the expectation';
COMMENT ON COLUMN ops.quality_result.target IS 'Column or rule it speaks of';
COMMENT ON COLUMN ops.quality_result.success IS 'Whether all staged rows meet it';
COMMENT ON COLUMN ops.quality_result.element_count IS 'Rows looked at';
COMMENT ON COLUMN ops.quality_result.unexpected_count IS 'Rows that do not meet it';
COMMENT ON COLUMN ops.quality_result.observed IS 'What was observed, as Great Expectations reports it';
COMMENT ON COLUMN ops.quality_result.checked_at IS 'When it ran';

CREATE TABLE ops.source_call (
    call_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source      text NOT NULL,
    endpoint    text NOT NULL,
    attempt     smallint NOT NULL,
    status      smallint,
    outcome     text NOT NULL,
    latency_ms  integer NOT NULL,
    bytes       bigint NOT NULL,
    called_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON ops.source_call (source, called_at);
COMMENT ON TABLE ops.source_call IS 'Every call made to a source, each attempt on its own';
COMMENT ON COLUMN ops.source_call.call_id IS 'Identifies the call';
COMMENT ON COLUMN ops.source_call.source IS 'Source called';
COMMENT ON COLUMN ops.source_call.endpoint IS 'Endpoint, without query and without credentials';
COMMENT ON COLUMN ops.source_call.attempt IS 'Which attempt of the request, from 1';
COMMENT ON COLUMN ops.source_call.status IS 'HTTP status; null where none arrived';
COMMENT ON COLUMN ops.source_call.outcome IS 'ok, or the typed outcome of the attempt';
COMMENT ON COLUMN ops.source_call.latency_ms IS 'Time to the last byte, milliseconds';
COMMENT ON COLUMN ops.source_call.bytes IS 'Bytes of body received';
COMMENT ON COLUMN ops.source_call.called_at IS 'When the attempt ended';
