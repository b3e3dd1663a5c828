"""Overseas indices, exchange rates and commodities that are followed, by Yahoo's symbols."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GlobalSymbol:
    """One instrument; ``timezone`` is the IANA name of the zone its trading days are counted in, as Yahoo has it."""

    symbol: str
    name: str
    timezone: str


GLOBAL_SYMBOLS = (
    GlobalSymbol("^GSPC", "S&P 500", "America/New_York"),
    GlobalSymbol("^IXIC", "NASDAQ Composite", "America/New_York"),
    GlobalSymbol("^DJI", "Dow Jones Industrial Average", "America/New_York"),
    GlobalSymbol("^SOX", "PHLX Semiconductor", "America/New_York"),
    GlobalSymbol("^VIX", "CBOE Volatility Index", "America/Chicago"),
    GlobalSymbol("^N225", "Nikkei 225", "Asia/Tokyo"),
    GlobalSymbol("^HSI", "Hang Seng Index", "Asia/Hong_Kong"),
    GlobalSymbol("000001.SS", "SSE Composite Index", "Asia/Shanghai"),
    GlobalSymbol("^GDAXI", "DAX", "Europe/Berlin"),
    GlobalSymbol("^FTSE", "FTSE 100", "Europe/London"),
    GlobalSymbol("KRW=X", "USD/KRW", "Europe/London"),
    GlobalSymbol("JPY=X", "USD/JPY", "Europe/London"),
    GlobalSymbol("EURKRW=X", "EUR/KRW", "Europe/London"),
    GlobalSymbol("CNYKRW=X", "CNY/KRW", "Europe/London"),
    GlobalSymbol("CL=F", "WTI crude oil futures", "America/New_York"),
    GlobalSymbol("GC=F", "Gold futures", "America/New_York"),
    GlobalSymbol("^KS11", "KOSPI Composite Index", "Asia/Seoul"),
    GlobalSymbol("^KQ11", "KOSDAQ Composite Index", "Asia/Seoul"),
)
