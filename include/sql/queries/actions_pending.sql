-- Corporate actions that wait for bars or for an operator.
SELECT symbol, name, ex_date, kind, status, base_ratio, share_ratio, applied_ratio, confidence, evidence, decided_by
FROM mart.corporate_action
WHERE status = 'pending'
ORDER BY ex_date, symbol COLLATE "C"
