"""A backfill leaves exactly what the source published: all of it, once, however often and in whatever order."""

from __future__ import annotations

import gzip
import random
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import psycopg
import pytest

from include.pipeline.report import BatchReport
from include.settings import Settings
from include.simulator.exchange.market import SimulatedMarket
from tests.pipeline.conftest import assert_holds, digests

Load = Callable[..., list[BatchReport]]
NOVEMBER = (date(2022, 11, 1), date(2022, 11, 30))
DECEMBER = (date(2022, 12, 1), date(2022, 12, 29))
NEW_YEAR = (date(2023, 1, 2), date(2023, 2, 28))


def _fetch(dsn: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query).fetchall()


def _lines(path: Path) -> list[str]:
    return gzip.decompress(path.read_bytes()).decode().splitlines()


@pytest.fixture
def editable(marcap_folder: Path, tmp_path: Path) -> Path:
    """A copy of the yearly files, to be damaged."""
    return Path(shutil.copytree(marcap_folder, tmp_path / "editable"))


def _rewrite(path: Path, lines: list[str]) -> None:
    path.write_bytes(gzip.compress("\n".join(lines).encode() + b"\n"))


def test_all_that_was_published_is_held_and_nothing_else(load: Load, warehouse: str, market: SimulatedMarket) -> None:
    reports = load()
    assert [report.status for report in reports] == ["loaded", "loaded"]
    assert sum(report.rows_inserted for report in reports) == sum(report.rows_published for report in reports)
    assert_holds(warehouse, market)


def test_a_second_run_changes_nothing_and_says_so(load: Load, warehouse: str) -> None:
    load()
    before = digests(warehouse), _fetch(warehouse, "SELECT xmin, * FROM market.daily_bar ORDER BY symbol, session")
    reports = load()
    after = digests(warehouse), _fetch(warehouse, "SELECT xmin, * FROM market.daily_bar ORDER BY symbol, session")
    assert after == before
    assert {report.status for report in reports} == {"unchanged"}
    assert all("no row changed" in report.summary() for report in reports)


def test_order_of_loading_does_not_matter(
    load: Load, settings: Settings, server, migrated_template: str, warehouse: str
) -> None:
    load()
    expected = digests(warehouse)
    with psycopg.connect(warehouse, autocommit=True) as connection:
        connection.execute(
            "TRUNCATE market.daily_bar, market.instrument, market.instrument_observation, market.halt, "
            "ops.session_outcome"
        )
    ranges = [NOVEMBER, DECEMBER, NEW_YEAR]
    random.Random(3).shuffle(ranges)
    for days in ranges:
        load(first=days[0], last=days[1])
    assert digests(warehouse) == expected


def test_instruments_are_known_as_far_as_the_bars_tell(load: Load, warehouse: str, market: SimulatedMarket) -> None:
    load()
    seen: dict[str, list[date]] = {}
    for session in market.sessions:
        for symbol in market.session_table(session)["symbol"].to_pylist():
            seen.setdefault(symbol, []).append(session)
    held = _fetch(warehouse, "SELECT symbol, first_session, last_session FROM market.instrument")
    assert sorted(held) == sorted((symbol, days[0], days[-1]) for symbol, days in seen.items())


def _correct_a_volume(path: Path) -> int:
    """Raise the volume of the file's first row by seven shares; returns what it was."""
    lines = _lines(path)
    volume = [name.strip('"') for name in lines[0].split(",")].index("Volume")
    cells = lines[1].split(",")
    old = int(float(cells[volume]))
    cells[volume] = f"{old + 7}.0"
    _rewrite(path, [lines[0], ",".join(cells), *lines[2:]])
    return old


def test_a_corrected_row_replaces_the_first_and_the_first_is_kept(load: Load, warehouse: str, editable: Path) -> None:
    load(editable)
    old = _correct_a_volume(editable / "marcap-2023.csv.gz")
    [_, report] = load(editable)
    assert (report.rows_updated, report.rows_inserted) == (1, 0)
    [[kept, superseded_by]] = _fetch(warehouse, "SELECT volume, superseded_by FROM market.daily_bar_revision")
    assert (kept, superseded_by) == (old, report.batch_id)
    [[held, later]] = _fetch(
        warehouse,
        "SELECT bar.volume, bar.known_at > revision.known_at FROM market.daily_bar AS bar "
        "JOIN market.daily_bar_revision AS revision USING (symbol, session)",
    )
    assert (held, later) == (old + 7, True)


def test_an_older_fetch_does_not_undo_a_correction(load: Load, warehouse: str, editable: Path) -> None:
    path = editable / "marcap-2023.csv.gz"
    original = path.read_bytes()
    load(editable)
    before = digests(warehouse)
    _correct_a_volume(path)
    load(editable)
    corrected = digests(warehouse)
    assert corrected != before
    path.write_bytes(original)
    reports = load(editable)
    assert {report.status for report in reports} == {"unchanged"}
    assert digests(warehouse) == corrected
    assert _fetch(warehouse, "SELECT count(*) FROM market.daily_bar_revision") == [(1,)]


def test_broken_rows_go_to_quarantine_whole_and_once(
    load: Load, warehouse: str, editable: Path, market: SimulatedMarket
) -> None:
    path = editable / "marcap-2023.csv.gz"
    lines = _lines(path)
    header = [name.strip('"') for name in lines[0].split(",")]
    cells = lines[5].split(",")
    symbol = cells[header.index("Code")].strip('"')
    cells[header.index("Volume")] = "-1.0"
    _rewrite(path, [*lines[:5], ",".join(cells), *lines[6:]])
    for _ in range(2):
        report = load(editable)[-1]
        assert report.rows_quarantined == 1
        assert report.rows_published == report.rows_inserted + report.rows_unchanged + 1
    [[held, rule, number, volume]] = _fetch(
        warehouse, """SELECT symbol, rule, row_number, "row" ->> 'volume' FROM ops.quarantine"""
    )
    assert (held, rule, number, volume) == (symbol, "negative_quantity", 5, "-1")
    results = _fetch(
        warehouse, "SELECT unexpected_count FROM ops.quality_result WHERE target = 'negative_quantity' AND NOT success"
    )
    assert results == [(1,), (1,)]


def test_a_repaired_source_fills_the_gap_and_releases_the_quarantine(
    load: Load, warehouse: str, editable: Path, marcap_folder: Path, market: SimulatedMarket
) -> None:
    test_broken_rows_go_to_quarantine_whole_and_once(load, warehouse, editable, market)
    report = load()[-1]
    assert report.rows_inserted == 1
    assert _fetch(warehouse, "SELECT released_by FROM ops.quarantine") == [(report.batch_id,)]
    assert_holds(warehouse, market)


def test_a_missing_session_is_an_open_alarm_until_it_is_loaded(
    load: Load, warehouse: str, editable: Path, market: SimulatedMarket
) -> None:
    gap = date(2023, 1, 16)
    path = editable / "marcap-2023.csv.gz"
    _rewrite(path, [line for line in _lines(path) if gap.isoformat() not in line])
    [_, report] = load(editable)
    assert list(report.refused) == [gap]
    query = "SELECT session, kind FROM ops.alarm WHERE closed_at IS NULL"
    assert _fetch(warehouse, query) == [(gap, "missing")]
    load()
    assert _fetch(warehouse, query) == []
    assert_holds(warehouse, market)


def test_a_session_that_lacks_half_the_market_is_refused_whole(
    load: Load, warehouse: str, editable: Path, market: SimulatedMarket
) -> None:
    day = date(2023, 1, 16)
    path = editable / "marcap-2023.csv.gz"
    lines = _lines(path)
    of_day = [line for line in lines if day.isoformat() in line]
    dropped = set(of_day[: len(of_day) // 2])
    _rewrite(path, [line for line in lines if line not in dropped])
    [_, report] = load(editable)
    assert report.rows_quarantined == len(of_day) - len(dropped)
    assert _fetch(warehouse, f"SELECT count(*) FROM market.daily_bar WHERE session = '{day}'") == [(0,)]
    assert _fetch(warehouse, "SELECT DISTINCT rule FROM ops.quarantine") == [("coverage_drop",)]
    assert _fetch(warehouse, f"SELECT outcome FROM ops.session_outcome WHERE session = '{day}'") == [("coverage_drop",)]


def test_a_file_that_cannot_be_read_fails_alone_and_loads_nothing_of_itself(
    load: Load, warehouse: str, editable: Path
) -> None:
    path = editable / "marcap-2023.csv.gz"
    path.write_bytes(path.read_bytes()[:2000])
    good, bad = load(editable)
    assert (good.status, bad.status) == ("loaded", "failed")
    assert "truncated" in bad.error
    assert _fetch(warehouse, "SELECT max(extract(year FROM session)) FROM market.daily_bar") == [(2022,)]
    open_alarms = "SELECT session, kind FROM ops.alarm WHERE closed_at IS NULL"
    assert _fetch(warehouse, open_alarms) == [(date(2023, 1, 2), "malformed")]
    assert _fetch(warehouse, "SELECT status FROM ops.batch ORDER BY batch_id") == [("loaded",), ("failed",)]
    assert _fetch(warehouse, "SELECT tablename FROM pg_tables WHERE schemaname = 'staging'") == []
    load()
    assert _fetch(warehouse, open_alarms) == []
