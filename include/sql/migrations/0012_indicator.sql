-- Indicators of adjusted daily bars: one row per issue and session, computed from market.* and computed again when it changes.

CALL ops.create_fact_table('derived.indicator', 'session', interval '1 year', $columns$
    symbol                  text NOT NULL,
    session                 date NOT NULL,
    traded                  boolean NOT NULL,
    traded_sessions         smallint NOT NULL,
    flat                    bigint NOT NULL,
    sma_5                   double precision,
    sma_20                  double precision,
    sma_50                  double precision,
    sma_60                  double precision,
    sma_120                 double precision,
    sma_200                 double precision,
    ema_12                  double precision,
    ema_26                  double precision,
    macd                    double precision,
    macd_signal             double precision,
    macd_histogram          double precision,
    ichimoku_tenkan         double precision,
    ichimoku_kijun          double precision,
    ichimoku_senkou_a       double precision,
    ichimoku_senkou_b       double precision,
    ichimoku_chikou         double precision,
    adx_14                  double precision,
    plus_di_14              double precision,
    minus_di_14             double precision,
    rsi_14                  double precision,
    stochastic_k            double precision,
    stochastic_d            double precision,
    williams_r_14           double precision,
    cci_20                  double precision,
    roc_10                  double precision,
    bollinger_upper         double precision,
    bollinger_middle        double precision,
    bollinger_lower         double precision,
    bollinger_width         double precision,
    bollinger_percent_b     double precision,
    atr_14                  double precision,
    realised_volatility_20  double precision,
    high_52_weeks           double precision,
    low_52_weeks            double precision,
    mfi_14                  double precision,
    obv                     double precision,
    volume_ratio_20         double precision,
    beta_60                 double precision,
    relative_strength_60    double precision,
    foreign_net_krw_5       double precision,
    foreign_net_krw_20      double precision,
    institution_net_krw_5   double precision,
    institution_net_krw_20  double precision,
    foreign_pct_change_20   double precision,
    PRIMARY KEY (symbol, session)
$columns$, 'symbol');
CREATE INDEX indicator_session ON derived.indicator (session);
COMMENT ON TABLE derived.indicator IS 'Indicators of stocks, ETFs and ETNs on adjusted prices, as prices are adjusted now; null has a reason: mart.null_reason';
COMMENT ON COLUMN derived.indicator.symbol IS 'Exchange short code';
COMMENT ON COLUMN derived.indicator.session IS 'Trading day, Asia/Seoul: a value uses nothing published after it';
COMMENT ON COLUMN derived.indicator.traded IS 'Whether the issue traded; all indicators are null on a session it did not';
COMMENT ON COLUMN derived.indicator.traded_sessions IS 'Traded sessions of the issue before this one, counted to 600: an indicator is null until it has warmed up';
COMMENT ON COLUMN derived.indicator.flat IS 'Which indicators are null because nothing moved in their window: bit n is the n-th of derived.indicator_column, from 0';
COMMENT ON COLUMN derived.indicator.sma_5 IS 'Mean close of the last 5 sessions [KRW]';
COMMENT ON COLUMN derived.indicator.sma_20 IS 'Mean close of the last 20 sessions [KRW]';
COMMENT ON COLUMN derived.indicator.sma_50 IS 'Mean close of the last 50 sessions [KRW]';
COMMENT ON COLUMN derived.indicator.sma_60 IS 'Mean close of the last 60 sessions [KRW]';
COMMENT ON COLUMN derived.indicator.sma_120 IS 'Mean close of the last 120 sessions [KRW]';
COMMENT ON COLUMN derived.indicator.sma_200 IS 'Mean close of the last 200 sessions [KRW]';
COMMENT ON COLUMN derived.indicator.ema_12 IS 'Exponential average of the close, weight 2/13, begun with the mean of the first 12 [KRW]';
COMMENT ON COLUMN derived.indicator.ema_26 IS 'Exponential average of the close, weight 2/27, begun with the mean of the first 26 [KRW]';
COMMENT ON COLUMN derived.indicator.macd IS 'Fast less slow exponential average of the close [KRW]';
COMMENT ON COLUMN derived.indicator.macd_signal IS 'Exponential average of macd over 9 sessions [KRW]';
COMMENT ON COLUMN derived.indicator.macd_histogram IS 'macd less macd_signal [KRW]';
COMMENT ON COLUMN derived.indicator.ichimoku_tenkan IS 'Middle of the highest high and lowest low of 9 sessions [KRW]';
COMMENT ON COLUMN derived.indicator.ichimoku_kijun IS 'Middle of the highest high and lowest low of 26 sessions [KRW]';
COMMENT ON COLUMN derived.indicator.ichimoku_senkou_a IS 'Middle of tenkan and kijun as of 26 sessions before [KRW]';
COMMENT ON COLUMN derived.indicator.ichimoku_senkou_b IS 'Middle of 52 sessions'' extremes as of 26 sessions before [KRW]';
COMMENT ON COLUMN derived.indicator.ichimoku_chikou IS 'The session''s own close, which a chart draws 26 sessions back: compare it to what was there [KRW]';
COMMENT ON COLUMN derived.indicator.adx_14 IS 'Strength of the trend, whatever its direction [percent]';
COMMENT ON COLUMN derived.indicator.plus_di_14 IS 'Upward movement over true range, both smoothed [percent]';
COMMENT ON COLUMN derived.indicator.minus_di_14 IS 'Downward movement over true range, both smoothed [percent]';
COMMENT ON COLUMN derived.indicator.rsi_14 IS 'Average gain over average gain and loss, Wilder''s smoothing [percent]';
COMMENT ON COLUMN derived.indicator.stochastic_k IS 'Where the close is in 14 sessions'' range, mean of 3 [percent]';
COMMENT ON COLUMN derived.indicator.stochastic_d IS 'Mean of stochastic_k over 3 sessions [percent]';
COMMENT ON COLUMN derived.indicator.williams_r_14 IS 'The close below the highest high, -100 at the lowest low [percent]';
COMMENT ON COLUMN derived.indicator.cci_20 IS 'Typical price less its mean, over 0.015 mean deviations [ratio]';
COMMENT ON COLUMN derived.indicator.roc_10 IS 'The close over that of 10 sessions before, less one: two weeks'' change [percent]';
COMMENT ON COLUMN derived.indicator.bollinger_upper IS 'Mean close of 20 sessions and two standard deviations [KRW]';
COMMENT ON COLUMN derived.indicator.bollinger_middle IS 'Mean close of 20 sessions [KRW]';
COMMENT ON COLUMN derived.indicator.bollinger_lower IS 'Mean close of 20 sessions less two standard deviations [KRW]';
COMMENT ON COLUMN derived.indicator.bollinger_width IS 'Upper less lower band, over the middle [ratio]';
COMMENT ON COLUMN derived.indicator.bollinger_percent_b IS 'Where the close is between the lower (0) and upper (1) band [ratio]';
COMMENT ON COLUMN derived.indicator.atr_14 IS 'True range, Wilder''s smoothing [KRW]';
COMMENT ON COLUMN derived.indicator.realised_volatility_20 IS 'Sample standard deviation of 20 log returns times the root of 250: annual [ratio per year]';
COMMENT ON COLUMN derived.indicator.high_52_weeks IS 'Highest high of the last 250 sessions, the session''s own included [KRW]';
COMMENT ON COLUMN derived.indicator.low_52_weeks IS 'Lowest low of the last 250 sessions, the session''s own included [KRW]';
COMMENT ON COLUMN derived.indicator.mfi_14 IS 'Share of money flow that came on a rising typical price [percent]';
COMMENT ON COLUMN derived.indicator.obv IS 'Volume added on a rising and taken off on a falling close, since the first [shares]';
COMMENT ON COLUMN derived.indicator.volume_ratio_20 IS 'Volume over the mean volume of the 20 sessions before [ratio]';
COMMENT ON COLUMN derived.indicator.beta_60 IS 'Slope of 60 returns on the index''s between the same sessions [ratio]';
COMMENT ON COLUMN derived.indicator.relative_strength_60 IS 'Growth of the close over growth of the index in 60 sessions - 1 [ratio]';
COMMENT ON COLUMN derived.indicator.foreign_net_krw_5 IS 'Bought less sold by foreigners over the last 5 sessions [KRW]';
COMMENT ON COLUMN derived.indicator.foreign_net_krw_20 IS 'Bought less sold by foreigners over the last 20 sessions [KRW]';
COMMENT ON COLUMN derived.indicator.institution_net_krw_5 IS 'Bought less sold by institutions over the last 5 sessions [KRW]';
COMMENT ON COLUMN derived.indicator.institution_net_krw_20 IS 'Bought less sold by institutions over the last 20 sessions [KRW]';
COMMENT ON COLUMN derived.indicator.foreign_pct_change_20 IS 'Held by foreigners, less that of 20 sessions before [percentage points]';

CREATE TABLE derived.indicator_column (
    position    smallint PRIMARY KEY,
    name        text NOT NULL UNIQUE,
    family      text NOT NULL,
    title       text NOT NULL,
    unit        text NOT NULL,
    parameters  jsonb NOT NULL,
    warm_up     smallint NOT NULL,
    flat        text NOT NULL,
    meaning     text NOT NULL,
    source      text NOT NULL
);
COMMENT ON TABLE derived.indicator_column IS 'The columns of derived.indicator: what each is of and where its formula comes from';
COMMENT ON COLUMN derived.indicator_column.position IS 'Place among the indicators, from 0';
COMMENT ON COLUMN derived.indicator_column.name IS 'Column of derived.indicator';
COMMENT ON COLUMN derived.indicator_column.family IS 'trend, momentum, volatility, levels, volume, market or flows';
COMMENT ON COLUMN derived.indicator_column.title IS 'Name of the indicator';
COMMENT ON COLUMN derived.indicator_column.unit IS 'Unit of the values';
COMMENT ON COLUMN derived.indicator_column.parameters IS 'Parameters of the formula [sessions]';
COMMENT ON COLUMN derived.indicator_column.warm_up IS 'Traded sessions of an issue before the first one with a value';
COMMENT ON COLUMN derived.indicator_column.flat IS 'What a window in which nothing moves gives: defined, or when the value is null';
COMMENT ON COLUMN derived.indicator_column.meaning IS 'What it says';
COMMENT ON COLUMN derived.indicator_column.source IS 'Where the formula comes from';

CREATE TABLE derived.indicator_state (
    symbol         text PRIMARY KEY,
    factor_digest  text NOT NULL,
    formula_digest text NOT NULL,
    written_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE derived.indicator_state IS 'Issues with rows in derived.indicator, and what those rest on';
COMMENT ON COLUMN derived.indicator_state.symbol IS 'Exchange short code';
COMMENT ON COLUMN derived.indicator_state.factor_digest IS 'Digest of the adjustment factors the rows were computed with; where it is no longer that of market.adjustment_factor, all of them are computed again';
COMMENT ON COLUMN derived.indicator_state.formula_digest IS 'Digest of the formulas the rows were computed with; where they are other ones now, all of them are computed again';
COMMENT ON COLUMN derived.indicator_state.written_at IS 'When rows of the issue were written last';

CREATE TABLE ops.indicated_batch (batch_id bigint PRIMARY KEY);
COMMENT ON TABLE ops.indicated_batch IS 'Batches looked at for what they change in the indicators: it is in derived.indicator, or in ops.indicator_due';
COMMENT ON COLUMN ops.indicated_batch.batch_id IS 'Batch of the ledger';

CREATE TABLE ops.indicator_due (
    symbol  text PRIMARY KEY,
    since   date NOT NULL
);
COMMENT ON TABLE ops.indicator_due IS 'Issues whose indicators are to be computed; empty but during a run, or after one that was cut short';
COMMENT ON COLUMN ops.indicator_due.symbol IS 'Exchange short code';
COMMENT ON COLUMN ops.indicator_due.since IS 'First session to compute; 0001-01-01 for all of them';
