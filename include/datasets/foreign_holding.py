"""What foreigners hold of each stock."""

from __future__ import annotations

import pyarrow as pa

from include.datasets.daily_bar import SYMBOL_PATTERN
from include.datasets.registry import Column, Coverage, Dataset, RowRule

DATASET = Dataset(
    name="foreign_holding",
    table="market.foreign_holding",
    title="Foreign holdings",
    meaning="One row per stock and session: shares held by foreigners, and how much of their limit that is.",
    columns=(
        Column("symbol", pa.string(), "Exchange short code, six characters, text always", pattern=SYMBOL_PATTERN),
        Column("session", pa.date32(), "Trading day, Asia/Seoul"),
        Column("foreign_shares", pa.int64(), "Held by foreigners", unit="shares", minimum=0),
        Column("foreign_pct", pa.decimal128(12, 2), "Of the listed shares", unit="percent", minimum=0),
        Column("listed_shares", pa.int64(), "Listed; null where not published", unit="shares", nullable=True),
        Column(
            "limit_shares", pa.int64(), "Foreigners may hold; null where not published", unit="shares", nullable=True
        ),
        Column("limit_used_pct", pa.decimal128(12, 2), "Of the limit", unit="percent", nullable=True),
    ),
    key=("symbol", "session"),
    sources=("krx_portal", "naver", "kis"),
    partial_sources=("naver", "kis"),
    publication_hour=18,
    row_rules=(
        RowRule("malformed_symbol", f"NOT (symbol ~ '{SYMBOL_PATTERN}')", "A symbol is six of [0-9A-Z]"),
        RowRule("negative_quantity", "foreign_shares < 0", "Nobody holds less than nothing"),
        RowRule("beyond_limit", "foreign_shares > listed_shares", "Foreigners hold no more than is listed"),
    ),
    coverage=Coverage(share=0.95),
    copy_of_yesterday=("foreign_shares",),
    copy_among="foreign_shares > 0",
    universe="listed",
)
