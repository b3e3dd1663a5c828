"""The master: every issue listed on a session, as the exchange lists it."""

from __future__ import annotations

import pyarrow as pa

from include.datasets.daily_bar import SYMBOL_PATTERN
from include.datasets.registry import Column, Coverage, Dataset, RowRule
from include.market.instruments import InstrumentKind

ISIN_PATTERN = "^[A-Z]{2}[0-9A-Z]{9}[0-9]$"

DATASET = Dataset(
    name="instrument",
    table="market.listed_instrument",
    title="Instruments",
    meaning="One row per issue and session it was listed on: the master. mart.instrument shows the latest state of "
    "every issue ever seen, delisted ones included; mart.instrument_event what happened to it.",
    columns=(
        Column("symbol", pa.string(), "Exchange short code, six characters, text always", pattern=SYMBOL_PATTERN),
        Column("session", pa.date32(), "Trading day the master is of, Asia/Seoul"),
        Column("isin", pa.string(), "International securities identification number", nullable=True),
        Column("name", pa.string(), "Short name"),
        Column("full_name", pa.string(), "Full name; null where not published", nullable=True),
        Column("english_name", pa.string(), "English name; null where not published", nullable=True),
        Column(
            "market",
            pa.string(),
            "Market segment it is listed on",
            values=("KOSPI", "KOSDAQ", "KOSDAQ GLOBAL", "KONEX"),
        ),
        Column("kind", pa.string(), "Kind of issue", values=tuple(kind.value for kind in InstrumentKind)),
        Column("section", pa.string(), "Section of the market (소속부); empty where the market has none"),
        Column("listed_on", pa.date32(), "Day of listing; null where not published", nullable=True),
        Column(
            "par_value",
            pa.decimal128(18, 4),
            "Par value in the issue's own currency; null for no-par issues and products",
            nullable=True,
        ),
        Column("listed_shares", pa.int64(), "Shares or units listed", unit="shares", minimum=0),
    ),
    key=("symbol", "session"),
    sources=("krx_openapi", "krx_portal", "krx_listings"),
    publication_hour=18,
    row_rules=(
        RowRule("malformed_symbol", f"NOT (symbol ~ '{SYMBOL_PATTERN}')", "A symbol is six of [0-9A-Z]"),
        RowRule("malformed_isin", f"isin IS NOT NULL AND NOT (isin ~ '{ISIN_PATTERN}')", "An ISIN has twelve places"),
        RowRule("listed_later", "listed_on > session", "An issue is listed on or before the session"),
        RowRule("negative_quantity", "listed_shares < 0", "Listed shares are not negative"),
        RowRule("empty_name", "name = ''", "An issue has a name"),
    ),
    coverage=Coverage(share=0.95, group_of="kind", group_share=0.80, group_size=50),
    recheck=10,
)
