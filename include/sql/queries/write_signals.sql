-- Writes the signals found that are not held yet, or held otherwise; tells how many were added and how many changed.
--
-- A signal is known when its session's bar is, or its flows. One that comes or changes on a session that had been
-- looked at before, by the same strategy, does so through a correction: it is known from now on.
--
-- %%(symbols)s and %%(since)s are those looked at, to tell the planner where to look.
WITH fresh AS (
    SELECT found.*, known.symbol IS NULL OR known.withdrawn_at IS NOT NULL AS added
    FROM found_signal AS found
    LEFT JOIN derived.signal AS known
        ON known.symbol = found.symbol AND known.session = found.session AND known.strategy = found.strategy
        AND known.symbol = ANY (%(symbols)s) AND known.session >= %(since)s
    WHERE known.symbol IS NULL OR known.withdrawn_at IS NOT NULL
        OR (known.strategy_version, known.side) <> (found.strategy_version, found.side)
        -- Strengths have two decimals; computed another way, the last one may be another.
        OR abs(known.strength - found.strength) > 0.015
), written AS (
    INSERT INTO derived.signal (
        symbol, session, strategy, strategy_version, side, strength, priority, reason, close, known_at
    )
    SELECT
        fresh.symbol, fresh.session, fresh.strategy, fresh.strategy_version, fresh.side, fresh.strength,
        fresh.priority, fresh.reason, bar.close,
        greatest(
            bar.known_at,
            CASE WHEN fresh.strategy = ANY (%(of_flows)s) THEN (
                SELECT max(flow.known_at) FROM market.investor_flow AS flow
                WHERE flow.symbol = fresh.symbol AND flow.session = fresh.session)
            END,
            CASE WHEN fresh.session <= state.through AND fresh.strategy <> ALL (%(unevaluated)s) THEN now() END)
    FROM fresh
    JOIN mart.daily_bar AS bar
        ON bar.symbol = fresh.symbol AND bar.session = fresh.session
        AND bar.symbol = ANY (%(symbols)s) AND bar.session >= %(since)s
    LEFT JOIN derived.signal_state AS state ON state.symbol = fresh.symbol
    ON CONFLICT (symbol, session, strategy) DO UPDATE SET
        strategy_version = excluded.strategy_version, side = excluded.side, strength = excluded.strength,
        priority = excluded.priority, reason = excluded.reason, close = excluded.close, known_at = excluded.known_at,
        withdrawn_at = NULL
)
SELECT count(*) FILTER (WHERE added), count(*) FILTER (WHERE NOT added) FROM fresh
