from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path

import pytest

from include.market.instruments import InstrumentKind, instrument_kind
from include.market.symbols import is_preferred, is_valid_symbol
from include.simulator.exchange.names import (
    LETTER_CODES_FROM,
    CodesExhaustedError,
    common_symbol,
    company_name,
    holding_name,
    preferred_symbol,
    spac_name,
)


def test_codes_are_valid_and_never_repeat() -> None:
    old = [common_symbol(number, date(2020, 1, 2)) for number in range(100_000)]
    new = [common_symbol(number, LETTER_CODES_FROM) for number in range(0, 230_000, 7)]
    assert all(is_valid_symbol(symbol) and not is_preferred(symbol) for symbol in (*old, *new))
    assert len({*old, *new}) == len(old) + len(new)
    assert all(symbol[4].isalpha() for symbol in new)
    assert all(is_preferred(preferred_symbol(symbol)) for symbol in old[:1000])


def test_codes_run_out_loudly() -> None:
    with pytest.raises(CodesExhaustedError):
        common_symbol(230_000, LETTER_CODES_FROM)


def test_names_never_repeat() -> None:
    assert len({company_name(number) for number in range(200_000)}) == 200_000
    assert len({spac_name(number) for number in range(10_000)}) == 10_000


def test_the_names_of_spacs_say_so() -> None:
    for number in range(100):
        assert instrument_kind("주권", "보통주", spac_name(number)) is InstrumentKind.SPAC
        assert instrument_kind("주권", "보통주", company_name(number)) is InstrumentKind.COMMON


def test_a_holding_company_is_not_divided_again() -> None:
    assert holding_name("갈걸전자") == "갈걸전자홀딩스"
    assert holding_name("갈걸전자홀딩스") is None


@pytest.mark.samples
def test_no_company_is_called_so(samples: Path) -> None:
    made_up = {company_name(number) for number in range(200_000)} | {spac_name(number) for number in range(1_000)}
    real = set()
    for path in (samples / "krx_portal").glob("finder_*.json"):
        real |= {row["codeName"] for row in json.loads(path.read_bytes())["block1"]}
    for path in (samples / "listings").glob("*.csv"):
        with path.open(encoding="utf-8-sig") as file:
            real |= {value for row in csv.reader(file) for value in row}
    assert len(real) > 6_000
    assert not made_up & real
