-- Screens: what is looked for, kept as data, and what each found on each session.

CREATE TABLE derived.screen (
    name        text NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    version     smallint NOT NULL CHECK (version > 0),
    title       text NOT NULL,
    meaning     text NOT NULL,
    definition  jsonb NOT NULL CHECK (jsonb_typeof(definition -> 'conditions') = 'array'),
    created_by  text NOT NULL DEFAULT session_user,
    created_at  timestamptz NOT NULL DEFAULT now(),
    removed_by  text,
    removed_at  timestamptz,
    PRIMARY KEY (name, version),
    CHECK ((removed_at IS NULL) = (removed_by IS NULL))
);
COMMENT ON TABLE derived.screen IS 'Screens by name and version: the highest version is run unless it was removed; a version never changes';
COMMENT ON COLUMN derived.screen.name IS 'Name of the screen';
COMMENT ON COLUMN derived.screen.version IS 'Number of the definition under this name, from 1';
COMMENT ON COLUMN derived.screen.title IS 'Title for people';
COMMENT ON COLUMN derived.screen.meaning IS 'What it looks for and why';
COMMENT ON COLUMN derived.screen.definition IS 'Conditions over columns of mart.screenable, rank and limit: docs/screens.md';
COMMENT ON COLUMN derived.screen.created_by IS 'Who added the version';
COMMENT ON COLUMN derived.screen.created_at IS 'When it was added';
COMMENT ON COLUMN derived.screen.removed_by IS 'Who removed the screen; null while it is run';
COMMENT ON COLUMN derived.screen.removed_at IS 'Since when it is not run any more; its results stay';

CREATE TABLE derived.screen_run (
    screen      text NOT NULL,
    version     smallint NOT NULL,
    session     date NOT NULL,
    considered  integer NOT NULL CHECK (considered > 0),
    hits        integer NOT NULL CHECK (hits BETWEEN 0 AND considered),
    known_at    timestamptz NOT NULL,
    scheduled   boolean NOT NULL DEFAULT true,
    PRIMARY KEY (screen, version, session),
    FOREIGN KEY (screen, version) REFERENCES derived.screen (name, version)
);
CREATE INDEX screen_run_session ON derived.screen_run (session);
COMMENT ON TABLE derived.screen_run IS 'The sessions each screen was run on; no hits is a result';
COMMENT ON COLUMN derived.screen_run.screen IS 'Name of the screen';
COMMENT ON COLUMN derived.screen_run.version IS 'Version of its definition';
COMMENT ON COLUMN derived.screen_run.session IS 'Trading day, Asia/Seoul';
COMMENT ON COLUMN derived.screen_run.considered IS 'Issues that traded and have a value in every column the screen looks at';
COMMENT ON COLUMN derived.screen_run.hits IS 'Those that fulfil all conditions, before the limit';
COMMENT ON COLUMN derived.screen_run.known_at IS 'When it was run last: it rests on what was loaded by then';
COMMENT ON COLUMN derived.screen_run.scheduled IS 'Whether the schedule ran it; a run by hand neither begins nor ends what the schedule has to do';

CALL ops.create_fact_table('derived.screen_result', 'session', interval '1 year', $columns$
    screen    text NOT NULL,
    version   smallint NOT NULL,
    session   date NOT NULL,
    symbol    text NOT NULL,
    rank      integer NOT NULL,
    values    jsonb NOT NULL,
    known_at  timestamptz NOT NULL,
    PRIMARY KEY (screen, version, session, symbol)
$columns$, 'screen');
CREATE INDEX screen_result_session ON derived.screen_result (session);
COMMENT ON TABLE derived.screen_result IS 'What each screen found on each session, as it was known then: results stay when a definition or an indicator changes';
COMMENT ON COLUMN derived.screen_result.screen IS 'Name of the screen';
COMMENT ON COLUMN derived.screen_result.version IS 'Version of its definition';
COMMENT ON COLUMN derived.screen_result.session IS 'Trading day, Asia/Seoul';
COMMENT ON COLUMN derived.screen_result.symbol IS 'Exchange short code';
COMMENT ON COLUMN derived.screen_result.rank IS 'Place among the session''s hits, from 1';
COMMENT ON COLUMN derived.screen_result.values IS 'Values of the columns the screen looks at';
COMMENT ON COLUMN derived.screen_result.known_at IS 'When this row was found';

INSERT INTO derived.screen (name, version, title, meaning, definition, created_by) VALUES
(
    'momentum_breakout', 1, 'Momentum breakout',
    'Close within 3% of the 52-week high, above rising averages, on at least twice the usual volume, and not yet overbought',
    '{
        "conditions": [
            {"column": "kind", "op": "not in", "value": ["etf", "etn", "spac"]},
            {"column": "value_krw", "op": ">=", "value": 1000000000},
            {"column": "close", "op": ">=", "other": "high_52_weeks", "factor": 0.97},
            {"column": "close", "op": ">", "other": "sma_20"},
            {"column": "sma_20", "op": ">", "other": "sma_60"},
            {"column": "volume_ratio_20", "op": ">=", "value": 2},
            {"column": "rsi_14", "op": "between", "value": [55, 80]},
            {"column": "roc_10", "op": ">", "value": 0}
        ],
        "rank": {"column": "volume_ratio_20", "order": "descending"},
        "limit": 50
    }',
    'krx-warehouse'
),
(
    'oversold_rebound', 1, 'Oversold rebound',
    'Oversold by RSI and near the lower Bollinger band, but up on the session with the fast Stochastic above the slow',
    '{
        "conditions": [
            {"column": "kind", "op": "not in", "value": ["etf", "etn", "spac"]},
            {"column": "value_krw", "op": ">=", "value": 500000000},
            {"column": "rsi_14", "op": "<=", "value": 40},
            {"column": "bollinger_percent_b", "op": "<=", "value": 0.3},
            {"column": "stochastic_k", "op": ">", "other": "stochastic_d"},
            {"column": "change_rate", "op": ">", "value": 0}
        ],
        "rank": {"column": "rsi_14", "order": "ascending"},
        "limit": 50
    }',
    'krx-warehouse'
),
(
    'stable_trend', 1, 'Stable trend',
    'Above its 60-session average for 20 sessions, averages in rising order, a trend by ADX, and little volatility',
    '{
        "conditions": [
            {"column": "kind", "op": "not in", "value": ["etf", "etn", "spac"]},
            {"column": "value_krw", "op": ">=", "value": 1000000000},
            {"column": "close", "op": ">", "other": "sma_60", "sessions": 20},
            {"column": "sma_20", "op": ">", "other": "sma_60"},
            {"column": "sma_60", "op": ">", "other": "sma_120"},
            {"column": "adx_14", "op": ">=", "value": 20},
            {"column": "realised_volatility_20", "op": "<=", "value": 0.35}
        ],
        "rank": {"column": "realised_volatility_20", "order": "ascending"},
        "limit": 50
    }',
    'krx-warehouse'
),
(
    'value_with_foreign_buying', 1, 'Value with foreign buying',
    'Cheap by book and earnings, paying a dividend, and bought by foreigners on balance over 20 sessions',
    '{
        "conditions": [
            {"column": "value_krw", "op": ">=", "value": 500000000},
            {"column": "pbr", "op": "between", "value": [0.2, 1]},
            {"column": "per", "op": "between", "value": [1, 10]},
            {"column": "dividend_yield_pct", "op": ">=", "value": 2},
            {"column": "foreign_net_krw_20", "op": ">", "value": 0},
            {"column": "foreign_pct_change_20", "op": ">", "value": 0}
        ],
        "rank": {"column": "foreign_pct_change_20", "order": "descending"},
        "limit": 50
    }',
    'krx-warehouse'
);
