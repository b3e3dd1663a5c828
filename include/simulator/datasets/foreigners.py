"""What foreigners hold of each stock: a share of the listed ones that wanders slowly."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from include.simulator.datasets.stocks import Stocks
from include.simulator.datasets.tables import dataset_table, decimals, quotient, repeated
from include.simulator.exchange.randomness import Stream, bits, scatter, wander

_SWINGS = {256: 60_000, 64: 30_000, 16: 10_000, 1: 300}
# Where the law limits foreigners (telecommunications, broadcasting, utilities).
_LIMIT_PERCENT = 49


def foreign_holding_table(seed: int, stocks: Stocks) -> pa.Table:
    """The dataset ``foreign_holding`` of a session: every stock."""
    words = scatter(seed, Stream.FOREIGN, 0, stocks.number)
    listed = stocks.figures("listed_shares")
    limited = bits(words, 48, 5) == 0
    limit = np.where(limited, listed * _LIMIT_PERCENT // 100, listed)
    # The product of two uniforms: most stocks interest few foreigners, some a great many.
    usual_ppm = 1_000 + (bits(words, 0, 16) * bits(words, 16, 16) >> 16) * 400_000 // 65_536
    movement = wander(seed, Stream.FOREIGN, stocks.session.toordinal(), stocks.number, _SWINGS)
    held = np.minimum(listed * (usual_ppm + usual_ppm * movement // 1_000_000) // 1_000_000, limit)
    return dataset_table(
        "foreign_holding",
        {
            "symbol": stocks.bars["symbol"],
            "session": repeated(stocks.session, len(held)),
            "foreign_shares": held,
            "foreign_pct": decimals(quotient(held * 10_000, listed), 2),
            "listed_shares": listed,
            "limit_shares": limit,
            "limit_used_pct": decimals(quotient(held * 10_000, limit), 2),
        },
    )
