"""The exchange's industry classification of each stock."""

from __future__ import annotations

import pyarrow as pa

from include.datasets.daily_bar import SYMBOL_PATTERN
from include.datasets.registry import Column, Coverage, Dataset, RowRule

DATASET = Dataset(
    name="sector",
    table="market.sector",
    title="Sectors",
    meaning="One row per stock and session: the industry group (업종) the exchange puts it in.",
    columns=(
        Column("symbol", pa.string(), "Exchange short code, six characters, text always", pattern=SYMBOL_PATTERN),
        Column("session", pa.date32(), "Trading day, Asia/Seoul"),
        Column("market", pa.string(), "Market whose classification it is", values=("KOSPI", "KOSDAQ")),
        Column("sector", pa.string(), "Industry group, as the exchange names it"),
    ),
    key=("symbol", "session"),
    sources=("krx_portal",),
    publication_hour=18,
    row_rules=(
        RowRule("malformed_symbol", f"NOT (symbol ~ '{SYMBOL_PATTERN}')", "A symbol is six of [0-9A-Z]"),
        RowRule("empty_sector", "sector = ''", "A classified stock has a sector"),
    ),
    coverage=Coverage(share=0.95, group_of="market", group_share=0.90, group_size=20),
    recheck=10,
)
