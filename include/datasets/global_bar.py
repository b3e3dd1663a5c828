"""Daily bars of overseas indices, exchange rates and commodities."""

from __future__ import annotations

import pyarrow as pa

from include.datasets.registry import Column, Dataset, RowRule

DATASET = Dataset(
    name="global_bar",
    table="market.global_bar",
    title="Global bars",
    meaning="One row per overseas index, exchange rate or commodity and its own trading day; not adjusted.",
    columns=(
        Column("symbol", pa.string(), "Yahoo's symbol: ^GSPC, KRW=X"),
        Column("session", pa.date32(), "Trading day in the instrument's own time zone"),
        Column("open", pa.decimal128(18, 6), "First price", unit="quote currency or points"),
        Column("high", pa.decimal128(18, 6), "Highest price", unit="quote currency or points"),
        Column("low", pa.decimal128(18, 6), "Lowest price", unit="quote currency or points"),
        Column("close", pa.decimal128(18, 6), "Last price", unit="quote currency or points"),
        Column("volume", pa.int64(), "Traded; 0 or null where the source counts none", nullable=True),
    ),
    key=("symbol", "session"),
    sources=("yfinance",),
    publication_hour=31,
    row_rules=(
        RowRule("price_not_positive", "least(open, high, low, close) <= 0", "Prices are positive"),
        RowRule("weekend", "extract(isodow FROM session) > 5", "No market of these trades on a weekend"),
        RowRule("high_below_low", "high < low", "The high is not below the low"),
        RowRule("negative_quantity", "volume < 0", "Volume is not negative"),
    ),
    sparse=True,
    on_sessions=False,
    recheck=10,
)
