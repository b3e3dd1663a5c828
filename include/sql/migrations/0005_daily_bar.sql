CALL ops.create_fact_table('market.daily_bar', 'session', interval '1 year', $columns$
    symbol            text NOT NULL,
    session           date NOT NULL,
    open              bigint NOT NULL,
    high              bigint NOT NULL,
    low               bigint NOT NULL,
    close             bigint NOT NULL,
    volume            bigint NOT NULL,
    value_krw         bigint NOT NULL,
    market_cap_krw    bigint NOT NULL,
    listed_shares     bigint NOT NULL,
    change            bigint NOT NULL,
    base_price        bigint NOT NULL,
    fluctuation_code  smallint NOT NULL,
    market            text NOT NULL,
    venue             text NOT NULL,
    halted            boolean NOT NULL,
    source            text NOT NULL,
    batch_id          bigint NOT NULL,
    known_at          timestamptz NOT NULL,
    PRIMARY KEY (symbol, session)
$columns$);
CREATE INDEX daily_bar_session ON market.daily_bar (session);

CREATE TABLE market.daily_bar_revision (
    LIKE market.daily_bar,
    superseded_at  timestamptz NOT NULL,
    superseded_by  bigint NOT NULL,
    PRIMARY KEY (symbol, session, superseded_by)
);
COMMENT ON TABLE market.daily_bar_revision IS 'Values of market.daily_bar that a correction replaced: they held from known_at until superseded_at';
COMMENT ON COLUMN market.daily_bar_revision.superseded_at IS 'When the correction became known';
COMMENT ON COLUMN market.daily_bar_revision.superseded_by IS 'Batch that brought the correction';
