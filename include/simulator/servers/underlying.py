"""How far the index under each exchange-traded product moved."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pyarrow as pa

from include.market.calendar import previous_session
from include.simulator.world import World


def underlying_changes(world: World, session: date, bars: pa.Table) -> list[Decimal | None]:
    """The index's change since the session before, for each row of ``bars``; None where either level is unknown."""
    before = previous_session(session)
    levels = {}
    if before >= world.sessions[0]:
        table = world.table("etp_daily_bar", before)
        levels = dict(zip(table["symbol"].to_pylist(), table["underlying_close"].to_pylist(), strict=True))
    return [
        None if close is None or levels.get(symbol) is None else close - levels[symbol]
        for symbol, close in zip(bars["symbol"].to_pylist(), bars["underlying_close"].to_pylist(), strict=True)
    ]
