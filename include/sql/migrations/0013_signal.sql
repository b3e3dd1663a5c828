-- Signals of strategies: computed from derived.indicator. One that a correction takes away is marked as withdrawn; one
-- that comes back, or changes, is overwritten. No row is deleted.

CREATE TABLE derived.strategy (
    name                text PRIMARY KEY,
    version             integer NOT NULL,
    title               text NOT NULL,
    family              text NOT NULL,
    side                text NOT NULL CHECK (side IN ('buy', 'sell')),
    condition           text NOT NULL,
    strength            text NOT NULL,
    source              text NOT NULL,
    memory              smallint NOT NULL,
    stop_loss_pct       double precision,
    evaluated_version   integer,
    checked_version     integer,
    retired_at          timestamptz
);
COMMENT ON TABLE derived.strategy IS 'The strategies, as declared in include/signals: docs/signals.md';
COMMENT ON COLUMN derived.strategy.name IS 'Name, as in derived.signal';
COMMENT ON COLUMN derived.strategy.version IS 'Version of the declaration: another one finds other signals, or finds them stronger or weaker';
COMMENT ON COLUMN derived.strategy.title IS 'Name for people';
COMMENT ON COLUMN derived.strategy.family IS 'Group it stands in';
COMMENT ON COLUMN derived.strategy.side IS 'What it says to do: buy or sell';
COMMENT ON COLUMN derived.strategy.condition IS 'When there is a signal, in words over columns of mart.indicator and mart.adjusted_daily_bar';
COMMENT ON COLUMN derived.strategy.strength IS 'What strength is measured by, and the values that give 0 and 100';
COMMENT ON COLUMN derived.strategy.source IS 'Where the rule comes from';
COMMENT ON COLUMN derived.strategy.memory IS 'Traded sessions before its own a signal looks at, beside what the indicators look at';
COMMENT ON COLUMN derived.strategy.stop_loss_pct IS 'How far below the entry the rule gets out again; null where it says nothing of that [percent]';
COMMENT ON COLUMN derived.strategy.evaluated_version IS 'Version with which all history was evaluated; null before the first time';
COMMENT ON COLUMN derived.strategy.checked_version IS 'Version of which signals with sessions around them were seen not to look ahead, nor further back than memory; null before that';
COMMENT ON COLUMN derived.strategy.retired_at IS 'Since when it is no longer declared; null while it is';

CALL ops.create_fact_table('derived.signal', 'session', interval '1 year', $columns$
    symbol              text NOT NULL,
    session             date NOT NULL,
    strategy            text NOT NULL,
    strategy_version    integer NOT NULL,
    side                text NOT NULL CHECK (side IN ('buy', 'sell')),
    strength            double precision NOT NULL CHECK (strength BETWEEN 0 AND 100),
    priority            text NOT NULL CHECK (priority IN ('high', 'medium')),
    reason              text NOT NULL,
    close               bigint NOT NULL,
    known_at            timestamptz NOT NULL,
    withdrawn_at        timestamptz,
    PRIMARY KEY (symbol, session, strategy)
$columns$, 'symbol');
CREATE INDEX signal_session ON derived.signal (session, strategy);
COMMENT ON TABLE derived.signal IS 'Signals of strategies on stocks, ETFs and ETNs, those withdrawn included; mart.signal has those that stand';
COMMENT ON COLUMN derived.signal.symbol IS 'Exchange short code';
COMMENT ON COLUMN derived.signal.session IS 'Trading day, Asia/Seoul: a signal uses nothing published after it';
COMMENT ON COLUMN derived.signal.strategy IS 'Name of the strategy';
COMMENT ON COLUMN derived.signal.strategy_version IS 'Version of the strategy';
COMMENT ON COLUMN derived.signal.side IS 'What it says to do: buy or sell';
COMMENT ON COLUMN derived.signal.strength IS 'How strong it is, 0 to 100; derived.strategy says by what';
COMMENT ON COLUMN derived.signal.priority IS 'high from a strength of 70 on, else medium';
COMMENT ON COLUMN derived.signal.reason IS 'Why, with the numbers: prices as they were adjusted when it was found';
COMMENT ON COLUMN derived.signal.close IS 'Close of the session as published when it was found [KRW]';
COMMENT ON COLUMN derived.signal.known_at IS 'When what it says now was known: with the session''s bar, flows and holdings; where these had been looked at before and something else brought or changed it, when that was found';
COMMENT ON COLUMN derived.signal.withdrawn_at IS 'When a correction or a new version of the strategy took it away; null while it stands, and again when it is back';

CREATE TABLE derived.signal_state (
    symbol          text PRIMARY KEY,
    first           date NOT NULL,
    through         date NOT NULL,
    indicated_at    timestamptz NOT NULL
);
COMMENT ON TABLE derived.signal_state IS 'Issues whose signals were looked for, and on which sessions';
COMMENT ON COLUMN derived.signal_state.symbol IS 'Exchange short code';
COMMENT ON COLUMN derived.signal_state.first IS 'First session looked at';
COMMENT ON COLUMN derived.signal_state.through IS 'Last session looked at';
COMMENT ON COLUMN derived.signal_state.indicated_at IS 'When the indicators looked at had been written: what was loaded later was not in them';

CREATE TABLE ops.unsignalled_symbol (symbol text PRIMARY KEY, since date NOT NULL);
COMMENT ON TABLE ops.unsignalled_symbol IS 'Issues whose indicators changed and whose signals were not looked for since';
COMMENT ON COLUMN ops.unsignalled_symbol.symbol IS 'Exchange short code';
COMMENT ON COLUMN ops.unsignalled_symbol.since IS 'First session whose indicators changed';
