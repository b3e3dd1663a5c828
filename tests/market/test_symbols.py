from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.market.symbols import InvalidSymbolError, Market, is_preferred, is_valid_symbol, isin


@pytest.mark.samples
@pytest.mark.parametrize(("finder", "shares"), [("finder_stkisu", 2873), ("finder_listdelisu", 2087)])
def test_isin_of_every_published_share(samples: Path, finder: str, shares: int) -> None:
    """Subscription-right and pre-1999 new-share issues have rules of their own: codes ending otherwise."""
    (path,) = (samples / "krx_portal").glob(f"{finder}*.json")
    published = {
        row["short_code"]: row["full_code"]
        for row in json.loads(path.read_bytes())["block1"]
        if row["full_code"].startswith("KR7") and row["short_code"][-1] in "0579KLM"
    }
    assert len(published) == shares
    assert {symbol: isin(symbol) for symbol in published} == published


@given(st.from_regex(r"[0-9A-Z]{5}[0579KLM]", fullmatch=True))
def test_isin_passes_luhn(symbol: str) -> None:
    digits = "".join(str(int(character, 36)) for character in isin(symbol))
    doubled = [int(digit) * (1 + position % 2) for position, digit in enumerate(reversed(digits))]
    assert sum(value // 10 + value % 10 for value in doubled) % 10 == 0


@pytest.mark.parametrize("symbol", ["005930", "0004Y0", "33637L"])
def test_valid(symbol: str) -> None:
    assert is_valid_symbol(symbol)


@pytest.mark.parametrize("symbol", ["", "5930", "0059300", "00593a", "00593 ", "００５９３０", "005930\n"])
def test_invalid(symbol: str) -> None:
    assert not is_valid_symbol(symbol)
    with pytest.raises(InvalidSymbolError):
        isin(symbol)
    with pytest.raises(InvalidSymbolError):
        is_preferred(symbol)


def test_preferred() -> None:
    assert all(is_preferred("00593" + end) for end in "579KLM")
    assert not any(is_preferred(symbol) for symbol in ("005930", "0004Y0"))


def test_isin_of_another_issue_is_refused() -> None:
    with pytest.raises(InvalidSymbolError, match="ends in"):
        isin("026261")


def test_market_ids() -> None:
    assert {market.value: market.market_id for market in Market} == {
        "KOSPI": "STK",
        "KOSDAQ": "KSQ",
        "KOSDAQ GLOBAL": "KSQ",
        "KONEX": "KNX",
    }
