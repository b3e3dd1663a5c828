-- Brings market.adjustment_factor to the temporary table found_factor; counts the symbols that changed.
WITH gone AS (
    DELETE FROM market.adjustment_factor AS known
    WHERE (%(symbols)s::text[] IS NULL OR known.symbol = ANY (%(symbols)s))
        AND NOT EXISTS (
            SELECT FROM found_factor AS found
            WHERE (found.symbol, found.first_session) = (known.symbol, known.first_session))
    RETURNING known.symbol
), written AS (
    INSERT INTO market.adjustment_factor AS known
        (symbol, first_session, last_session, price_factor, volume_factor)
    SELECT symbol, first_session, last_session, price_factor, volume_factor FROM found_factor
    ON CONFLICT (symbol, first_session) DO UPDATE SET
        last_session = excluded.last_session,
        price_factor = excluded.price_factor,
        volume_factor = excluded.volume_factor
    WHERE (known.last_session, known.price_factor, known.volume_factor)
        IS DISTINCT FROM (excluded.last_session, excluded.price_factor, excluded.volume_factor)
    RETURNING known.symbol
)
SELECT count(DISTINCT symbol) FROM (SELECT symbol FROM gone UNION ALL SELECT symbol FROM written) AS changed
