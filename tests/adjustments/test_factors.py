"""Factors are the product of later events, whatever the order events were found in."""

from __future__ import annotations

import math
from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from include.adjustments.factors import BEGINNING, Event, factor_intervals

FIRST = date(2020, 1, 1)
chains = st.dictionaries(
    st.integers(1, 3000).map(lambda days: FIRST + timedelta(days=days)),
    st.floats(0.01, 100.0, allow_nan=False),
    max_size=8,
)


def _factor_on(day: date, chain: dict[date, float]) -> tuple[float, float]:
    events = [Event("900010", session, factor) for session, factor in sorted(chain.items())]
    covering = [i for i in factor_intervals(events) if i.first_session <= day <= i.last_session]
    assert len(covering) <= 1
    return (covering[0].price_factor, covering[0].volume_factor) if covering else (1.0, 1.0)


@given(chain=chains, offset=st.integers(-10, 3010))
def test_a_days_factor_is_the_product_of_all_later_events(chain: dict[date, float], offset: int) -> None:
    day = FIRST + timedelta(days=offset)
    expected = math.prod(factor for session, factor in chain.items() if session > day)
    price, volume = _factor_on(day, chain)
    assert math.isclose(price, expected, rel_tol=1e-12)
    assert math.isclose(price * volume, 1.0, rel_tol=1e-12)


@given(chain=chains.filter(bool))
def test_intervals_follow_each_other_without_gap_from_the_beginning(chain: dict[date, float]) -> None:
    events = [Event("900010", session, factor) for session, factor in sorted(chain.items())]
    intervals = sorted(factor_intervals(events), key=lambda interval: interval.first_session)
    assert intervals[0].first_session == BEGINNING
    for earlier, later in pairwise(intervals):
        assert later.first_session == earlier.last_session + timedelta(days=1)
    assert intervals[-1].last_session == max(chain) - timedelta(days=1)


@given(one=chains, other=chains)
def test_symbols_do_not_touch_each_other(one: dict[date, float], other: dict[date, float]) -> None:
    events = [Event("900010", *item) for item in sorted(one.items())]
    events += [Event("900020", *item) for item in sorted(other.items())]
    alone = list(factor_intervals(events[: len(one)])) + list(factor_intervals(events[len(one) :]))
    assert list(factor_intervals(events)) == alone
