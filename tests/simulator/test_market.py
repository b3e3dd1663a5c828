"""Determinism, the prefix law, one session at a time, bounded memory."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from include.market.calendar import NotASessionError
from include.simulator.exchange.market import SCHEMA, SimulatedMarket

FIRST, LAST = date(2022, 10, 4), date(2023, 7, 31)
GOLDEN_HASH = "41f75250faf64b171555e7f62432854fd3c42e51236fe1113138285af41658cd"


def content_hash(market: SimulatedMarket) -> str:
    digest = hashlib.sha256()
    for block in market.iter_blocks():
        for row in block.to_pylist():
            digest.update(repr(tuple(row.values())).encode())
    return digest.hexdigest()


def test_a_market_is_the_same_on_every_machine() -> None:
    """If a change of the simulator is meant to change its numbers, state the new hash here."""
    assert content_hash(SimulatedMarket(3, 40, FIRST, LAST)) == GOLDEN_HASH


def test_seeds_and_sizes_differ() -> None:
    markets = [
        SimulatedMarket(seed, symbols, FIRST, date(2022, 11, 1)) for seed, symbols in ((3, 40), (4, 40), (3, 48))
    ]
    assert len({content_hash(market) for market in markets}) == 3


def test_prefix_law() -> None:
    short = SimulatedMarket(3, 80, FIRST, date(2023, 1, 31))
    long = SimulatedMarket(3, 80, FIRST, LAST)
    short_rows = pa.concat_tables(short.iter_blocks())
    long_rows = pa.concat_tables(long.iter_blocks())
    assert long_rows.slice(0, short_rows.num_rows).equals(short_rows)
    assert [action for action in long.actions if action.ex_date <= short.sessions[-1]] == short.actions


def test_any_size_of_block_holds_the_same_rows(market: SimulatedMarket, bars_table: pa.Table) -> None:
    blocks = list(market.iter_blocks(sessions_per_block=100))
    assert all(block.schema == SCHEMA for block in blocks)
    assert len(blocks) == -(-len(market.sessions) // 100)
    assert pa.concat_tables(blocks).equals(bars_table)


def test_one_session_at_a_time_in_any_order(bars_table: pa.Table) -> None:
    fresh = SimulatedMarket(11, 400, date(2021, 1, 4), date(2025, 6, 30))
    by_session = {}
    frame_sessions = bars_table["session"].to_pylist()
    starts = [i for i, day in enumerate(frame_sessions) if i == 0 or frame_sessions[i - 1] != day]
    for start, end in zip(starts, [*starts[1:], len(frame_sessions)], strict=True):
        by_session[frame_sessions[start]] = bars_table.slice(start, end - start)
    picks = fresh.sessions[::97]
    for session in (*reversed(picks), *picks, fresh.sessions[-1]):
        assert fresh.session_table(session).equals(by_session[session].combine_chunks())


def test_truth_does_not_depend_on_what_was_asked_first(market: SimulatedMarket) -> None:
    fresh = SimulatedMarket(11, 400, date(2021, 1, 4), date(2025, 6, 30))
    fresh.session_table(fresh.sessions[500])
    fresh.session_table(fresh.sessions[100])
    next(fresh.iter_blocks())
    assert fresh.actions == market.actions
    assert fresh.instruments == market.instruments


def test_a_day_outside_is_refused(market: SimulatedMarket) -> None:
    for day in (date(2021, 1, 3), date(2025, 7, 1), date(2024, 1, 1)):
        with pytest.raises(NotASessionError, match=str(day)):
            market.session_table(day)


@pytest.mark.parametrize(
    ("seed", "symbols", "first", "last", "message"),
    [
        (1, 0, FIRST, LAST, "symbols"),
        (-1, 1, FIRST, LAST, "seed"),
        (1, 1, date(1996, 12, 1), LAST, "1997"),
        (1, 1, LAST, date(2050, 12, 1), "2050"),
        (1, 1, date(2024, 1, 1), date(2024, 1, 1), "no session"),
    ],
)
def test_impossible_markets_are_refused(seed: int, symbols: int, first: date, last: date, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SimulatedMarket(seed, symbols, first, last)


def test_the_earliest_years_work() -> None:
    market = SimulatedMarket(5, 50, date(1997, 1, 1), date(1999, 12, 28))
    assert sum(block.num_rows for block in market.iter_blocks()) > 35_000


MEASURE = """
import resource, sys
from datetime import date
from include.simulator.exchange.market import SimulatedMarket
market = SimulatedMarket(1, 2500, date(2010, 1, 4), date(int(sys.argv[1]), 12, 28))
rows = sum(block.num_rows for block in market.iter_blocks())
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_rows() -> None:
    root = Path(__file__).parents[2]

    def measure(last_year: int) -> tuple[int, int]:
        command = [sys.executable, "-c", MEASURE, str(last_year)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=root)
        rows, kilobytes = done.stdout.split()
        return int(rows), int(kilobytes)

    (few, small), (many, large) = measure(2011), measure(2015)
    assert few > 1_000_000
    assert many > 2.9 * few
    assert large - small < 40_000, f"{small} kB for {few} rows, {large} kB for {many} rows"
