"""Delistings, with the reason the exchange gives."""

from __future__ import annotations

import pyarrow as pa

from include.datasets.registry import Column, Dataset, RowRule

# Rights and warrants had codes of eight or nine characters.
_SYMBOL_PATTERN = "^[0-9A-Z]{6,9}$"

DATASET = Dataset(
    name="delisting",
    table="market.delisting",
    title="Delistings",
    meaning="One row per issue taken off the exchange, dated by the day of its delisting.",
    columns=(
        Column("symbol", pa.string(), "Exchange code, as listed", pattern=_SYMBOL_PATTERN),
        Column("session", pa.date32(), "Day of delisting: the first without the issue"),
        Column("name", pa.string(), "Name when it was delisted"),
        Column("market", pa.string(), "Market it left", values=("KOSPI", "KOSDAQ", "KOSDAQ GLOBAL", "KONEX")),
        Column("security_group", pa.string(), "Kind of security (증권구분), as published"),
        Column("listed_on", pa.date32(), "Day it had been listed; null where not published", nullable=True),
        Column("reason", pa.string(), "Reason, as published"),
        Column("successor_symbol", pa.string(), "Issue its holders got instead; null where none", nullable=True),
    ),
    key=("symbol", "session"),
    sources=("krx_portal", "krx_listings"),
    publication_hour=18,
    row_rules=(
        RowRule("malformed_symbol", f"NOT (symbol ~ '{_SYMBOL_PATTERN}')", "A code is six to nine of [0-9A-Z]"),
        RowRule("listed_later", "listed_on > session", "An issue is listed before it is delisted"),
    ),
    sparse=True,
    on_sessions=False,
    recheck=490,  # two years: some are entered late
)
