-- Writes the signals found that are not held yet, or held otherwise; tells how many were added and how many changed.
--
-- A signal is known when its session's own rows are: the bar, and the flows and holdings where its strategy looks at
-- them. Where these had been looked at before, by the same strategy, and said something else, the signal comes of a
-- correction elsewhere, or of older history: it is known from now on. What was loaded after the indicators of the last
-- look had been written had not been looked at.
--
-- %%(symbols)s and %%(since)s are those looked at, to tell the planner where to look.
WITH fresh AS (
    SELECT
        found.*, known.symbol IS NULL OR known.withdrawn_at IS NOT NULL AS added,
        found.strategy = ANY (%(of_investor_flow)s) AS of_flow, found.strategy = ANY (%(of_foreign_holding)s) AS of_holding
    FROM found_signal AS found
    LEFT JOIN derived.signal AS known
        ON known.symbol = found.symbol AND known.session = found.session AND known.strategy = found.strategy
        AND known.symbol = ANY (%(symbols)s) AND known.session >= %(since)s
    WHERE known.symbol IS NULL OR known.withdrawn_at IS NOT NULL
        OR (known.strategy_version, known.side) <> (found.strategy_version, found.side)
        -- Strengths have two decimals; computed another way, the last one may be another.
        OR abs(known.strength - found.strength) > 0.015
), bar AS NOT MATERIALIZED (
    SELECT symbol, session, close, batch_id, known_at FROM market.daily_bar WHERE venue = 'KRX'
    UNION ALL
    SELECT symbol, session, close, batch_id, known_at FROM market.etp_daily_bar
), written AS (
    INSERT INTO derived.signal (
        symbol, session, strategy, strategy_version, side, strength, priority, reason, close, known_at
    )
    SELECT
        fresh.symbol, fresh.session, fresh.strategy, fresh.strategy_version, fresh.side, fresh.strength,
        fresh.priority, fresh.reason, bar.close,
        greatest(
            bar.known_at,
            CASE WHEN fresh.of_flow THEN (
                SELECT max(flow.known_at) FROM market.investor_flow AS flow
                WHERE flow.symbol = fresh.symbol AND flow.session = fresh.session)
            END,
            CASE WHEN fresh.of_holding THEN (
                SELECT max(holding.known_at) FROM market.foreign_holding AS holding
                WHERE holding.symbol = fresh.symbol AND holding.session = fresh.session)
            END,
            CASE
                WHEN fresh.session BETWEEN state.first AND state.through AND fresh.strategy <> ALL (%(unevaluated)s)
                    AND NOT EXISTS (
                        SELECT FROM (
                            SELECT bar.batch_id
                            UNION ALL
                            SELECT flow.batch_id FROM market.investor_flow AS flow
                            WHERE fresh.of_flow AND flow.symbol = fresh.symbol AND flow.session = fresh.session
                            UNION ALL
                            SELECT holding.batch_id FROM market.foreign_holding AS holding
                            WHERE fresh.of_holding
                                AND holding.symbol = fresh.symbol AND holding.session = fresh.session
                        ) AS own
                        JOIN ops.batch USING (batch_id)
                        WHERE batch.finished_at > state.indicated_at)
                THEN now()
            END)
    FROM fresh
    JOIN bar
        ON bar.symbol = fresh.symbol AND bar.session = fresh.session
        AND bar.symbol = ANY (%(symbols)s) AND bar.session >= %(since)s
    LEFT JOIN derived.signal_state AS state ON state.symbol = fresh.symbol
    ON CONFLICT (symbol, session, strategy) DO UPDATE SET
        strategy_version = excluded.strategy_version, side = excluded.side, strength = excluded.strength,
        priority = excluded.priority, reason = excluded.reason, close = excluded.close, known_at = excluded.known_at,
        withdrawn_at = NULL
)
SELECT count(*) FILTER (WHERE added), count(*) FILTER (WHERE NOT added) FROM fresh
