"""What a screen may look at: the columns of ``mart.screenable``, each with its unit and what values it can have."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from include.datasets.registry import dataset_named
from include.indicators.catalogue import CATALOGUE
from include.market.instruments import InstrumentKind

# Prices and volumes that follow corporate actions are of another kind than those as published: a close as adjusted
# today and earnings per share as reported then do not compare.
PRICE, RAW_PRICE = "KRW per share, adjusted", "KRW per share"
VOLUME, SHARES = "shares, adjusted", "shares"
AMOUNT = "KRW"


@dataclass(frozen=True)
class ScreenColumn:
    """One column. A number has a ``unit`` and may have a least and a greatest value; text has none.

    ``values`` is the closed list of a text column, None where any text may stand.
    """

    name: str
    meaning: str
    unit: str | None
    minimum: float | None = None
    maximum: float | None = None
    values: tuple[str, ...] | None = None

    @property
    def is_text(self) -> bool:
        """Whether the values are text; numbers otherwise."""
        return self.unit is None

    @property
    def range(self) -> str:
        """What values there can be, in words."""
        if self.values is not None:
            return "one of " + ", ".join(self.values)
        if self.is_text:
            return "text"
        if self.minimum is None and self.maximum is None:
            return "any number"
        if self.maximum is None:
            return f"{self.minimum:g} or more"
        return f"{self.minimum:g} to {self.maximum:g}"


_PERCENT = (0.0, 100.0)
_NOT_NEGATIVE = (0.0, None)
_INDICATOR_RANGES: Mapping[str, tuple[float | None, float | None]] = {
    **dict.fromkeys(("rsi_14", "stochastic_k", "stochastic_d", "mfi_14", "adx_14"), _PERCENT),
    **dict.fromkeys(("plus_di_14", "minus_di_14"), _PERCENT),
    **dict.fromkeys(("bollinger_width", "atr_14", "realised_volatility_20", "volume_ratio_20"), _NOT_NEGATIVE),
    **dict.fromkeys(("bollinger_middle", "bollinger_upper", "high_52_weeks", "low_52_weeks"), _NOT_NEGATIVE),
    "williams_r_14": (-100.0, 0.0),
    "roc_10": (-100.0, None),
    "relative_strength_60": (-1.0, None),
    "foreign_pct_change_20": (-100.0, 100.0),
}
_AVERAGES = ("sma_", "ema_", "ichimoku_")


def _indicators() -> Iterable[ScreenColumn]:
    for indicator in CATALOGUE:
        units = {"KRW": AMOUNT if indicator.family == "flows" else PRICE, "shares": VOLUME}
        for column in indicator.columns:
            of_prices = _NOT_NEGATIVE if column.name.startswith(_AVERAGES) else (None, None)
            least, greatest = _INDICATOR_RANGES.get(column.name, of_prices)
            yield ScreenColumn(
                column.name, column.meaning, units.get(column.unit, column.unit), minimum=least, maximum=greatest
            )


def _fundamentals() -> Iterable[ScreenColumn]:
    units = {"ratio": "ratio", "percent": "percent", "KRW": RAW_PRICE}
    for column in dataset_named("fundamental").columns:
        if column.name not in ("symbol", "session", "close"):
            least = 0 if column.name in ("dps_krw", "dividend_yield_pct") else None
            yield ScreenColumn(column.name, column.meaning, units[str(column.unit)], minimum=least)


_BAR = (
    ScreenColumn("open", "Adjusted first price", PRICE, minimum=0),
    ScreenColumn("high", "Adjusted highest price", PRICE, minimum=0),
    ScreenColumn("low", "Adjusted lowest price", PRICE, minimum=0),
    ScreenColumn("close", "Adjusted last price", PRICE, minimum=0),
    ScreenColumn("base_price", "Adjusted base price of the session", PRICE, minimum=0),
    ScreenColumn("volume", "Shares traded, in shares of today", VOLUME, minimum=0),
    ScreenColumn("raw_close", "Close as published", RAW_PRICE, minimum=0),
    ScreenColumn("value_krw", "Turnover", AMOUNT, minimum=0),
    ScreenColumn("change_rate", "Published change over the base price: the session's return", "ratio", minimum=-1),
    ScreenColumn("market_cap_krw", "Close times listed shares", AMOUNT, minimum=0),
    ScreenColumn("listed_shares", "Shares listed on the session", SHARES, minimum=0),
)
_MARKETS = next(column.values for column in dataset_named("daily_bar").columns if column.name == "market")
_TEXT = (
    ScreenColumn("market", "Market segment on the session", None, values=tuple(map(str, _MARKETS or ()))),
    ScreenColumn(
        "kind",
        "Kind of issue as the latest master tells; stock where no master tells",
        None,
        values=("stock", *(kind.value for kind in InstrumentKind)),
    ),
    ScreenColumn("name", "Latest name", None),
)
_HOLDINGS = (
    ScreenColumn("foreign_shares", "Shares held by foreigners", SHARES, minimum=0),
    ScreenColumn("foreign_pct", "Held by foreigners of the listed shares", "percent", minimum=0, maximum=100),
    ScreenColumn("limit_shares", "Shares foreigners may hold; null where not published", SHARES, minimum=0),
    ScreenColumn("limit_used_pct", "Held by foreigners of what they may hold", "percent", minimum=0),
)
_FLOWS = (
    ScreenColumn(
        "individual_net_krw", "Net buying of individuals on the session; null where they did not trade it", AMOUNT
    ),
    ScreenColumn(
        "individual_net_shares", "Net buying of individuals on the session; null where they did not trade it", SHARES
    ),
    ScreenColumn(
        "foreign_net_krw",
        "Net buying of foreigners, registered and other, on the session; null where they did not trade it",
        AMOUNT,
    ),
    ScreenColumn(
        "foreign_net_shares",
        "Net buying of foreigners, registered and other, on the session; null where they did not trade it",
        SHARES,
    ),
    ScreenColumn(
        "institution_net_krw", "Net buying of institutions on the session; null where they did not trade it", AMOUNT
    ),
    ScreenColumn(
        "institution_net_shares", "Net buying of institutions on the session; null where they did not trade it", SHARES
    ),
    ScreenColumn(
        "pension_net_krw",
        "Net buying of pension funds, a part of institutions, on the session; null where they did not trade it",
        AMOUNT,
    ),
)

COLUMNS: Mapping[str, ScreenColumn] = MappingProxyType(
    {column.name: column for column in (*_TEXT, *_BAR, *_indicators(), *_fundamentals(), *_HOLDINGS, *_FLOWS)}
)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean a or b?`` of what is spelt like ``word``, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(near)}?" if near else ""
