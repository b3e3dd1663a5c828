CREATE OR REPLACE VIEW mart.session_coverage AS
SELECT
    outcome.dataset,
    outcome.session,
    outcome.outcome,
    outcome.source,
    outcome.rows,
    (SELECT count(*) FROM ops.quarantine AS held
     WHERE held.dataset = outcome.dataset AND held.session = outcome.session AND held.released_by IS NULL)
        AS rows_quarantined,
    outcome.detail
FROM ops.session_outcome AS outcome;

COMMENT ON VIEW mart.session_coverage IS 'What became of each session of each dataset';
COMMENT ON COLUMN mart.session_coverage.dataset IS 'Dataset of the registry';
COMMENT ON COLUMN mart.session_coverage.session IS 'Session, Asia/Seoul';
COMMENT ON COLUMN mart.session_coverage.outcome IS 'loaded, missing, or the typed outcome that kept it out';
COMMENT ON COLUMN mart.session_coverage.source IS 'Source asked';
COMMENT ON COLUMN mart.session_coverage.rows IS 'Rows of the session that passed every row rule';
COMMENT ON COLUMN mart.session_coverage.rows_quarantined IS 'Rows of the session still in quarantine';
COMMENT ON COLUMN mart.session_coverage.detail IS 'Why, in words';
