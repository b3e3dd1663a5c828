-- Backtests: what followed each strategy's signals over all history, and what a portfolio made of them.

CREATE TABLE derived.backtest (
    strategy           text NOT NULL,
    strategy_version   smallint NOT NULL,
    horizon            smallint NOT NULL CHECK (horizon > 0),
    slice_by           text NOT NULL CHECK (slice_by IN ('all', 'year', 'market')),
    slice              text NOT NULL,
    first_session      date NOT NULL,
    last_session       date NOT NULL,
    signals            integer,
    unfilled           integer,
    pending            integer,
    results            integer NOT NULL,
    success_rate       double precision,
    success_rate_low   double precision,
    success_rate_high  double precision,
    mean_return        double precision,
    mean_return_low    double precision,
    mean_return_high   double precision,
    median_return      double precision,
    mean_excess        double precision,
    sharpe_ratio       double precision,
    max_drawdown       double precision,
    profit_factor      double precision,
    computed_at        timestamptz NOT NULL,
    PRIMARY KEY (strategy, horizon, slice_by, slice)
);
COMMENT ON TABLE derived.backtest IS 'What followed the signals of a strategy: bought at the next open, sold after so many sessions; the latest run';
COMMENT ON COLUMN derived.backtest.strategy IS 'Strategy: derived.strategy';
COMMENT ON COLUMN derived.backtest.strategy_version IS 'Version of the strategy that was tested';
COMMENT ON COLUMN derived.backtest.horizon IS 'Sessions held, the first one included [sessions]';
COMMENT ON COLUMN derived.backtest.slice_by IS 'all results, those of a year of signals, or those of a market';
COMMENT ON COLUMN derived.backtest.slice IS 'all, the year, or the market';
COMMENT ON COLUMN derived.backtest.first_session IS 'First session of the bars tested on';
COMMENT ON COLUMN derived.backtest.last_session IS 'Last session of the bars tested on';
COMMENT ON COLUMN derived.backtest.signals IS 'Signals there were; null for a slice';
COMMENT ON COLUMN derived.backtest.unfilled IS 'Signals that could not be followed: halted, no bar, opened at the limit, tax unknown; null for a slice';
COMMENT ON COLUMN derived.backtest.pending IS 'Signals whose horizon is not over; null for a slice';
COMMENT ON COLUMN derived.backtest.results IS 'Results; below 30 the figures are null: too few to say anything';
COMMENT ON COLUMN derived.backtest.success_rate IS 'Share of results above zero after costs [ratio]';
COMMENT ON COLUMN derived.backtest.success_rate_low IS 'Lower end of its 95% confidence interval, blocks of neighbouring sessions taken as one [ratio]';
COMMENT ON COLUMN derived.backtest.success_rate_high IS 'Upper end of its 95% confidence interval [ratio]';
COMMENT ON COLUMN derived.backtest.mean_return IS 'Mean result after fee and tax; of a strategy that sells, what selling spared [ratio]';
COMMENT ON COLUMN derived.backtest.mean_return_low IS 'Lower end of its 95% confidence interval, blocks of neighbouring sessions taken as one [ratio]';
COMMENT ON COLUMN derived.backtest.mean_return_high IS 'Upper end of its 95% confidence interval [ratio]';
COMMENT ON COLUMN derived.backtest.median_return IS 'Median result [ratio]';
COMMENT ON COLUMN derived.backtest.mean_excess IS 'Mean result over that of the market''s index in the same time, where that is known [ratio]';
COMMENT ON COLUMN derived.backtest.sharpe_ratio IS 'Annual Sharpe ratio of a fund that spreads over all signals, marked at each close, without interest';
COMMENT ON COLUMN derived.backtest.max_drawdown IS 'Deepest fall of that fund from a high, negative [ratio]';
COMMENT ON COLUMN derived.backtest.profit_factor IS 'Gains over losses; null without a loss [ratio]';
COMMENT ON COLUMN derived.backtest.computed_at IS 'When it was computed';

CREATE TABLE derived.backtest_portfolio (
    strategy           text PRIMARY KEY,
    strategy_version   smallint NOT NULL,
    first_session      date NOT NULL,
    last_session       date NOT NULL,
    capital_krw        bigint NOT NULL,
    equity_krw         bigint NOT NULL,
    total_return       double precision NOT NULL,
    annual_return      double precision NOT NULL,
    annual_volatility  double precision,
    sharpe_ratio       double precision,
    max_drawdown       double precision NOT NULL,
    index_return       double precision,
    trades             integer NOT NULL,
    win_rate           double precision,
    fees_krw           bigint NOT NULL,
    taxes_krw          bigint NOT NULL,
    unfilled_orders    integer NOT NULL,
    rules              jsonb NOT NULL,
    computed_at        timestamptz NOT NULL
);
COMMENT ON TABLE derived.backtest_portfolio IS 'A portfolio that follows one strategy over all history by the rules of the paper book; the latest run';
COMMENT ON COLUMN derived.backtest_portfolio.strategy IS 'Strategy whose signals were bought';
COMMENT ON COLUMN derived.backtest_portfolio.strategy_version IS 'Its version';
COMMENT ON COLUMN derived.backtest_portfolio.first_session IS 'First session';
COMMENT ON COLUMN derived.backtest_portfolio.last_session IS 'Last session';
COMMENT ON COLUMN derived.backtest_portfolio.capital_krw IS 'Money at the start [KRW]';
COMMENT ON COLUMN derived.backtest_portfolio.equity_krw IS 'Cash and positions at the end [KRW]';
COMMENT ON COLUMN derived.backtest_portfolio.total_return IS 'Return from start to end [ratio]';
COMMENT ON COLUMN derived.backtest_portfolio.annual_return IS 'The same as a compound rate of 250 sessions [ratio]';
COMMENT ON COLUMN derived.backtest_portfolio.annual_volatility IS 'Standard deviation of daily returns times the root of 250 [ratio]';
COMMENT ON COLUMN derived.backtest_portfolio.sharpe_ratio IS 'Annual Sharpe ratio, without interest';
COMMENT ON COLUMN derived.backtest_portfolio.max_drawdown IS 'Deepest fall from a high, negative [ratio]';
COMMENT ON COLUMN derived.backtest_portfolio.index_return IS 'Return of KOSPI from its first known close to the end [ratio]';
COMMENT ON COLUMN derived.backtest_portfolio.trades IS 'Positions closed';
COMMENT ON COLUMN derived.backtest_portfolio.win_rate IS 'Share of them with a gain after costs [ratio]';
COMMENT ON COLUMN derived.backtest_portfolio.fees_krw IS 'Broker''s fees paid [KRW]';
COMMENT ON COLUMN derived.backtest_portfolio.taxes_krw IS 'Taxes paid on sales [KRW]';
COMMENT ON COLUMN derived.backtest_portfolio.unfilled_orders IS 'Orders that were not filled at all';
COMMENT ON COLUMN derived.backtest_portfolio.rules IS 'Rules it kept to: docs/paper-book.md';
COMMENT ON COLUMN derived.backtest_portfolio.computed_at IS 'When it was computed';

CREATE TABLE derived.backtest_equity (
    strategy     text NOT NULL,
    session      date NOT NULL,
    equity_krw   bigint NOT NULL,
    index_close  double precision,
    PRIMARY KEY (strategy, session)
);
COMMENT ON TABLE derived.backtest_equity IS 'Equity curves of the portfolios of derived.backtest_portfolio';
COMMENT ON COLUMN derived.backtest_equity.strategy IS 'Strategy whose signals were bought';
COMMENT ON COLUMN derived.backtest_equity.session IS 'Trading day, Asia/Seoul';
COMMENT ON COLUMN derived.backtest_equity.equity_krw IS 'Cash and positions at its close [KRW]';
COMMENT ON COLUMN derived.backtest_equity.index_close IS 'Close of KOSPI; null where it is not known [points]';
