"""What exchange-traded products there are: a place (slot) has one product at a time, each with a number of its own.

What a product does follows from its slot, its name from its number as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from include.simulator.datasets.indices import FIRST_SECTOR_INDEX, INDICES, KOSDAQ_150, KOSPI_200, KRX_300

MINIMUM_ETFS = 8
MINIMUM_ETNS = 3
_BRANDS = ("HARU", "MIRO", "가온누리", "NOEUL", "SOLBAT", "여울", "DALBIT", "BARAM", "이든솔", "MARU", "SEON", "ARAM")
_ISSUERS = ("하루", "미로", "노을", "여울")
_THEMES = ("2차전지소재", "AI반도체", "K방산", "로봇액티브", "바이오헬스", "고배당주", "밸류업", "조선TOP10")


class Strategy(Enum):
    """How a product follows its index: with stocks, a multiple of it by futures, foreign shares or bonds."""

    STOCKS = "stocks"
    FUTURES = "futures"
    FOREIGN = "foreign"
    BONDS = "bonds"


@dataclass(frozen=True)
class Product:
    """A slot's business. ``index`` is a place in ``INDICES``, also what a theme picks its stocks from.

    ``theme`` names a product that follows an index nobody else publishes; ``multiple`` is of the day's return.
    """

    kind: str
    strategy: Strategy
    label: str
    index: int = KOSPI_200
    multiple: int = 1
    theme: str | None = None


_FIRST_ETFS = (
    Product("ETF", Strategy.STOCKS, "200"),
    Product("ETF", Strategy.FUTURES, "인버스", multiple=-1),
    Product("ETF", Strategy.FUTURES, "레버리지", multiple=2),
    Product("ETF", Strategy.STOCKS, "코스닥150", KOSDAQ_150),
    Product("ETF", Strategy.FOREIGN, "미국S&P500(H)", theme="S&P 500"),
    Product("ETF", Strategy.BONDS, "종합채권(AA-이상)액티브", theme="KIS 종합채권 지수(AA-이상)"),
)
_OTHER_ETFS = (
    *_FIRST_ETFS,
    Product("ETF", Strategy.FUTURES, "코스닥150레버리지", KOSDAQ_150, 2),
    Product("ETF", Strategy.FUTURES, "200선물인버스2X", multiple=-2),
    Product("ETF", Strategy.STOCKS, "KRX300", KRX_300),
)
_ETNS = (
    Product("ETN", Strategy.FUTURES, "레버리지 코스피 200 선물 ETN", multiple=2),
    Product("ETN", Strategy.FUTURES, "인버스 코스닥 150 선물 ETN", KOSDAQ_150, -1),
    Product("ETN", Strategy.FUTURES, "KRX 300 ETN", KRX_300),
    Product("ETN", Strategy.FUTURES, "인버스 2X 코스피 200 선물 ETN", multiple=-2),
)


def etf_slots(symbols: int) -> int:
    """How many ETFs a market of so many stocks has."""
    return max(MINIMUM_ETFS, symbols // 6)


def products(symbols: int) -> tuple[Product, ...]:
    """The product of every slot, ETFs first."""
    etns = max(MINIMUM_ETNS, symbols // 20)
    return tuple(_etf(slot) for slot in range(etf_slots(symbols))) + tuple(_ETNS[slot % 4] for slot in range(etns))


def product_name(product: Product, number: int) -> str:
    """The name of product ``number``: no two are the same."""
    if product.kind == "ETN":
        return f"{_ISSUERS[number % len(_ISSUERS)]} {product.label} {number + 1}"
    series = number // len(_BRANDS)
    return f"{_BRANDS[number % len(_BRANDS)]} {product.label}" + (f" {series + 1}호" if series else "")


def _etf(slot: int) -> Product:
    if slot < len(_FIRST_ETFS):
        return _FIRST_ETFS[slot]
    place = slot % 16
    if slot >= 16 and place < len(_OTHER_ETFS):
        return _OTHER_ETFS[place]
    sectors = len(INDICES) - FIRST_SECTOR_INDEX
    index = FIRST_SECTOR_INDEX + slot % sectors
    if slot % 2:
        return Product("ETF", Strategy.STOCKS, INDICES[index][0], index)
    theme = _THEMES[slot // 2 % len(_THEMES)]
    return Product("ETF", Strategy.STOCKS, theme, KRX_300, theme=f"iSelect {theme} 지수")
