"""What each class of investors bought and sold of each stock."""

from __future__ import annotations

import pyarrow as pa

from include.datasets.daily_bar import SYMBOL_PATTERN
from include.datasets.registry import Column, Coverage, Dataset, GroupRule, RowRule
from include.market.investors import CLASSES, INSTITUTIONS, Investor

INVESTOR = Column(
    "investor",
    pa.string(),
    "One of the exchange's eleven investor classes, the subtotal 'institution', or 'total'",
    values=tuple(investor.value for investor in Investor),
)
QUANTITIES = (
    Column("sell_shares", pa.int64(), "Sold; null where the source gives the net only", unit="shares", nullable=True),
    Column("buy_shares", pa.int64(), "Bought; null where the source gives the net only", unit="shares", nullable=True),
    Column("net_shares", pa.int64(), "Bought less sold", unit="shares", nullable=True),
    Column("sell_krw", pa.int64(), "Sold; null where the source gives the net only", unit="KRW", nullable=True),
    Column("buy_krw", pa.int64(), "Bought; null where the source gives the net only", unit="KRW", nullable=True),
    Column("net_krw", pa.int64(), "Bought less sold; null where not published", unit="KRW", nullable=True),
)
FLOW_RULES = (
    RowRule(
        "net_against_sides",
        "net_shares <> buy_shares - sell_shares OR net_krw <> buy_krw - sell_krw",
        "The net is what was bought less what was sold",
    ),
    RowRule(
        "negative_quantity",
        "least(sell_shares, buy_shares, sell_krw, buy_krw) < 0",
        "Nobody buys or sells less than nothing",
    ),
    RowRule(
        "total_not_zero",
        "investor = 'total' AND (net_shares <> 0 OR net_krw <> 0)",
        "Whatever is bought was sold: the total's net is zero",
    ),
    RowRule("no_quantity", "net_shares IS NULL AND net_krw IS NULL", "A row says a net quantity or a net value"),
)
_SIDES = ("sell_shares", "buy_shares", "sell_krw", "buy_krw")


def _listed(investors: tuple[Investor, ...]) -> str:
    return ", ".join(f"'{investor.value}'" for investor in investors)


def _sums_differ(parts: tuple[Investor, ...], whole: Investor) -> str:
    differences = (
        f"coalesce(sum({side}) FILTER (investor IN ({_listed(parts)})), 0) "
        f"<> coalesce(sum({side}) FILTER (investor = '{whole.value}'), 0)"
        for side in _SIDES
    )
    both_sides = (f"count(buy_shares) FILTER (investor IN ({_listed(which)})) > 0" for which in (parts, (whole,)))
    return f"{' AND '.join(both_sides)} AND ({' OR '.join(differences)})"


def sum_rules(*by: str) -> tuple[GroupRule, ...]:
    """That classes sum to the total and institutions to their subtotal, where a source gives both sides of each."""
    return (
        GroupRule("classes_against_total", by, _sums_differ(CLASSES, Investor.TOTAL), "Eleven classes make the total"),
        GroupRule(
            "institutions_against_subtotal",
            by,
            _sums_differ(INSTITUTIONS, Investor.INSTITUTION),
            "Seven classes make the institutions' subtotal",
        ),
    )


DATASET = Dataset(
    name="investor_flow",
    table="market.investor_flow",
    title="Investor flows",
    meaning="One row per stock, session and investor class that traded it: bought, sold and net, in shares and won.",
    columns=(
        Column("symbol", pa.string(), "Exchange short code, six characters, text always", pattern=SYMBOL_PATTERN),
        Column("session", pa.date32(), "Trading day, Asia/Seoul"),
        INVESTOR,
        *QUANTITIES,
    ),
    key=("symbol", "session", "investor"),
    sources=("krx_portal", "naver", "kis", "kiwoom", "flow_files"),
    partial_sources=("naver", "kis", "kiwoom", "flow_files"),
    publication_hour=18,
    row_rules=(
        RowRule("malformed_symbol", f"NOT (symbol ~ '{SYMBOL_PATTERN}')", "A symbol is six of [0-9A-Z]"),
        *FLOW_RULES,
    ),
    group_rules=sum_rules("symbol", "session"),
    coverage=Coverage(share=0.95, of="symbol", group_of="investor", group_share=0.60, group_size=100),
    copy_of_yesterday=("net_shares", "net_krw"),
    copy_among="investor <> 'total' AND net_shares <> 0",
    universe="listed",
)
