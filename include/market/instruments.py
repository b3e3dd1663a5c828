"""Kinds of issues, from how the exchange classifies them."""

from __future__ import annotations

from enum import Enum


class InstrumentKind(Enum):
    """What an issue is."""

    COMMON = "common"
    PREFERRED = "preferred"
    ETF = "etf"
    ETN = "etn"
    REIT = "reit"
    SPAC = "spac"
    FOREIGN = "foreign"
    DEPOSITARY_RECEIPT = "depositary_receipt"
    FUND = "fund"
    INFRASTRUCTURE_FUND = "infrastructure_fund"
    RIGHTS = "rights"
    OTHER = "other"


_GROUPS = {
    "외국주권": InstrumentKind.FOREIGN,
    "부동산투자회사": InstrumentKind.REIT,
    "주식예탁증권": InstrumentKind.DEPOSITARY_RECEIPT,
    "투자회사": InstrumentKind.FUND,
    "선박투자회사": InstrumentKind.FUND,
    "사회간접자본투융자회사": InstrumentKind.INFRASTRUCTURE_FUND,
    "신주인수권증서": InstrumentKind.RIGHTS,
    "신주인수권증권": InstrumentKind.RIGHTS,
}


def instrument_kind(group: str, stock_type: str, name: str) -> InstrumentKind:
    """The kind of an issue from its security group (증권구분), stock type (주식종류) and name, all as published."""
    if group in _GROUPS:
        return _GROUPS[group]
    if group != "주권":
        return InstrumentKind.OTHER
    if "기업인수목적" in name or "스팩" in name:
        return InstrumentKind.SPAC
    return InstrumentKind.COMMON if stock_type == "보통주" else InstrumentKind.PREFERRED
