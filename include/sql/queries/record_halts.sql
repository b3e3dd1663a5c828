-- Adds the temporary table halt_run to market.halt: what was told last of a session holds.

INSERT INTO market.halt AS known (symbol, halted)
SELECT symbol, range_agg(daterange(first_day, end_day)) FROM halt_run WHERE halted GROUP BY symbol
ON CONFLICT (symbol) DO UPDATE SET halted = known.halted + excluded.halted
WHERE NOT known.halted @> excluded.halted;

UPDATE market.halt AS known
SET halted = known.halted - traded.days
FROM (
    SELECT symbol, range_agg(daterange(first_day, end_day)) AS days FROM halt_run WHERE NOT halted GROUP BY symbol
) AS traded
WHERE known.symbol = traded.symbol AND known.halted && traded.days;

DELETE FROM market.halt AS known USING halt_run WHERE known.symbol = halt_run.symbol AND isempty(known.halted);
