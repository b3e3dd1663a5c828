-- A strategy as it is declared now; one that had been retired is evaluated anew.
INSERT INTO derived.strategy AS known (
    name, version, title, family, side, condition, strength, source, memory, stop_loss_pct
) VALUES (
    %(name)s, %(version)s, %(title)s, %(family)s, %(side)s, %(condition)s, %(strength)s, %(source)s, %(memory)s,
    %(stop_loss_pct)s
)
ON CONFLICT (name) DO UPDATE SET
    version = excluded.version, title = excluded.title, family = excluded.family, side = excluded.side,
    condition = excluded.condition, strength = excluded.strength, source = excluded.source, memory = excluded.memory,
    stop_loss_pct = excluded.stop_loss_pct, retired_at = NULL
WHERE (
    known.version, known.title, known.family, known.side, known.condition, known.strength, known.source, known.memory,
    known.stop_loss_pct, known.retired_at
) IS DISTINCT FROM (
    excluded.version, excluded.title, excluded.family, excluded.side, excluded.condition, excluded.strength,
    excluded.source, excluded.memory, excluded.stop_loss_pct, NULL
)
