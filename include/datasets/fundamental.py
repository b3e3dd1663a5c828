"""Valuation ratios per stock, as the exchange computes them."""

from __future__ import annotations

import pyarrow as pa

from include.datasets.daily_bar import SYMBOL_PATTERN
from include.datasets.registry import Column, Coverage, Dataset, RowRule

DATASET = Dataset(
    name="fundamental",
    table="market.fundamental",
    title="Fundamentals",
    meaning="One row per stock and session: figures of the last annual report and their ratios to the close. A figure "
    "the exchange shows as '-' is null.",
    columns=(
        Column("symbol", pa.string(), "Exchange short code, six characters, text always", pattern=SYMBOL_PATTERN),
        Column("session", pa.date32(), "Trading day, Asia/Seoul"),
        Column("close", pa.int64(), "Close the ratios are computed from", unit="KRW", minimum=1),
        Column(
            "eps_krw", pa.int64(), "Earnings per share; null where not positive or unknown", unit="KRW", nullable=True
        ),
        Column("per", pa.decimal128(12, 2), "Price over earnings: close / EPS", unit="ratio", nullable=True),
        Column("bps_krw", pa.int64(), "Book value per share", unit="KRW", nullable=True),
        Column("pbr", pa.decimal128(12, 2), "Price over book: close / BPS", unit="ratio", nullable=True),
        Column("dps_krw", pa.int64(), "Dividend per share of the last year", unit="KRW", nullable=True),
        Column(
            "dividend_yield_pct",
            pa.decimal128(12, 2),
            "Dividend yield: 100 x DPS / close",
            unit="percent",
            nullable=True,
        ),
    ),
    key=("symbol", "session"),
    sources=("krx_portal", "kis"),
    partial_sources=("kis",),
    publication_hour=18,
    row_rules=(
        RowRule("malformed_symbol", f"NOT (symbol ~ '{SYMBOL_PATTERN}')", "A symbol is six of [0-9A-Z]"),
        RowRule("close_not_positive", "close <= 0", "A close is positive"),
        RowRule("negative_dividend", "dps_krw < 0 OR dividend_yield_pct < 0", "A dividend is not negative"),
    ),
    coverage=Coverage(share=0.95),
    copy_of_yesterday=("close", "per", "pbr"),
    copy_among="pbr IS NOT NULL",
    universe="listed",
)
