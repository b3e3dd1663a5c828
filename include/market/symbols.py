"""Markets, short codes and ISINs of Korean shares.

Sources: KRX issue-code guide (short code and ISIN of shares); the ISIN check digit is that of ISO 6166.
The ISIN rules were checked against every ``KR7`` share of the exchange's own issue finders.
"""

from __future__ import annotations

import re
from enum import Enum

_SYMBOL = re.compile(r"[0-9A-Z]{6}")

# Final character of a preferred share -> (sixth character of its ISIN's issuer part, issue number).
_PREFERRED_ISSUE = {
    "5": ("1", "00"),
    "7": ("2", "00"),
    "9": ("3", "00"),
    "K": ("K", "01"),
    "L": ("K", "02"),
    "M": ("K", "03"),
}


class InvalidSymbolError(ValueError):
    """The text is not a short code, or not one the rule asked for covers."""


class Market(Enum):
    """A market as the exchange publishes its name; KOSDAQ GLOBAL is a segment of KOSDAQ."""

    KOSPI = "KOSPI"
    KOSDAQ = "KOSDAQ"
    KOSDAQ_GLOBAL = "KOSDAQ GLOBAL"
    KONEX = "KONEX"

    @property
    def market_id(self) -> str:
        """The exchange's market id: ``STK``, ``KSQ`` or ``KNX``."""
        return _MARKET_IDS[self]


_MARKET_IDS = {
    Market.KOSPI: "STK",
    Market.KOSDAQ: "KSQ",
    Market.KOSDAQ_GLOBAL: "KSQ",
    Market.KONEX: "KNX",
}


def is_valid_symbol(symbol: str) -> bool:
    """Whether ``symbol`` is a short code: six characters of ``0-9A-Z``."""
    return _SYMBOL.fullmatch(symbol) is not None


def is_preferred(symbol: str) -> bool:
    """Whether ``symbol`` is a preferred share: its last character is one of 5, 7, 9, K, L, M.

    Raises:
        InvalidSymbolError: ``symbol`` is not a short code.
    """
    _require_symbol(symbol)
    return symbol[5] in _PREFERRED_ISSUE


def isin(symbol: str) -> str:
    """The ISIN of a domestic common or preferred share.

    ``KR7``, the short code (a final 5, 7, 9 written 1, 2, 3 and L, M written K), a two-digit issue number
    (``00``; ``01``, ``02``, ``03`` for K, L, M) and the check digit. Shares of foreign companies carry the
    ISIN of their home or a ``KR8`` one, which cannot be told from the short code.

    Raises:
        InvalidSymbolError: not a short code, or neither a common (final 0) nor a preferred share.
    """
    _require_symbol(symbol)
    last = symbol[5]
    if last == "0":
        issuer_end, issue = "0", "00"
    elif last in _PREFERRED_ISSUE:
        issuer_end, issue = _PREFERRED_ISSUE[last]
    else:
        raise InvalidSymbolError(f"no ISIN rule for {symbol!r}: a share's code ends in 0, 5, 7, 9, K, L or M")
    body = f"KR7{symbol[:5]}{issuer_end}{issue}"
    return body + str(_check_digit(body))


def _check_digit(body: str) -> int:
    """ISO 6166: letters become two digits (A = 10), then Luhn from the right."""
    digits = "".join(str(int(character, 36)) for character in body)
    total = 0
    for position, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if position % 2 == 0 else 1)
        total += doubled // 10 + doubled % 10
    return -total % 10


def _require_symbol(symbol: str) -> None:
    if not is_valid_symbol(symbol):
        raise InvalidSymbolError(f"{symbol!r} is not a short code: six characters of 0-9 and A-Z")
