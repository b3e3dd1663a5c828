"""Daily bars of every listed stock, as the exchange published them: never adjusted, never rounded."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from include.datasets.registry import Column, Coverage, Dataset, RowRule

SYMBOL_PATTERN = "^[0-9A-Z]{6}$"
# What holds for every row of the exchange's daily tables, of stocks as of products.
BAR_RULES = (
    RowRule("malformed_symbol", f"NOT (symbol ~ '{SYMBOL_PATTERN}')", "A symbol is six of [0-9A-Z]"),
    RowRule(
        "negative_price",
        "least(open, high, low) < 0 OR close <= 0",
        "Prices are positive; open, high and low are 0 only where nothing traded",
    ),
    RowRule(
        "negative_quantity",
        "volume < 0 OR value_krw < 0 OR listed_shares <= 0",
        "Volume and turnover are not negative, and what is listed has shares",
    ),
    RowRule(
        "partial_halt",
        "least(open, high, low) = 0 AND greatest(open, high, low) > 0",
        "Open, high and low are all 0 (nothing traded) or all prices",
    ),
    RowRule("high_below_low", "high < low", "The high is not below the low"),
    RowRule(
        "outside_high_low",
        "high > 0 AND (greatest(open, close) > high OR least(open, close) < low)",
        "Open and close lie between low and high",
    ),
    RowRule("base_not_positive", "base_price <= 0", "The base price (close - change) is positive"),
    RowRule(
        "market_cap_mismatch",
        "market_cap_krw <> close * listed_shares",
        "Market capitalisation is close times listed shares, exactly",
    ),
)

DATASET = Dataset(
    name="daily_bar",
    table="market.daily_bar",
    title="Daily bars",
    meaning="One row per symbol and session: the exchange's daily table, raw. Prices are unadjusted; "
    "mart.adjusted_daily_bar applies corporate actions on read.",
    columns=(
        Column(
            "symbol",
            pa.string(),
            "Exchange short code, six characters, text always",
            pattern=SYMBOL_PATTERN,
        ),
        Column("session", pa.date32(), "Trading day, Asia/Seoul"),
        Column("open", pa.int64(), "First price; 0 on a halted session", unit="KRW", minimum=0),
        Column("high", pa.int64(), "Highest price; 0 on a halted session", unit="KRW", minimum=0),
        Column("low", pa.int64(), "Lowest price; 0 on a halted session", unit="KRW", minimum=0),
        Column("close", pa.int64(), "Last price; carried over a halt", unit="KRW", minimum=1),
        Column("volume", pa.int64(), "Shares traded", unit="shares", minimum=0),
        Column("value_krw", pa.int64(), "Turnover", unit="KRW", minimum=0),
        Column("market_cap_krw", pa.int64(), "Close times listed shares", unit="KRW", minimum=0),
        Column("listed_shares", pa.int64(), "Shares listed on the session", unit="shares", minimum=1),
        Column("change", pa.int64(), "Close less the base price, signed", unit="KRW"),
        Column(
            "base_price",
            pa.int64(),
            "Price the session's change and limits are measured from (기준가): close - change; differs from "
            "the previous close where the exchange reset it",
            unit="KRW",
            minimum=1,
        ),
        Column(
            "fluctuation_code",
            pa.int16(),
            "0 none, 1 up, 2 down, 3 flat, 4 upper limit, 5 lower limit",
            values=(0, 1, 2, 3, 4, 5),
        ),
        Column(
            "market",
            pa.string(),
            "Market segment the symbol traded on",
            values=("KOSPI", "KOSDAQ", "KOSDAQ GLOBAL", "KONEX"),
        ),
        Column("venue", pa.string(), "Trading venue: KRX, or the alternative NXT", values=("KRX", "NXT")),
        Column(
            "halted",
            pa.bool_(),
            "Open, high, low and the fluctuation code are 0: no continuous trading, the close is carried. A KONEX "
            "issue without a trade that has a change is not halted",
        ),
    ),
    parsed_only=(
        Column("name", pa.string(), "Name of the issue on the session"),
        Column("section", pa.string(), "Section of the market (소속부); empty where the market has none"),
    ),
    key=("symbol", "session"),
    sources=("krx_openapi", "krx_portal", "kis", "marcap", "krx_export"),
    partial_sources=("kis",),
    universe="listed",
    publication_hour=18,
    row_rules=(
        *BAR_RULES,
        RowRule(
            "change_against_code",
            "(fluctuation_code IN (1, 4) AND change <= 0) OR (fluctuation_code IN (2, 5) AND change >= 0) "
            "OR (fluctuation_code = 3 AND change <> 0)",
            "The change's sign agrees with the fluctuation code",
        ),
        RowRule(
            "unknown_fluctuation_code",
            "fluctuation_code NOT BETWEEN 0 AND 5",
            "The fluctuation code is one of 0-5",
        ),
        RowRule(
            "unknown_market",
            "market NOT IN ('KOSPI', 'KOSDAQ', 'KOSDAQ GLOBAL', 'KONEX')",
            "The market is one the exchange runs",
        ),
    ),
    coverage=Coverage(
        share=0.95,
        group_of="CASE WHEN market LIKE 'KOSDAQ%' THEN 'KOSDAQ' ELSE market END",
        group_share=0.90,
        group_size=20,
    ),
    copy_of_yesterday=("open", "high", "low", "close", "volume"),
    copy_among="volume > 0",
)


def halted(opens: pa.Array, highs: pa.Array, lows: pa.Array, codes: pa.Array) -> pa.Array:
    """The column ``halted`` of published rows, as its declaration defines it."""
    quiet = pc.equal(codes, 0)
    for prices in (opens, highs, lows):
        quiet = pc.and_(quiet, pc.equal(prices, 0))
    return quiet
