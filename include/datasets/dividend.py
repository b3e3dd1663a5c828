"""Cash dividends."""

from __future__ import annotations

import pyarrow as pa

from include.datasets.daily_bar import SYMBOL_PATTERN
from include.datasets.registry import Column, Dataset, RowRule

DATASET = Dataset(
    name="dividend",
    table="market.dividend",
    title="Dividends",
    meaning="One row per stock and ex-dividend session: the cash dividend of one share.",
    columns=(
        Column("symbol", pa.string(), "Exchange short code, six characters, text always", pattern=SYMBOL_PATTERN),
        Column("session", pa.date32(), "Ex-dividend session: the first that trades without it"),
        Column("amount_krw", pa.decimal128(18, 4), "Cash dividend of one share", unit="KRW"),
        Column(
            "split_adjusted",
            pa.bool_(),
            "Whether the source divided the amount by later splits; false where it is as paid",
        ),
        Column("record_on", pa.date32(), "Record date; null where not published", nullable=True),
        Column("paid_on", pa.date32(), "Day of payment; null where not known", nullable=True),
    ),
    key=("symbol", "session"),
    sources=("kis", "yfinance"),
    publication_hour=None,
    row_rules=(
        RowRule("malformed_symbol", f"NOT (symbol ~ '{SYMBOL_PATTERN}')", "A symbol is six of [0-9A-Z]"),
        RowRule("amount_not_positive", "amount_krw <= 0", "A dividend is positive"),
        RowRule("record_before_ex", "record_on < session", "The record date is not before the ex-date"),
    ),
    sparse=True,
    recheck=90,  # some four months: amounts may be fixed long after the ex-date
    universe="listed",
)
