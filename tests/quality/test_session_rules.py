"""A session is refused when it cannot be the session's table, and only then."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from include.datasets.daily_bar import DATASET
from include.quality.row_rules import mark_violations
from include.quality.session_rules import refuse_sessions
from include.simulator.exchange.market import SimulatedMarket

FIRST, LAST = date(2023, 3, 6), date(2023, 3, 17)


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return SimulatedMarket(seed=11, symbols=200, first=FIRST, last=LAST)


@pytest.fixture(scope="module")
def published(market: SimulatedMarket) -> pa.Table:
    truth = pa.concat_tables(market.session_table(session) for session in market.sessions)
    venue = pa.array(["KRX"] * truth.num_rows)
    return truth.append_column("venue", venue).select(DATASET.parsed_schema.names).cast(DATASET.parsed_schema)


def _refused(rows: pa.Table, market: SimulatedMarket, baseline: pa.Table | None = None) -> dict[date, str]:
    refusals = refuse_sessions(mark_violations(rows, DATASET), baseline, DATASET, set(market.sessions))
    return {session: refusal.outcome for session, refusal in refusals.items()}


def _only(rows: pa.Table, session: date) -> pa.Table:
    return rows.filter(pc.equal(rows["session"], pa.scalar(session)))


def test_a_true_market_is_accepted(market: SimulatedMarket, published: pa.Table) -> None:
    assert _refused(published, market) == {}


def _half_a_market(today: pa.Table, yesterday: pa.Table) -> pa.Table:
    return today.slice(0, today.num_rows // 2)


def _without_a_market(today: pa.Table, yesterday: pa.Table) -> pa.Table:
    return today.filter(pc.not_equal(today["market"], "KONEX"))


def _yesterday_again(today: pa.Table, yesterday: pa.Table) -> pa.Table:
    return yesterday.set_column(1, "session", today["session"].slice(0, 1).combine_chunks().take([0] * len(yesterday)))


def _twice(today: pa.Table, yesterday: pa.Table) -> pa.Table:
    return pa.concat_tables([today, today])


def _mostly_broken(today: pa.Table, yesterday: pa.Table) -> pa.Table:
    return today.set_column(today.schema.get_field_index("low"), "low", pc.add(today["high"], 1))


@pytest.mark.parametrize(
    ("damage", "outcome"),
    [
        (_half_a_market, "coverage_drop"),
        (_yesterday_again, "not_published"),
        (_twice, "malformed"),
        (_mostly_broken, "coverage_drop"),
    ],
)
@pytest.mark.parametrize("within_one_chunk", [True, False])
def test_a_damaged_session_is_refused_and_its_neighbours_are_not(
    market: SimulatedMarket,
    published: pa.Table,
    damage: Callable[[pa.Table, pa.Table], pa.Table],
    outcome: str,
    within_one_chunk: bool,
) -> None:
    yesterday, today, tomorrow = (_only(published, session) for session in market.sessions[2:5])
    damaged = damage(today, yesterday)
    if within_one_chunk:
        refused = _refused(pa.concat_tables([yesterday, damaged, tomorrow]), market)
    else:
        refused = _refused(pa.concat_tables([damaged, tomorrow]), market, baseline=yesterday)
    assert refused == {market.sessions[3]: outcome}


def test_a_market_that_vanishes_is_refused_though_it_is_small(market: SimulatedMarket, published: pa.Table) -> None:
    yesterday, today = (_only(published, session) for session in market.sessions[2:4])
    konex = pc.sum(pc.equal(yesterday["market"], "KONEX")).as_py()
    yesterday = pa.concat_tables([yesterday, *[_copies_of_konex(yesterday)] * (konex < 20)])
    assert _refused(_without_a_market(today, yesterday), market, baseline=yesterday) == {
        market.sessions[3]: "coverage_drop"
    }


def _copies_of_konex(rows: pa.Table) -> pa.Table:
    konex = rows.filter(pc.equal(rows["market"], "KONEX"))
    return pa.concat_tables([konex] * 20)


def test_a_day_that_is_no_session_is_refused(market: SimulatedMarket, published: pa.Table) -> None:
    sunday = date(2023, 3, 12)
    monday = _only(published, market.sessions[0])
    moved = monday.set_column(1, "session", pa.array([sunday] * monday.num_rows, pa.date32()))
    assert _refused(moved, market) == {sunday: "not_a_session"}


def test_an_old_baseline_says_nothing(market: SimulatedMarket, published: pa.Table) -> None:
    long_ago = _only(published, market.sessions[0])
    long_ago = long_ago.set_column(1, "session", pa.array([date(2022, 3, 7)] * long_ago.num_rows, pa.date32()))
    today = _half_a_market(_only(published, market.sessions[3]), long_ago)
    assert _refused(today, market, baseline=long_ago) == {}
