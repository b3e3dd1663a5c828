CREATE TABLE market.session (
    session       date PRIMARY KEY,
    next_session  date NOT NULL,
    opens_at      timestamptz NOT NULL,
    closes_at     timestamptz NOT NULL
);
COMMENT ON TABLE market.session IS 'The exchange''s sessions, past and scheduled: exchange_calendars XKRX with this project''s sourced overlay';
COMMENT ON COLUMN market.session.session IS 'Trading day, Asia/Seoul';
COMMENT ON COLUMN market.session.next_session IS 'The trading day after it';
COMMENT ON COLUMN market.session.opens_at IS 'Start of the regular session';
COMMENT ON COLUMN market.session.closes_at IS 'End of the regular session';
