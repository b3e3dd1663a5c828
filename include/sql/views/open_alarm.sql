CREATE OR REPLACE VIEW mart.open_alarm AS
SELECT dataset, session, kind, message, opened_at
FROM ops.alarm
WHERE closed_at IS NULL;

COMMENT ON VIEW mart.open_alarm IS 'What a person should look at now; an alarm closes itself when its session is loaded';
COMMENT ON COLUMN mart.open_alarm.dataset IS 'Dataset of the registry';
COMMENT ON COLUMN mart.open_alarm.session IS 'Session it is about; of a range that could not be read, the first';
COMMENT ON COLUMN mart.open_alarm.kind IS 'The typed outcome or the rule behind it';
COMMENT ON COLUMN mart.open_alarm.message IS 'What happened, what was expected, and what to do';
COMMENT ON COLUMN mart.open_alarm.opened_at IS 'When it was opened';
