"""Section names (소속부) as the exchange publishes them, by market."""

from __future__ import annotations

from include.market.symbols import Market

NO_SECTION = ""
ADMINISTRATIVE = "관리종목(소속부없음)"
SPAC_SECTION = "SPAC(소속부없음)"
KONEX_SECTION = "일반기업부"
KOSDAQ_SECTIONS = ("우량기업부", "벤처기업부", "중견기업부", "기술성장기업부")


def section_of(market: Market, bits: int) -> str:
    """A section of ``market``, picked by ``bits`` where it has several."""
    if market is Market.KOSPI:
        return NO_SECTION
    if market is Market.KONEX:
        return KONEX_SECTION
    return KOSDAQ_SECTIONS[bits % len(KOSDAQ_SECTIONS)]
