CREATE OR REPLACE VIEW mart.backtest AS
SELECT
    result.strategy, strategy.title, strategy.side, result.strategy_version, result.horizon, result.slice_by,
    result.slice, result.first_session, result.last_session, result.signals, result.unfilled, result.pending,
    result.results, result.success_rate, result.success_rate_low, result.success_rate_high, result.mean_return,
    result.mean_return_low, result.mean_return_high, result.median_return, result.mean_excess, result.sharpe_ratio,
    result.max_drawdown, result.profit_factor, result.computed_at
FROM derived.backtest AS result
LEFT JOIN derived.strategy AS strategy ON strategy.name = result.strategy;

COMMENT ON VIEW mart.backtest IS 'What followed the signals of each strategy over all history, by horizon, in all, by year and by market: the latest run';
COMMENT ON COLUMN mart.backtest.strategy IS 'Strategy: derived.strategy';
COMMENT ON COLUMN mart.backtest.title IS 'Name of the strategy, for people';
COMMENT ON COLUMN mart.backtest.side IS 'buy or sell';
COMMENT ON COLUMN mart.backtest.strategy_version IS 'Version of the strategy that was tested';
COMMENT ON COLUMN mart.backtest.horizon IS 'Sessions held, the first one included [sessions]';
COMMENT ON COLUMN mart.backtest.slice_by IS 'all results, those of a year of signals, or those of a market';
COMMENT ON COLUMN mart.backtest.slice IS 'all, the year, or the market';
COMMENT ON COLUMN mart.backtest.first_session IS 'First session of the bars tested on';
COMMENT ON COLUMN mart.backtest.last_session IS 'Last session of the bars tested on';
COMMENT ON COLUMN mart.backtest.signals IS 'Signals there were; null for a slice';
COMMENT ON COLUMN mart.backtest.unfilled IS 'Signals that could not be followed: halted, no bar, opened at the limit, tax unknown; null for a slice';
COMMENT ON COLUMN mart.backtest.pending IS 'Signals whose horizon is not over, or that could not be sold since; null for a slice';
COMMENT ON COLUMN mart.backtest.results IS 'Results; below 30 the figures are null: too few to say anything';
COMMENT ON COLUMN mart.backtest.success_rate IS 'Share of results above zero [ratio]';
COMMENT ON COLUMN mart.backtest.success_rate_low IS 'Lower end of its 95% confidence interval, blocks of neighbouring sessions taken as one [ratio]';
COMMENT ON COLUMN mart.backtest.success_rate_high IS 'Upper end of its 95% confidence interval [ratio]';
COMMENT ON COLUMN mart.backtest.mean_return IS 'Mean result after fee and tax; of a strategy that sells, what selling spared, without costs [ratio]';
COMMENT ON COLUMN mart.backtest.mean_return_low IS 'Lower end of its 95% confidence interval, blocks of neighbouring sessions taken as one [ratio]';
COMMENT ON COLUMN mart.backtest.mean_return_high IS 'Upper end of its 95% confidence interval [ratio]';
COMMENT ON COLUMN mart.backtest.median_return IS 'Median result [ratio]';
COMMENT ON COLUMN mart.backtest.mean_excess IS 'Mean result over that of the market''s index in the same time, where that is known [ratio]';
COMMENT ON COLUMN mart.backtest.sharpe_ratio IS 'Annual Sharpe ratio of a fund that spreads over all signals, marked at each close, without interest';
COMMENT ON COLUMN mart.backtest.max_drawdown IS 'Deepest fall of that fund from a high, negative [ratio]';
COMMENT ON COLUMN mart.backtest.profit_factor IS 'Gains over losses; null without a loss [ratio]';
COMMENT ON COLUMN mart.backtest.computed_at IS 'When it was computed';

CREATE OR REPLACE VIEW mart.backtest_portfolio AS
SELECT
    portfolio.strategy, strategy.title, portfolio.strategy_version, portfolio.first_session, portfolio.last_session, portfolio.capital_krw, portfolio.equity_krw, portfolio.total_return,
    portfolio.annual_return, portfolio.annual_volatility, portfolio.sharpe_ratio, portfolio.max_drawdown, portfolio.index_return, portfolio.trades,
    portfolio.win_rate, portfolio.fees_krw, portfolio.taxes_krw, portfolio.unfilled_orders, portfolio.rules, portfolio.computed_at
FROM derived.backtest_portfolio AS portfolio
LEFT JOIN derived.strategy AS strategy ON strategy.name = portfolio.strategy;

COMMENT ON VIEW mart.backtest_portfolio IS 'What a portfolio that follows one strategy made of it by the rules of the paper book: the latest run';
COMMENT ON COLUMN mart.backtest_portfolio.strategy IS 'Strategy whose signals were bought';
COMMENT ON COLUMN mart.backtest_portfolio.title IS 'Name of the strategy, for people';
COMMENT ON COLUMN mart.backtest_portfolio.strategy_version IS 'Its version';
COMMENT ON COLUMN mart.backtest_portfolio.first_session IS 'First session';
COMMENT ON COLUMN mart.backtest_portfolio.last_session IS 'Last session';
COMMENT ON COLUMN mart.backtest_portfolio.capital_krw IS 'Money at the start [KRW]';
COMMENT ON COLUMN mart.backtest_portfolio.equity_krw IS 'Cash and positions at the end [KRW]';
COMMENT ON COLUMN mart.backtest_portfolio.total_return IS 'Return from start to end [ratio]';
COMMENT ON COLUMN mart.backtest_portfolio.annual_return IS 'The same as a compound rate of 250 sessions [ratio]';
COMMENT ON COLUMN mart.backtest_portfolio.annual_volatility IS 'Standard deviation of daily returns times the root of 250 [ratio]';
COMMENT ON COLUMN mart.backtest_portfolio.sharpe_ratio IS 'Annual Sharpe ratio, without interest';
COMMENT ON COLUMN mart.backtest_portfolio.max_drawdown IS 'Deepest fall from a high, negative [ratio]';
COMMENT ON COLUMN mart.backtest_portfolio.index_return IS 'Return of KOSPI from its first known close to the end [ratio]';
COMMENT ON COLUMN mart.backtest_portfolio.trades IS 'Positions closed';
COMMENT ON COLUMN mart.backtest_portfolio.win_rate IS 'Share of them with a gain after costs [ratio]';
COMMENT ON COLUMN mart.backtest_portfolio.fees_krw IS 'Broker''s fees paid [KRW]';
COMMENT ON COLUMN mart.backtest_portfolio.taxes_krw IS 'Taxes paid on sales [KRW]';
COMMENT ON COLUMN mart.backtest_portfolio.unfilled_orders IS 'Orders that were not filled at all';
COMMENT ON COLUMN mart.backtest_portfolio.rules IS 'Rules it kept to: docs/paper-book.md';
COMMENT ON COLUMN mart.backtest_portfolio.computed_at IS 'When it was computed';

CREATE OR REPLACE VIEW mart.backtest_equity AS
SELECT
    strategy,
    session,
    equity_krw,
    equity_krw::double precision / portfolio.capital_krw - 1 AS return_since_start,
    index_close / first_index_close - 1 AS index_return_since_start,
    equity_krw::double precision / max(equity_krw) OVER curve - 1 AS drawdown
FROM derived.backtest_equity
JOIN (SELECT strategy, capital_krw FROM derived.backtest_portfolio) AS portfolio USING (strategy)
LEFT JOIN (
    SELECT DISTINCT ON (strategy) strategy, index_close AS first_index_close
    FROM derived.backtest_equity WHERE index_close IS NOT NULL ORDER BY strategy, session
) AS beginning USING (strategy)
WINDOW curve AS (PARTITION BY strategy ORDER BY session);

COMMENT ON VIEW mart.backtest_equity IS 'Equity curves of the portfolios of mart.backtest_portfolio';
COMMENT ON COLUMN mart.backtest_equity.strategy IS 'Strategy whose signals were bought';
COMMENT ON COLUMN mart.backtest_equity.session IS 'Trading day, Asia/Seoul';
COMMENT ON COLUMN mart.backtest_equity.equity_krw IS 'Cash and positions at its close [KRW]';
COMMENT ON COLUMN mart.backtest_equity.return_since_start IS 'Return from the start to the session [ratio]';
COMMENT ON COLUMN mart.backtest_equity.index_return_since_start IS 'Return of KOSPI from its first known close to the session [ratio]';
COMMENT ON COLUMN mart.backtest_equity.drawdown IS 'Below the highest equity so far, negative [ratio]';
