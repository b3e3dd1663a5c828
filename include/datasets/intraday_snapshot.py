"""Quotes of watched issues at moments of the session."""

from __future__ import annotations

import pyarrow as pa

from include.datasets.daily_bar import SYMBOL_PATTERN
from include.datasets.registry import Column, Dataset, RowRule

DATASET = Dataset(
    name="intraday_snapshot",
    table="market.intraday_snapshot",
    title="Intraday snapshots",
    meaning="One row per watched symbol and tick of the session: prices and volume so far. mart.latest_quote shows "
    "the last of each symbol.",
    columns=(
        Column("symbol", pa.string(), "Exchange short code, six characters, text always", pattern=SYMBOL_PATTERN),
        Column("session", pa.date32(), "Trading day, Asia/Seoul"),
        Column("at", pa.timestamp("us", tz="UTC"), "Tick the quote was taken for"),
        Column("venue", pa.string(), "Trading venue: KRX, or the alternative NXT", values=("KRX", "NXT")),
        Column("price", pa.int64(), "Last price", unit="KRW", minimum=1),
        Column("open", pa.int64(), "First price of the session; 0 before the first trade", unit="KRW", minimum=0),
        Column("high", pa.int64(), "Highest price so far; 0 before the first trade", unit="KRW", minimum=0),
        Column("low", pa.int64(), "Lowest price so far; 0 before the first trade", unit="KRW", minimum=0),
        Column("change", pa.int64(), "Price less the base price, signed", unit="KRW"),
        Column("volume", pa.int64(), "Shares traded so far", unit="shares", minimum=0),
        Column("value_krw", pa.int64(), "Turnover so far; null where not published exactly", unit="KRW", nullable=True),
    ),
    key=("symbol", "session", "at"),
    sources=("kis", "kiwoom", "naver"),
    publication_hour=None,
    row_rules=(
        RowRule("malformed_symbol", f"NOT (symbol ~ '{SYMBOL_PATTERN}')", "A symbol is six of [0-9A-Z]"),
        RowRule("price_not_positive", "price <= 0", "A price is positive"),
        RowRule("negative_quantity", "volume < 0 OR value_krw < 0", "Volume and turnover are not negative"),
        RowRule(
            "outside_high_low",
            "high > 0 AND (greatest(open, price) > high OR least(open, price) < low)",
            "Open and price lie between low and high",
        ),
    ),
    universe="watched",
)
