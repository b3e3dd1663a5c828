"""Daily bars of the exchange's indices."""

from __future__ import annotations

import pyarrow as pa

from include.datasets.registry import Column, Coverage, Dataset, RowRule

DATASET = Dataset(
    name="index_bar",
    table="market.index_bar",
    title="Index bars",
    meaning="One row per index and session: KOSPI, KOSDAQ, KOSPI 200, sectors and themes.",
    columns=(
        Column("index_name", pa.string(), "Name of the index, as the exchange writes it (코스피, 코스피 200)"),
        Column("family", pa.string(), "Family of indices", values=("KRX", "KOSPI", "KOSDAQ")),
        Column("session", pa.date32(), "Trading day, Asia/Seoul"),
        Column("open", pa.decimal128(18, 2), "First value; null where not published", unit="points", nullable=True),
        Column("high", pa.decimal128(18, 2), "Highest value; null where not published", unit="points", nullable=True),
        Column("low", pa.decimal128(18, 2), "Lowest value; null where not published", unit="points", nullable=True),
        Column("close", pa.decimal128(18, 2), "Last value", unit="points"),
        Column("change", pa.decimal128(18, 2), "Against the previous close, signed", unit="points", nullable=True),
        Column("volume", pa.int64(), "Shares traded of its members", unit="shares", nullable=True),
        Column("value_krw", pa.int64(), "Turnover of its members", unit="KRW", nullable=True),
        Column("market_cap_krw", pa.int64(), "Market capitalisation of its members", unit="KRW", nullable=True),
    ),
    key=("index_name", "family", "session"),
    sources=("krx_openapi", "krx_portal", "naver"),
    partial_sources=("naver",),
    publication_hour=18,
    row_rules=(
        RowRule("nameless", "index_name = ''", "An index has a name"),
        RowRule("close_not_positive", "close <= 0", "An index is positive"),
        RowRule(
            "outside_high_low",
            "low > 0 AND (greatest(open, close) > high OR least(open, close) < low)",
            "Open and close lie between low and high",
        ),
        RowRule("negative_quantity", "volume < 0 OR value_krw < 0", "Volume and turnover are not negative"),
    ),
    coverage=Coverage(share=0.90, group_of="family", group_share=0.90, group_size=1),
    copy_of_yesterday=("open", "high", "low", "close"),
)
