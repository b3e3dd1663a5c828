-- Issues that go on under a new code: one is gone and another is there on the next session with as many shares, and
-- its base price is the close of the one that is gone. Prices keep their scale, so it is noted. Into
-- found_corporate_action.
INSERT INTO found_corporate_action
    (symbol, ex_date, kind, status, prior_session, prior_close, base_price, base_ratio, share_ratio, applied_ratio,
     applied_basis, confidence, evidence, decided_by, known_at)
SELECT
    bar.symbol, bar.session, 'code_change', 'noted', prior.session, prior.close, bar.base_price, 1, 1, 1, 'none', 0.9,
    format('%%s went on as %%s with the same %%s shares, from a base of its last close.',
        earlier.symbol, bar.symbol, bar.listed_shares),
    'detection', greatest(bar.known_at, prior.known_at)
FROM market.instrument AS later
JOIN market.session AS calendar ON calendar.next_session = later.first_session
JOIN market.instrument AS earlier ON earlier.last_session = calendar.session
JOIN market.daily_bar AS bar ON bar.symbol = later.symbol AND bar.session = later.first_session
JOIN market.daily_bar AS prior ON prior.symbol = earlier.symbol AND prior.session = earlier.last_session
WHERE (%(symbols)s::text[] IS NULL OR later.symbol = ANY (%(symbols)s))
    AND prior.listed_shares = bar.listed_shares AND prior.close = bar.base_price
    AND NOT EXISTS (
        SELECT FROM found_corporate_action AS found WHERE (found.symbol, found.ex_date) = (bar.symbol, bar.session))
