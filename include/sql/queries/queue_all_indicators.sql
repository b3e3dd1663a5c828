-- Every issue that has bars, or has indicators: due whole.
INSERT INTO ops.indicator_due AS due (symbol, since)
SELECT symbol, '0001-01-01'
FROM (SELECT symbol FROM mart.daily_bar UNION SELECT symbol FROM derived.indicator_state) AS issue
ON CONFLICT (symbol) DO UPDATE SET since = excluded.since WHERE excluded.since < due.since
