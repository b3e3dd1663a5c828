"""The table over recorded windows of the whole market, early 2022 and early 2024."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from psycopg import sql

from include.adjustments.refresh import refresh_adjustments
from include.crawlers.marcap import CRAWLERS
from include.crawlers.source import Chunk
from include.indicators.catalogue import CATALOGUE, COLUMNS
from include.indicators.panel import OPTIONAL, Panel
from include.indicators.table import refresh_indicators
from include.warehouse.reading import read_batches
from tests.adjustments.loading import DAILY_BAR, fetch, load_rows
from tests.indicators.test_values import talibs_own

NOT_LOADED = [column.name for each in CATALOGUE if set(each.inputs) & set(OPTIONAL) for column in each.columns]


@pytest.mark.usefixtures("without_suites")
def test_recorded_windows_give_talibs_values_on_adjusted_prices_or_a_reason(warehouse: str, samples: Path) -> None:
    for year in (2022, 2024):
        chunk = Chunk(date(year, 1, 1), date(year, 12, 31))
        crawler = CRAWLERS["daily_bar"]
        rows = crawler.parse(crawler.fetch(chunk, None, {"KRXW_MARCAP_PATH": str(samples / "marcap")}), chunk)
        load_rows(warehouse, DAILY_BAR, "marcap", rows)
    refresh_adjustments(warehouse)
    report = refresh_indicators(warehouse)
    [[bars]] = fetch(warehouse, "SELECT count(*) FROM market.daily_bar")
    assert report.rows == bars == 161_746
    _assert_defined(warehouse)
    _assert_talibs(warehouse)


def _assert_defined(dsn: str) -> None:
    each = ", ".join(
        f"count({column.name}), count(*) FILTER (WHERE {column.name} IN ('NaN', 'Infinity', '-Infinity'))"
        for column in COLUMNS
    )
    [counts] = fetch(dsn, f"SELECT {each} FROM derived.indicator")
    for column, values, not_finite in zip(COLUMNS, counts[::2], counts[1::2], strict=True):
        assert not_finite == 0, column.name
        # The windows have 60 sessions together.
        assert (values == 0) == (column.name in NOT_LOADED or column.warm_up >= 60), column.name
        reasons = fetch(
            dsn,
            f"SELECT DISTINCT mart.null_reason(traded, traded_sessions, flat, '{column.name}') FROM ("
            f"SELECT DISTINCT traded, traded_sessions, flat FROM derived.indicator WHERE {column.name} IS NULL) AS x",
        )
        possible = {"no trade", "warm-up", "no input" if column.name in NOT_LOADED else "flat"}
        assert {reason for (reason,) in reasons} <= possible, column.name
    [[untraded, with_a_value]] = fetch(dsn, "SELECT count(*), count(obv) FROM derived.indicator WHERE NOT traded")
    assert untraded > 1_000
    assert with_a_value == 0


def _assert_talibs(dsn: str) -> None:
    """Of issues with a corporate action in the windows, and of every fortieth."""
    columns = sql.SQL(", ").join(sql.Identifier("stored", column.name) for column in COLUMNS)
    query = sql.SQL(
        "SELECT bar.symbol, bar.session, bar.high, bar.low, bar.close, bar.volume, {} "
        "FROM mart.adjusted_daily_bar AS bar JOIN derived.indicator AS stored USING (symbol, session) "
        "WHERE stored.traded AND (bar.symbol IN (SELECT symbol FROM market.corporate_action) "
        "OR abs(hashtext(bar.symbol)) % 40 = 0) ORDER BY bar.symbol, bar.session"
    ).format(columns)
    with read_batches(dsn, query) as batches:
        rows = pa.Table.from_batches(list(batches))
    compared = 0
    for issue in Panel.from_arrow(rows.select(range(6))).blocks(1):
        of_issue = rows.filter(pc.equal(rows["symbol"], issue.symbols[0]))
        for name, own in talibs_own(issue).items():
            stored = of_issue[name].to_numpy()
            both = ~np.isnan(stored) & ~np.isnan(own)
            compared += np.count_nonzero(both)
            np.testing.assert_allclose(stored[both], own[both], rtol=1e-9, atol=1e-7, err_msg=f"{issue.symbols} {name}")
    assert compared > 50_000
