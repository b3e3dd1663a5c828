-- The fact tables of all datasets besides the daily bars, and what is derived from their loads.

DROP PROCEDURE ops.create_fact_table;
CREATE PROCEDURE ops.create_fact_table(
    table_name text, time_column text, chunk interval, columns text, subject_column text)
LANGUAGE plpgsql AS $$
BEGIN
    IF ops.has_timescaledb() THEN
        EXECUTE format('CREATE TABLE %s (%s)', table_name, columns);
        EXECUTE format(
            'SELECT create_hypertable(%L, by_range(%L, %L::interval), create_default_indexes => false)',
            table_name, time_column, chunk);
        -- The columnstore is refused (0A000) under the Apache licence.
        IF current_setting('timescaledb.license', true) = 'timescale' THEN
            EXECUTE format(
                'ALTER TABLE %s SET (timescaledb.enable_columnstore, timescaledb.segmentby = %L, '
                'timescaledb.orderby = %L)', table_name, subject_column, time_column);
            EXECUTE format('CALL add_columnstore_policy(%L, after => interval ''2 years'')', table_name);
        END IF;
    ELSE
        EXECUTE format('CREATE TABLE %s (%s) PARTITION BY RANGE (%I)', table_name, columns, time_column);
    END IF;
END
$$;
COMMENT ON PROCEDURE ops.create_fact_table IS 'Creates a hypertable, or a range-partitioned table without TimescaleDB';

CREATE PROCEDURE ops.create_revision_table(fact_table text, key_columns text)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE TABLE %1$s_revision (LIKE %1$s, superseded_at timestamptz NOT NULL, superseded_by bigint NOT NULL, '
        'PRIMARY KEY (%2$s, superseded_by))', fact_table, key_columns);
    EXECUTE format(
        'COMMENT ON TABLE %1$s_revision IS ''Values of %1$s that a correction replaced: they held from known_at '
        'until superseded_at''', fact_table);
    EXECUTE format('COMMENT ON COLUMN %s_revision.superseded_at IS ''When the correction became known''', fact_table);
    EXECUTE format('COMMENT ON COLUMN %s_revision.superseded_by IS ''Batch that brought the correction''', fact_table);
END
$$;
COMMENT ON PROCEDURE ops.create_revision_table IS 'Creates the table that keeps what corrections of a fact table replaced';

CALL ops.create_fact_table('market.etp_daily_bar', 'session', interval '1 year', $columns$
    symbol            text NOT NULL,
    session           date NOT NULL,
    kind              text NOT NULL,
    market            text NOT NULL,
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
    nav               numeric(18,2),
    net_assets_krw    bigint,
    underlying_index  text,
    underlying_close  numeric(18,2),
    halted            boolean NOT NULL,
    source            text NOT NULL,
    batch_id          bigint NOT NULL,
    known_at          timestamptz NOT NULL,
    PRIMARY KEY (symbol, session)
$columns$, 'symbol');
CREATE INDEX etp_daily_bar_session ON market.etp_daily_bar (session);
CALL ops.create_revision_table('market.etp_daily_bar', 'symbol, session');

CALL ops.create_fact_table('market.listed_instrument', 'session', interval '1 year', $columns$
    symbol         text NOT NULL,
    session        date NOT NULL,
    isin           text,
    name           text NOT NULL,
    full_name      text,
    english_name   text,
    market         text NOT NULL,
    kind           text NOT NULL,
    section        text NOT NULL,
    listed_on      date,
    par_value      numeric(18,4),
    listed_shares  bigint NOT NULL,
    source         text NOT NULL,
    batch_id       bigint NOT NULL,
    known_at       timestamptz NOT NULL,
    PRIMARY KEY (symbol, session)
$columns$, 'symbol');
CREATE INDEX listed_instrument_session ON market.listed_instrument (session);
CALL ops.create_revision_table('market.listed_instrument', 'symbol, session');

CALL ops.create_fact_table('market.sector', 'session', interval '1 year', $columns$
    symbol    text NOT NULL,
    session   date NOT NULL,
    market    text NOT NULL,
    sector    text NOT NULL,
    source    text NOT NULL,
    batch_id  bigint NOT NULL,
    known_at  timestamptz NOT NULL,
    PRIMARY KEY (symbol, session)
$columns$, 'symbol');
CREATE INDEX sector_session ON market.sector (session);
CALL ops.create_revision_table('market.sector', 'symbol, session');

CALL ops.create_fact_table('market.investor_flow', 'session', interval '1 year', $columns$
    symbol       text NOT NULL,
    session      date NOT NULL,
    investor     text NOT NULL,
    sell_shares  bigint,
    buy_shares   bigint,
    net_shares   bigint,
    sell_krw     bigint,
    buy_krw      bigint,
    net_krw      bigint,
    source       text NOT NULL,
    batch_id     bigint NOT NULL,
    known_at     timestamptz NOT NULL,
    PRIMARY KEY (symbol, session, investor)
$columns$, 'symbol');
CREATE INDEX investor_flow_session ON market.investor_flow (session);
CALL ops.create_revision_table('market.investor_flow', 'symbol, session, investor');

CALL ops.create_fact_table('market.market_investor_flow', 'session', interval '1 year', $columns$
    market       text NOT NULL,
    session      date NOT NULL,
    investor     text NOT NULL,
    sell_shares  bigint,
    buy_shares   bigint,
    net_shares   bigint,
    sell_krw     bigint,
    buy_krw      bigint,
    net_krw      bigint,
    source       text NOT NULL,
    batch_id     bigint NOT NULL,
    known_at     timestamptz NOT NULL,
    PRIMARY KEY (market, session, investor)
$columns$, 'market');
CREATE INDEX market_investor_flow_session ON market.market_investor_flow (session);
CALL ops.create_revision_table('market.market_investor_flow', 'market, session, investor');

CALL ops.create_fact_table('market.etf_holding', 'session', interval '1 year', $columns$
    fund        text NOT NULL,
    session     date NOT NULL,
    position    smallint NOT NULL,
    component   text NOT NULL,
    name        text NOT NULL,
    kind        text NOT NULL,
    shares      numeric(18,2),
    value_krw   bigint,
    weight_pct  numeric(18,4),
    complete    boolean NOT NULL,
    source      text NOT NULL,
    batch_id    bigint NOT NULL,
    known_at    timestamptz NOT NULL,
    PRIMARY KEY (fund, session, position)
$columns$, 'fund');
CREATE INDEX etf_holding_session ON market.etf_holding (session);
CALL ops.create_revision_table('market.etf_holding', 'fund, session, position');

CALL ops.create_fact_table('market.fundamental', 'session', interval '1 year', $columns$
    symbol              text NOT NULL,
    session             date NOT NULL,
    close               bigint NOT NULL,
    eps_krw             bigint,
    per                 numeric(12,2),
    bps_krw             bigint,
    pbr                 numeric(12,2),
    dps_krw             bigint,
    dividend_yield_pct  numeric(12,2),
    source              text NOT NULL,
    batch_id            bigint NOT NULL,
    known_at            timestamptz NOT NULL,
    PRIMARY KEY (symbol, session)
$columns$, 'symbol');
CREATE INDEX fundamental_session ON market.fundamental (session);
CALL ops.create_revision_table('market.fundamental', 'symbol, session');

CALL ops.create_fact_table('market.foreign_holding', 'session', interval '1 year', $columns$
    symbol          text NOT NULL,
    session         date NOT NULL,
    foreign_shares  bigint NOT NULL,
    foreign_pct     numeric(12,2) NOT NULL,
    listed_shares   bigint,
    limit_shares    bigint,
    limit_used_pct  numeric(12,2),
    source          text NOT NULL,
    batch_id        bigint NOT NULL,
    known_at        timestamptz NOT NULL,
    PRIMARY KEY (symbol, session)
$columns$, 'symbol');
CREATE INDEX foreign_holding_session ON market.foreign_holding (session);
CALL ops.create_revision_table('market.foreign_holding', 'symbol, session');

CALL ops.create_fact_table('market.index_bar', 'session', interval '1 year', $columns$
    index_name      text NOT NULL,
    family          text NOT NULL,
    session         date NOT NULL,
    open            numeric(18,2),
    high            numeric(18,2),
    low             numeric(18,2),
    close           numeric(18,2) NOT NULL,
    change          numeric(18,2),
    volume          bigint,
    value_krw       bigint,
    market_cap_krw  bigint,
    source          text NOT NULL,
    batch_id        bigint NOT NULL,
    known_at        timestamptz NOT NULL,
    PRIMARY KEY (index_name, family, session)
$columns$, 'index_name');
CREATE INDEX index_bar_session ON market.index_bar (session);
CALL ops.create_revision_table('market.index_bar', 'index_name, family, session');

CALL ops.create_fact_table('market.global_bar', 'session', interval '1 year', $columns$
    symbol    text NOT NULL,
    session   date NOT NULL,
    open      numeric(18,6) NOT NULL,
    high      numeric(18,6) NOT NULL,
    low       numeric(18,6) NOT NULL,
    close     numeric(18,6) NOT NULL,
    volume    bigint,
    source    text NOT NULL,
    batch_id  bigint NOT NULL,
    known_at  timestamptz NOT NULL,
    PRIMARY KEY (symbol, session)
$columns$, 'symbol');
CREATE INDEX global_bar_session ON market.global_bar (session);
CALL ops.create_revision_table('market.global_bar', 'symbol, session');

CREATE TABLE market.delisting (
    symbol            text NOT NULL,
    session           date NOT NULL,
    name              text NOT NULL,
    market            text NOT NULL,
    security_group    text NOT NULL,
    listed_on         date,
    reason            text NOT NULL,
    successor_symbol  text,
    source            text NOT NULL,
    batch_id          bigint NOT NULL,
    known_at          timestamptz NOT NULL,
    PRIMARY KEY (symbol, session)
);
CREATE INDEX delisting_session ON market.delisting (session);
CALL ops.create_revision_table('market.delisting', 'symbol, session');

CREATE TABLE market.dividend (
    symbol          text NOT NULL,
    session         date NOT NULL,
    amount_krw      numeric(18,4) NOT NULL,
    split_adjusted  boolean NOT NULL,
    record_on       date,
    paid_on         date,
    source          text NOT NULL,
    batch_id        bigint NOT NULL,
    known_at        timestamptz NOT NULL,
    PRIMARY KEY (symbol, session)
);
CREATE INDEX dividend_session ON market.dividend (session);
CALL ops.create_revision_table('market.dividend', 'symbol, session');

CALL ops.create_fact_table('market.intraday_snapshot', 'session', interval '7 days', $columns$
    symbol     text NOT NULL,
    session    date NOT NULL,
    at         timestamptz NOT NULL,
    venue      text NOT NULL,
    price      bigint NOT NULL,
    open       bigint NOT NULL,
    high       bigint NOT NULL,
    low        bigint NOT NULL,
    change     bigint NOT NULL,
    volume     bigint NOT NULL,
    value_krw  bigint,
    source     text NOT NULL,
    batch_id   bigint NOT NULL,
    known_at   timestamptz NOT NULL,
    PRIMARY KEY (symbol, session, at)
$columns$, 'symbol');
CREATE INDEX intraday_snapshot_session ON market.intraday_snapshot (session);
CALL ops.create_revision_table('market.intraday_snapshot', 'symbol, session, at');

-- Sessions each issue did not trade on, kept like market.instrument_observation: the same in any order of loading.
CREATE TABLE market.halt (
    symbol  text PRIMARY KEY,
    halted  datemultirange NOT NULL
);
COMMENT ON TABLE market.halt IS 'When each issue was halted; mart.instrument_event lists halts and resumptions';
COMMENT ON COLUMN market.halt.symbol IS 'Exchange short code';
COMMENT ON COLUMN market.halt.halted IS 'Halted sessions, each as the days from it up to the next session';

CREATE TABLE ops.watched_symbol (
    symbol    text PRIMARY KEY,
    note      text,
    added_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ops.watched_symbol IS 'Issues to take intraday snapshots of; while it is empty, the 200 largest by turnover of the last session are';
COMMENT ON COLUMN ops.watched_symbol.symbol IS 'Exchange short code';
COMMENT ON COLUMN ops.watched_symbol.note IS 'Why it is watched';
COMMENT ON COLUMN ops.watched_symbol.added_at IS 'When it was added';
