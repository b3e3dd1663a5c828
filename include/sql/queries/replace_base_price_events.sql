WITH gone AS (
    DELETE FROM market.base_price_event AS known
    WHERE (%(symbols)s::text[] IS NULL OR known.symbol = ANY (%(symbols)s))
        AND NOT EXISTS (
            SELECT FROM found_event AS found
            WHERE (found.symbol, found.session) = (known.symbol, known.session))
)
INSERT INTO market.base_price_event AS known
    (symbol, session, prior_session, prior_close, base_price, price_factor, status)
SELECT symbol, session, prior_session, prior_close, base_price, price_factor, status FROM found_event
ON CONFLICT (symbol, session) DO UPDATE SET
    prior_session = excluded.prior_session,
    prior_close = excluded.prior_close,
    base_price = excluded.base_price,
    price_factor = excluded.price_factor,
    status = excluded.status
WHERE (known.prior_session, known.prior_close, known.base_price, known.status)
    IS DISTINCT FROM (excluded.prior_session, excluded.prior_close, excluded.base_price, excluded.status)
