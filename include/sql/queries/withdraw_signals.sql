-- Signals that stand and were not found again. Their rows stay, until one is found again and overwrites its own.
UPDATE derived.signal AS known SET withdrawn_at = now()
FROM looked_at
WHERE known.symbol = looked_at.symbol AND known.session >= looked_at.since AND known.withdrawn_at IS NULL
    AND known.symbol = ANY (%(symbols)s) AND known.session >= %(since)s
    AND NOT EXISTS (
        SELECT FROM found_signal AS found
        WHERE found.symbol = known.symbol AND found.session = known.session AND found.strategy = known.strategy)
