CREATE OR REPLACE VIEW mart.source_budget AS
SELECT quota.source, quota.day, quota.calls
FROM ops.source_quota AS quota;

COMMENT ON VIEW mart.source_budget IS 'Calls made to each source by day';
COMMENT ON COLUMN mart.source_budget.source IS 'Source';
COMMENT ON COLUMN mart.source_budget.day IS 'Day, Asia/Seoul; a daily limit renews at its midnight';
COMMENT ON COLUMN mart.source_budget.calls IS 'Calls counted against the day''s limit';
