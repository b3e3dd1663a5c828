"""Rules out of their range, and rules that are none."""

from __future__ import annotations

from typing import Any

import pytest

from include.trading.fills import Refusal
from include.trading.page import PAGE, with_tables
from include.trading.portfolio import Obstacle
from include.trading.rules import InvalidRulesError, Rules


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_holdings": 0}, "max_holdings is a whole number from 1 to 1,000, got 0"),
        ({"max_holdings": 2.5}, "max_holdings is a whole number"),
        ({"max_holdings": True}, "max_holdings is a whole number"),
        ({"stop_loss_pct": 0}, "stop_loss_pct is above 0 and below 100 percent, got 0"),
        ({"stop_loss_pct": 100}, "stop_loss_pct is above 0 and below 100"),
        ({"stop_loss_pct": "5"}, "stop_loss_pct is above 0 and below 100 percent, got '5'"),
        ({"target_pct": -1}, "target_pct is above 0"),
        ({"daily_loss_limit_pct": float("nan")}, "daily_loss_limit_pct is above 0"),
        ({"max_holding_sessions": 0}, "max_holding_sessions is a whole number"),
        ({"slippage_ticks": -1}, "slippage_ticks is a whole number from 0 to 100"),
        ({"participation_pct": 0}, "participation_pct is above 0"),
        ({"participation_pct": 101}, "participation_pct is above 0 and at most 100"),
        ({"fee_pct": -0.01}, "fee_pct is from 0 to 5"),
        ({"stop_los": 5}, "there is no rule 'stop_los'; there are: daily_loss_limit_pct"),
    ],
)
def test_a_wrong_rule_is_refused_by_name(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRulesError) as refused:
        Rules.from_dict(values)
    assert message in str(refused.value)


def test_rules_come_back_from_what_they_tell() -> None:
    rules = Rules(max_holdings=3, stop_loss_pct=None, target_pct=12.5)
    assert Rules.from_dict(rules.to_dict()) == rules
    assert Rules.from_dict({}) == Rules()


def test_the_page_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_tables(page) == page, "run: python -m include.trading.page"


def test_the_page_explains_every_reason() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [reason for reason in (*Refusal, *Obstacle) if f"`{reason}`" not in page] == []
