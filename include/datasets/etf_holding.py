"""What ETFs hold."""

from __future__ import annotations

import pyarrow as pa

from include.datasets.daily_bar import SYMBOL_PATTERN
from include.datasets.registry import Column, Coverage, Dataset, RowRule

DATASET = Dataset(
    name="etf_holding",
    table="market.etf_holding",
    title="ETF holdings",
    meaning="One row per fund, session and position of its portfolio file: securities, derivatives and cash. "
    "mart.etf_holding_change compares each date with the one before.",
    columns=(
        Column("fund", pa.string(), "Symbol of the ETF", pattern=SYMBOL_PATTERN),
        Column("session", pa.date32(), "Day the portfolio is of, Asia/Seoul"),
        Column("position", pa.int16(), "Place in the published list, from 1", minimum=1),
        Column("component", pa.string(), "Code of the component as published; empty for many foreign and futures rows"),
        Column("name", pa.string(), "Name of the component as published"),
        Column(
            "kind",
            pa.string(),
            "cash; stock: of the Korean exchange; other: derivatives, bonds, foreign securities, funds",
            values=("stock", "cash", "other"),
        ),
        Column(
            "shares",
            pa.decimal128(18, 2),
            "Shares or contracts in one creation unit, negative where sold short; null where not published",
            unit="shares",
            nullable=True,
        ),
        Column(
            "value_krw", pa.int64(), "Value in one creation unit; null where not published", unit="KRW", nullable=True
        ),
        Column(
            "weight_pct",
            pa.decimal128(18, 4),
            "Weight in the portfolio; null where not published (inverse funds, futures)",
            unit="percent",
            nullable=True,
        ),
        Column("complete", pa.bool_(), "Whether the source lists the whole portfolio, or its largest positions only"),
    ),
    key=("fund", "session", "position"),
    sources=("krx_portal", "naver", "funetf"),
    partial_sources=("naver", "funetf"),
    publication_hour=18,
    row_rules=(
        RowRule("malformed_symbol", f"NOT (fund ~ '{SYMBOL_PATTERN}')", "A fund's symbol is six of [0-9A-Z]"),
        RowRule("nameless", "component = '' AND name = ''", "A position has a code or a name"),
        RowRule("weight_out_of_range", "weight_pct < -1000 OR weight_pct > 1000", "A weight is a percentage"),
        RowRule(
            "no_quantity",
            "shares IS NULL AND value_krw IS NULL AND weight_pct IS NULL AND kind = 'stock'",
            "A stock in a portfolio has shares, a value or a weight",
        ),
    ),
    coverage=Coverage(share=0.95, of="fund"),
    copy_of_yesterday=("component", "value_krw"),
    copy_among="kind = 'stock' AND value_krw IS NOT NULL",
)
