"""Daily bars of exchange-traded products (ETFs and ETNs), raw, with net asset value and underlying index."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from include.datasets.daily_bar import BAR_RULES, SYMBOL_PATTERN
from include.datasets.registry import Column, Coverage, Dataset, RowRule

DATASET = Dataset(
    name="etp_daily_bar",
    table="market.etp_daily_bar",
    title="Daily bars of ETFs and ETNs",
    meaning="One row per exchange-traded product and session, raw. mart.daily_bar shows it together with stocks.",
    columns=(
        Column("symbol", pa.string(), "Exchange short code, six characters, text always", pattern=SYMBOL_PATTERN),
        Column("session", pa.date32(), "Trading day, Asia/Seoul"),
        Column("kind", pa.string(), "Kind of product", values=("ETF", "ETN")),
        Column("market", pa.string(), "Market segment: all of them trade on KOSPI", values=("KOSPI",)),
        Column("open", pa.int64(), "First price; 0 where nothing traded", unit="KRW", minimum=0),
        Column("high", pa.int64(), "Highest price; 0 where nothing traded", unit="KRW", minimum=0),
        Column("low", pa.int64(), "Lowest price; 0 where nothing traded", unit="KRW", minimum=0),
        Column("close", pa.int64(), "Last price; carried where nothing traded", unit="KRW", minimum=1),
        Column("volume", pa.int64(), "Units traded", unit="shares", minimum=0),
        Column("value_krw", pa.int64(), "Turnover", unit="KRW", minimum=0),
        Column("market_cap_krw", pa.int64(), "Close times listed units", unit="KRW", minimum=0),
        Column("listed_shares", pa.int64(), "Units listed on the session", unit="shares", minimum=1),
        Column("change", pa.int64(), "Close less the base price, signed", unit="KRW"),
        Column("base_price", pa.int64(), "Price the change is measured from: close - change", unit="KRW", minimum=1),
        Column(
            "nav",
            pa.decimal128(18, 2),
            "Net asset value per unit of an ETF, indicative value of an ETN; null where not published",
            unit="KRW",
            nullable=True,
        ),
        Column(
            "net_assets_krw", pa.int64(), "Net assets of the fund; null where not published", unit="KRW", nullable=True
        ),
        Column("underlying_index", pa.string(), "Index the product follows, as named by the exchange", nullable=True),
        Column("underlying_close", pa.decimal128(18, 2), "Close of that index", unit="points", nullable=True),
        Column("halted", pa.bool_(), "Open, high and low are 0 and nothing traded"),
    ),
    parsed_only=(
        Column("name", pa.string(), "Name of the product on the session"),
        Column("section", pa.string(), "Always empty: exchange-traded products have no section"),
    ),
    key=("symbol", "session"),
    sources=("krx_openapi", "krx_portal"),
    publication_hour=18,
    row_rules=(*BAR_RULES, RowRule("nav_not_positive", "nav <= 0", "A net asset value is positive")),
    coverage=Coverage(share=0.95, group_of="kind", group_share=0.90, group_size=20),
    copy_of_yesterday=("open", "high", "low", "close", "volume"),
    copy_among="volume > 0",
)


def halted(highs: pa.Array, volumes: pa.Array) -> pa.Array:
    """The column ``halted`` of published rows, as its declaration defines it: without a high there is no price."""
    return pc.and_(pc.equal(highs, 0), pc.equal(volumes, 0))


def net_assets(totals: pa.Array) -> pa.Array:
    """The column ``net_assets_krw`` of published rows: the total is computed overnight, and 0 until then."""
    return pc.if_else(pc.equal(totals, 0), None, totals)
