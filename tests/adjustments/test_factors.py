"""Factors are the product of later ratios, whatever the order actions were found in."""

from __future__ import annotations

import math
from datetime import date, timedelta
from itertools import pairwise

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.adjustments.refresh import refresh_adjustments
from tests.adjustments.loading import fetch

FIRST = date(2020, 1, 1)
chains = st.dictionaries(
    st.integers(1, 3000).map(lambda days: FIRST + timedelta(days=days)),
    st.floats(0.01, 100.0, allow_nan=False),
    min_size=1,
    max_size=8,
)


@given(chain=chains, other=chains, chance=st.randoms())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_days_factor_is_the_product_of_all_later_ratios(
    warehouse: str, chain: dict[date, float], other: dict[date, float], chance: object
) -> None:
    entries = [("900010", *item) for item in chain.items()] + [("900020", *item) for item in other.items()]
    chance.shuffle(entries)  # type: ignore[attr-defined]
    with psycopg.connect(warehouse) as connection:
        connection.execute("TRUNCATE market.corporate_action_decision, ops.adjusted_decision")
        for symbol, ex_date, ratio in entries:
            connection.execute(
                "INSERT INTO market.corporate_action_decision (symbol, ex_date, decision, kind, applied_ratio, reason) "
                "VALUES (%s, %s, 'add', 'split', %s, 'made up')",
                [symbol, ex_date, ratio],
            )
    refresh_adjustments(warehouse, everything=True)
    for symbol, of_symbol in (("900010", chain), ("900020", other)):
        intervals = fetch(
            warehouse,
            "SELECT first_session, last_session, price_factor, volume_factor FROM market.adjustment_factor "
            "WHERE symbol = %s ORDER BY first_session",
            symbol,
        )
        assert intervals[0][0] == date(1900, 1, 1)
        assert intervals[-1][1] == max(of_symbol) - timedelta(days=1)
        assert all(later[0] == earlier[1] + timedelta(days=1) for earlier, later in pairwise(intervals))
        for first, _, price, volume in intervals:
            expected = math.prod(ratio for ex_date, ratio in of_symbol.items() if ex_date > first)
            assert math.isclose(price, expected, rel_tol=1e-12)
            assert math.isclose(price * volume, 1.0, rel_tol=1e-12)
