-- What some comments and meanings said was not what is so.
COMMENT ON COLUMN derived.indicator.session IS 'Trading day, Asia/Seoul: a value uses nothing of later sessions';
COMMENT ON COLUMN derived.signal.session IS 'Trading day, Asia/Seoul: a signal uses nothing of later sessions';
COMMENT ON COLUMN derived.backtest.pending IS 'Signals whose horizon is not over, or that could not be sold since; null for a slice';
COMMENT ON COLUMN derived.backtest.success_rate IS 'Share of results above zero [ratio]';

UPDATE derived.screen
SET meaning = 'Close within 3% of the 52-week high, above its averages, the shorter above the longer, on twice the usual volume or more, RSI 55 to 80'
WHERE name = 'momentum_breakout' AND version = 1 AND created_by = 'krx-warehouse';
UPDATE derived.screen
SET meaning = 'RSI at most 40 and near the lower Bollinger band, but up on the session with the fast Stochastic above the slow'
WHERE name = 'oversold_rebound' AND version = 1 AND created_by = 'krx-warehouse';
