-- Issues whose factors, or formulas (%(formulas)s), are not those their indicators were computed with: due whole.
INSERT INTO ops.indicator_due AS due (symbol, since)
SELECT state.symbol, '0001-01-01'
FROM derived.indicator_state AS state
LEFT JOIN mart.factor_digest AS factors ON factors.symbol = state.symbol
WHERE (state.factor_digest, state.formula_digest) <> (coalesce(factors.digest, ''), %(formulas)s)
ON CONFLICT (symbol) DO UPDATE SET since = excluded.since WHERE excluded.since < due.since
