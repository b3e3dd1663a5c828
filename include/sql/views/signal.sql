CREATE OR REPLACE VIEW mart.signal AS
SELECT
    signal.symbol,
    issue.name,
    signal.session,
    signal.strategy,
    strategy.title,
    strategy.family,
    signal.side,
    signal.strength,
    signal.priority,
    signal.reason,
    signal.close,
    signal.known_at,
    signal.strategy_version
FROM derived.signal AS signal
LEFT JOIN market.instrument AS issue ON issue.symbol = signal.symbol
LEFT JOIN derived.strategy AS strategy ON strategy.name = signal.strategy
WHERE signal.withdrawn_at IS NULL;

COMMENT ON VIEW mart.signal IS 'Signals of strategies that stand; derived.signal has those that were withdrawn too';
COMMENT ON COLUMN mart.signal.symbol IS 'Exchange short code';
COMMENT ON COLUMN mart.signal.name IS 'Latest name';
COMMENT ON COLUMN mart.signal.session IS 'Trading day, Asia/Seoul: a signal uses nothing of later sessions';
COMMENT ON COLUMN mart.signal.strategy IS 'Name of the strategy in derived.strategy';
COMMENT ON COLUMN mart.signal.title IS 'Its name for people';
COMMENT ON COLUMN mart.signal.family IS 'Its group';
COMMENT ON COLUMN mart.signal.side IS 'What it says to do: buy or sell';
COMMENT ON COLUMN mart.signal.strength IS 'How strong it is, 0 to 100; derived.strategy says by what';
COMMENT ON COLUMN mart.signal.priority IS 'high from a strength of 70 on, else medium';
COMMENT ON COLUMN mart.signal.reason IS 'Why, with the numbers: prices as they were adjusted when it was found';
COMMENT ON COLUMN mart.signal.close IS 'Close of the session as published [KRW]';
COMMENT ON COLUMN mart.signal.known_at IS 'When it was known';
COMMENT ON COLUMN mart.signal.strategy_version IS 'Version of the strategy';

CREATE OR REPLACE VIEW mart.signal_today AS
SELECT * FROM mart.signal
WHERE session = (SELECT max(through) FROM derived.signal_state)
ORDER BY strength DESC, symbol, strategy;

COMMENT ON VIEW mart.signal_today IS 'The signals of the newest session looked at, the strongest first';
COMMENT ON COLUMN mart.signal_today.symbol IS 'Exchange short code';
COMMENT ON COLUMN mart.signal_today.name IS 'Latest name';
COMMENT ON COLUMN mart.signal_today.session IS 'The newest session signals were looked for on';
COMMENT ON COLUMN mart.signal_today.strategy IS 'Name of the strategy in derived.strategy';
COMMENT ON COLUMN mart.signal_today.title IS 'Its name for people';
COMMENT ON COLUMN mart.signal_today.family IS 'Its group';
COMMENT ON COLUMN mart.signal_today.side IS 'What it says to do: buy or sell';
COMMENT ON COLUMN mart.signal_today.strength IS 'How strong it is, 0 to 100; derived.strategy says by what';
COMMENT ON COLUMN mart.signal_today.priority IS 'high from a strength of 70 on, else medium';
COMMENT ON COLUMN mart.signal_today.reason IS 'Why, with the numbers: prices as they were adjusted when it was found';
COMMENT ON COLUMN mart.signal_today.close IS 'Close of the session as published [KRW]';
COMMENT ON COLUMN mart.signal_today.known_at IS 'When it was known';
COMMENT ON COLUMN mart.signal_today.strategy_version IS 'Version of the strategy';
