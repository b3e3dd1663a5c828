"""The law of adjustment: an adjusted return is the published change over the base price, on every real row."""

from __future__ import annotations

import random
from datetime import date
from pathlib import Path

import psycopg
import pytest

from include.adjustments.refresh import refresh_adjustments
from include.pipeline.backfill import backfill
from include.settings import Settings
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.marcap import FileFormat, Vintage, write_marcap_years
from include.warehouse.fingerprint import fingerprints

FIRST, LAST = date(2019, 1, 2), date(2020, 12, 30)

# Neighbouring sessions whose adjusted return is not change / base price, of all there are.
BREACHES = """
    WITH neighbours AS (
        SELECT bar.symbol, bar.session, bar.close, bar.change_rate, calendar.next_session,
               lag(bar.close) OVER earlier AS prior_close, lag(bar.session) OVER earlier AS prior_session
        FROM mart.adjusted_daily_bar AS bar JOIN market.session AS calendar USING (session)
        WINDOW earlier AS (PARTITION BY bar.symbol ORDER BY bar.session)
    )
    SELECT count(*) FILTER (WHERE abs(bar.close / bar.prior_close - 1 - bar.change_rate) > 1e-9), count(*)
    FROM neighbours AS bar JOIN market.session AS prior ON prior.session = bar.prior_session
    WHERE prior.next_session = bar.session
"""


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return SimulatedMarket(seed=31, symbols=60, first=FIRST, last=LAST)


@pytest.fixture(scope="module")
def folder(market: SimulatedMarket, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("marcap")
    write_marcap_years(market, folder, FileFormat.PARQUET, Vintage.V2024)
    return folder


def _fetch(dsn: str, query: str, *parameters: object) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query, parameters).fetchall()


def _load(settings: Settings, folder: Path, first: date | None = None, last: date | None = None) -> None:
    reports = backfill(settings, "daily_bar", first, last, source="marcap", path=str(folder))
    assert all(report.status == "loaded" for report in reports)


def _adjustments(dsn: str) -> dict[str, str]:
    return {
        each.table: each.digest for each in fingerprints(dsn, ["market.base_price_event", "market.adjustment_factor"])
    }


def test_real_windows_obey_the_law_and_hold_every_reset(settings: Settings, warehouse: str, samples: Path) -> None:
    _load(settings, samples / "marcap")
    refresh_adjustments(warehouse)
    [[breaches, rows]] = _fetch(warehouse, BREACHES)
    assert breaches == 0
    assert rows > 150_000
    applied = _fetch(
        warehouse,
        "SELECT extract(year FROM session)::int, count(*) FROM market.base_price_event WHERE status = 'applied' "
        "GROUP BY 1 ORDER BY 1",
    )
    assert applied == [(2022, 17), (2024, 24)]
    pending = _fetch(
        warehouse,
        "SELECT DISTINCT prior_session, session FROM market.base_price_event WHERE status = 'pending'",
    )
    assert pending
    assert all(prior < date(2022, 3, 1) and session > date(2024, 1, 1) for prior, session in pending)


def test_real_rows_read_back_as_published(settings: Settings, warehouse: str, samples: Path) -> None:
    from include.crawlers.marcap import CRAWLERS
    from include.crawlers.source import Chunk

    _load(settings, samples / "marcap")
    columns = [
        "symbol",
        "session",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "value_krw",
        "market_cap_krw",
        "listed_shares",
        "change",
        "fluctuation_code",
        "market",
    ]
    read_back = _fetch(
        warehouse, f'SELECT {", ".join(columns)} FROM market.daily_bar ORDER BY session, symbol COLLATE "C"'
    )
    published = []
    crawler = CRAWLERS["daily_bar"]
    for year in (2022, 2024):
        chunk = Chunk(date(year, 1, 1), date(year, 12, 31))
        rows = crawler.parse(crawler.fetch(chunk, None, {"KRXW_MARCAP_PATH": str(samples / "marcap")}), chunk)
        rows = rows.select(columns).sort_by([("session", "ascending"), ("symbol", "ascending")])
        published += list(zip(*(column.to_pylist() for column in rows.columns), strict=True))
    assert len(published) == 161_746
    assert read_back == published
    assert _fetch(warehouse, "SELECT count(*) FROM ops.quarantine") == [(0,)]


def test_names_and_sections_read_back_as_published(settings: Settings, warehouse: str, samples: Path) -> None:
    from include.crawlers.marcap import CRAWLERS
    from include.crawlers.source import Chunk

    _load(settings, samples / "marcap", date(2022, 1, 1), date(2022, 2, 17))
    read_back = _fetch(
        warehouse,
        "SELECT bar.symbol, bar.session, history.name, history.section FROM market.daily_bar AS bar "
        "JOIN mart.instrument_history AS history ON history.symbol = bar.symbol "
        "AND bar.session BETWEEN history.first_session AND history.last_session",
    )
    chunk = Chunk(date(2022, 1, 1), date(2022, 12, 31))
    crawler = CRAWLERS["daily_bar"]
    rows = crawler.parse(crawler.fetch(chunk, None, {"KRXW_MARCAP_PATH": str(samples / "marcap")}), chunk)
    published = zip(*(rows[name].to_pylist() for name in ("symbol", "session", "name", "section")), strict=True)
    assert sorted(read_back) == sorted(published)


def test_every_simulated_action_is_found_and_nothing_else(
    settings: Settings, warehouse: str, folder: Path, market: SimulatedMarket
) -> None:
    _load(settings, folder)
    refresh_adjustments(warehouse)
    found = _fetch(warehouse, "SELECT symbol, session, prior_close, base_price, status FROM market.base_price_event")
    assert len(market.actions) > 5
    assert sorted(found) == sorted(
        (action.symbol, action.ex_date, action.previous_close, action.base_price, "applied")
        for action in market.actions
    )
    assert _fetch(warehouse, BREACHES)[0][0] == 0


def test_refreshing_again_changes_nothing(settings: Settings, warehouse: str, folder: Path) -> None:
    _load(settings, folder)
    refresh_adjustments(warehouse)
    before = _fetch(warehouse, "SELECT xmin, * FROM market.adjustment_factor ORDER BY symbol, first_session")
    assert refresh_adjustments(warehouse).symbols_changed == 0
    assert _fetch(warehouse, "SELECT xmin, * FROM market.adjustment_factor ORDER BY symbol, first_session") == before


def test_a_reset_across_a_missing_session_is_pending_until_the_gap_is_filled(
    settings: Settings, warehouse: str, folder: Path, market: SimulatedMarket
) -> None:
    gap = market.sessions[100]
    following = market.sessions[101]
    _load(settings, folder, market.sessions[0], market.sessions[99])
    _load(settings, folder, following, market.sessions[200])
    report = refresh_adjustments(warehouse)
    assert report.events_pending > 20
    pending = _fetch(warehouse, "SELECT DISTINCT session FROM market.base_price_event WHERE status = 'pending'")
    assert (following,) in pending
    assert _fetch(warehouse, "SELECT count(*) FROM market.adjustment_factor WHERE last_session = %s", gap) == [(0,)]
    _load(settings, folder, gap, gap)
    assert refresh_adjustments(warehouse).events_pending == 0
    assert _fetch(warehouse, BREACHES)[0][0] == 0


def test_order_of_loading_does_not_matter(
    settings: Settings, warehouse: str, folder: Path, market: SimulatedMarket
) -> None:
    _load(settings, folder)
    refresh_adjustments(warehouse)
    expected = _adjustments(warehouse)
    with psycopg.connect(warehouse, autocommit=True) as connection:
        connection.execute(
            "TRUNCATE market.daily_bar, market.base_price_event, market.adjustment_factor, ops.session_outcome"
        )
    parts = [market.sessions[start : start + 123] for start in range(0, len(market.sessions), 123)]
    random.Random(1).shuffle(parts)
    for sessions in parts:
        _load(settings, folder, sessions[0], sessions[-1])
        refresh_adjustments(warehouse)
    assert _adjustments(warehouse) == expected


def test_a_split_rebuilds_only_its_symbol(settings: Settings, warehouse: str, folder: Path) -> None:
    _load(settings, folder)
    refresh_adjustments(warehouse)
    with psycopg.connect(warehouse, autocommit=True) as connection:
        [symbol] = connection.execute("SELECT symbol FROM market.base_price_event LIMIT 1").fetchone()
        before = dict(connection.execute("SELECT symbol || first_session, xmin::text FROM market.adjustment_factor"))
        connection.execute("DELETE FROM market.adjustment_factor WHERE symbol = %s", [symbol])
    assert refresh_adjustments(warehouse).symbols_changed == 1
    after = dict(_fetch(warehouse, "SELECT symbol || first_session, xmin::text FROM market.adjustment_factor"))
    assert before.keys() == after.keys()
    assert {key[:6] for key in before if before[key] != after[key]} == {symbol}
