"""The columns a screen may use are those of the view, and their values are what they are said to be."""

from __future__ import annotations

from datetime import date

import numpy as np
import psycopg

from include.indicators import catalogue
from include.indicators.compute import compute
from include.screens.columns import COLUMNS
from include.screens.page import PAGE, with_columns
from tests.indicators.markets import market
from tests.screens.filled import fill


def test_the_view_has_them_with_their_meaning_and_unit(warehouse: str) -> None:
    with psycopg.connect(warehouse) as connection:
        found: dict[str, tuple[str, str]] = {
            name: (kind, comment)
            for name, kind, comment in connection.execute(
                "SELECT attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum) "
                "FROM pg_attribute WHERE attrelid = 'mart.screenable'::regclass AND attnum > 0"
            )
        }
    assert set(found) == {"symbol", "session", "traded", *COLUMNS}
    for column in COLUMNS.values():
        kind, comment = found[column.name]
        assert (kind == "text") == column.is_text, column.name
        assert comment == (column.meaning if column.is_text else f"{column.meaning} [{column.unit}]")


def test_every_indicator_may_be_used_and_lies_in_its_range() -> None:
    results = compute(market(3, (700, 700, 400, 90), halts=True, still=0.2))
    for declared in catalogue.COLUMNS:
        column = COLUMNS[declared.name]
        values = results.column(declared.name).drop_null().to_numpy()
        assert len(values)
        # Rounding may take a value to the other side of its bound.
        slack = 1e-9 * max(1.0, float(np.abs(values).max()))
        assert column.minimum is None or values.min() >= column.minimum - slack, column.name
        assert column.maximum is None or values.max() <= column.maximum + slack, column.name


def test_bars_and_flows_are_those_of_the_other_views(warehouse: str) -> None:
    fill(warehouse, symbols=12, sessions=60, kept=10, last=date(2024, 6, 28))
    with psycopg.connect(warehouse) as connection:
        connection.execute(
            "INSERT INTO market.adjustment_factor (symbol, first_session, last_session, price_factor, volume_factor) "
            "SELECT min(symbol), '2024-06-17', '2024-06-20', 0.2, 5 FROM market.instrument"
        )
        compared = {
            "mart.adjusted_daily_bar": "open high low close base_price volume raw_close value_krw change_rate market",
            "mart.daily_bar": "market_cap_krw listed_shares",
            "mart.net_flow": "individual_net_krw individual_net_shares foreign_net_krw foreign_net_shares "
            "institution_net_krw institution_net_shares pension_net_krw",
        }
        for view, names in compared.items():
            columns = ", ".join(names.split())
            [[rows]] = connection.execute(f"SELECT count(*) FROM {view}")
            assert rows > 80
            differing = connection.execute(
                f"SELECT symbol, session, {columns} FROM {view} "
                f"EXCEPT SELECT symbol, session, {columns} FROM mart.screenable"
            ).fetchall()
            assert differing == [], view


def test_the_page_lists_them() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_columns(page) == page, "run: python -m include.screens.page"
