"""What each class of investors bought and sold on each market."""

from __future__ import annotations

import pyarrow as pa

from include.datasets.investor_flow import FLOW_RULES, INVESTOR, QUANTITIES, sum_rules
from include.datasets.registry import Column, Coverage, Dataset

DATASET = Dataset(
    name="market_investor_flow",
    table="market.market_investor_flow",
    title="Investor flows of markets",
    meaning="One row per market, session and investor class: bought, sold and net, in shares and won. Stocks only; "
    "ETF is a market of its own here.",
    columns=(
        Column("market", pa.string(), "Market", values=("KOSPI", "KOSDAQ", "KONEX", "ETF")),
        Column("session", pa.date32(), "Trading day, Asia/Seoul"),
        INVESTOR,
        *QUANTITIES,
    ),
    key=("market", "session", "investor"),
    sources=("krx_portal", "flow_files"),
    partial_sources=("flow_files",),
    publication_hour=18,
    row_rules=FLOW_RULES,
    group_rules=sum_rules("market", "session"),
    coverage=Coverage(share=1.0, group_of="market", group_share=1.0, group_size=1),
    copy_of_yesterday=("sell_krw", "buy_krw"),
)
