"""Every row rule: a clean market breaks none, and each way of breaking one is called by its name."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from include.datasets.daily_bar import DATASET
from include.quality.row_rules import DUPLICATE_KEY, DUPLICATE_ROW, MISSING_VALUE, mark_violations

BAR = {
    "symbol": "900010",
    "session": date(2024, 1, 2),
    "open": 1000,
    "high": 1100,
    "low": 990,
    "close": 1050,
    "volume": 10,
    "value_krw": 10_300,
    "market_cap_krw": 1_050_000,
    "listed_shares": 1000,
    "change": 50,
    "base_price": 1000,
    "fluctuation_code": 1,
    "market": "KOSPI",
    "venue": "KRX",
    "halted": False,
    "name": "가나다",
    "section": "",
}


def _marks(*rows: dict[str, object]) -> list[str | None]:
    table = pa.Table.from_pylist(list(rows), schema=DATASET.parsed_schema)
    return mark_violations(table, DATASET).sort_by("row_number")["violated_rule"].to_pylist()


BROKEN = [
    ("missing_value", {"close": None}),
    ("malformed_symbol", {"symbol": "90001"}),
    ("malformed_symbol", {"symbol": "90001a"}),
    ("malformed_symbol", {"symbol": "9000100"}),
    ("negative_price", {"low": -990}),
    ("negative_price", {"close": 0}),
    ("negative_quantity", {"volume": -1}),
    ("negative_quantity", {"listed_shares": 0}),
    ("partial_halt", {"open": 0}),
    ("high_below_low", {"high": 980}),
    ("outside_high_low", {"high": 1040}),
    ("outside_high_low", {"low": 1010}),
    ("base_not_positive", {"base_price": 0}),
    ("change_against_code", {"fluctuation_code": 2}),
    ("change_against_code", {"fluctuation_code": 3}),
    ("market_cap_mismatch", {"market_cap_krw": 1_050_001}),
    ("unknown_fluctuation_code", {"fluctuation_code": 6}),
    ("unknown_market", {"market": "NASDAQ"}),
]


@pytest.mark.parametrize(("rule", "change"), BROKEN)
def test_a_broken_row_is_marked_with_the_rule(rule: str, change: dict[str, object]) -> None:
    assert _marks(BAR, BAR | change | {"session": date(2024, 1, 3)}) == [None, rule]


def test_every_rule_is_broken_above() -> None:
    assert {rule for rule, _ in BROKEN} == {MISSING_VALUE} | {rule.name for rule in DATASET.row_rules}


def test_of_identical_copies_one_may_load() -> None:
    assert _marks(BAR, BAR, BAR) == [None, DUPLICATE_ROW, DUPLICATE_ROW]


def test_of_differing_copies_none_may_load() -> None:
    other = BAR | {"symbol": "900020"}
    assert _marks(BAR, other, BAR | {"volume": 11}) == [DUPLICATE_KEY, None, DUPLICATE_KEY]


def test_a_halt_and_an_untraded_konex_issue_are_clean() -> None:
    quiet = BAR | {"open": 0, "high": 0, "low": 0, "volume": 0, "value_krw": 0}
    halt = quiet | {"change": 0, "base_price": 1050, "fluctuation_code": 0, "halted": True}
    konex = quiet | {"symbol": "900030", "market": "KONEX"}
    assert _marks(halt, konex) == [None, None]
