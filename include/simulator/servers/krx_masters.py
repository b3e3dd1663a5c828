"""How the exchange classifies issues in its masters: the inverse of ``include.market.instruments``."""

from __future__ import annotations

from decimal import Decimal

from include.market.instruments import InstrumentKind

NO_PAR_VALUE = "무액면"
_STOCK_GROUPS = {
    InstrumentKind.FOREIGN: "외국주권",
    InstrumentKind.REIT: "부동산투자회사",
    InstrumentKind.DEPOSITARY_RECEIPT: "주식예탁증권",
    InstrumentKind.FUND: "투자회사",
    InstrumentKind.INFRASTRUCTURE_FUND: "사회간접자본투융자회사",
    InstrumentKind.RIGHTS: "신주인수권증서",
}
PRODUCTS = frozenset({InstrumentKind.ETF.value, InstrumentKind.ETN.value})


def security_group(kind: str) -> str:
    """The security group (증권구분) of a stock of ``kind``."""
    return _STOCK_GROUPS.get(InstrumentKind(kind), "주권")


def stock_type(kind: str) -> str:
    """The stock type (주식종류) of a stock of ``kind``."""
    return "구형우선주" if kind == InstrumentKind.PREFERRED.value else "보통주"


def par_value(value: Decimal | None) -> Decimal | None:
    """``value`` without trailing zeros: 500, 0.5; None stays."""
    if value is None:
        return None
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize()
