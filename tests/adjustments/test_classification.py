"""What each kind of action is told by, on published figures and on made-up ones, and what is no action."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.adjustments.classification import classify
from include.adjustments.evidence import Bar, Basis, Evidence, Finding, Kind, Rounding, ShareStep, Status
from include.market.symbols import Market
from include.market.ticks import round_up_to_tick, tick_size

DAY = date(2024, 3, 6)
BEFORE = date(2024, 3, 5)


def evidence(
    *,
    prior_close: int,
    base: int,
    opened: int | None = None,
    close: int | None = None,
    prior_halted: bool = False,
    halted: bool = False,
    shares: tuple[int, int] = (1_000_000, 1_000_000),
    shares_before: int | None = None,
    markets: tuple[str, str] = ("KOSDAQ", "KOSDAQ"),
    days: tuple[date, date] = (BEFORE, DAY),
    **more: object,
) -> Evidence:
    close = base if close is None else close
    opened = 0 if halted else close if opened is None else opened
    prior = Bar(
        days[0], 0 if prior_halted else prior_close, prior_close, prior_close, shares[0], markets[0], prior_halted
    )
    bar = Bar(days[1], opened, close, base, shares[1], markets[1], halted)
    given: dict[str, object] = {
        "name": "시험전자",
        "is_product": False,
        "sessions_missing": 0,
        "later_steps": (),
        "resumed": None,
        "fiscal_year_end": False,
        "new_listings": (),
        "par_ratio": None,
    }
    return Evidence(bar=bar, prior=prior, shares_before=shares_before or shares[0], **{**given, **more})  # type: ignore[arg-type]


def later(days: int, ratio: float) -> tuple[ShareStep, ...]:
    return (ShareStep(DAY + timedelta(days=days), ratio),)


def found(of: Evidence) -> Finding:
    finding = classify(of)
    assert isinstance(finding, Finding)
    return finding


def test_samsung_2018_is_a_split() -> None:
    split = found(
        evidence(
            prior_close=2_650_000,
            base=53_000,
            close=51_900,
            opened=53_000,
            prior_halted=True,
            shares=(128_386_494, 6_419_324_700),
            markets=("KOSPI", "KOSPI"),
            days=(date(2018, 5, 3), date(2018, 5, 4)),
            par_ratio=0.02,
        )
    )
    # It opened at its base, as by an auction; but the base follows from the shares to the won.
    assert (split.kind, split.status, split.applied_basis) == (Kind.SPLIT, Status.APPLIED, Basis.BASE)
    assert split.applied_ratio == 0.02


def test_kakao_2021_is_a_split_by_the_rounded_base() -> None:
    split = found(
        evidence(
            prior_close=558_000,
            base=112_000,
            close=120_500,
            prior_halted=True,
            shares=(88_000_000, 440_000_000),
            markets=("KOSPI", "KOSPI"),
            days=(date(2021, 4, 14), date(2021, 4, 15)),
        )
    )
    assert split.kind is Kind.SPLIT
    assert split.applied_ratio == 112_000 / 558_000


@pytest.mark.parametrize(
    ("kind", "of"),
    [
        (
            Kind.REVERSE_SPLIT,
            {
                "prior_close": 406,
                "base": 2_030,
                "close": 1_850,
                "opened": 1_979,
                "prior_halted": True,
                "shares": (5_000_000, 1_000_000),
            },
        ),
        (
            Kind.REVERSE_SPLIT,
            {"prior_close": 406, "base": 2_030, "close": 1_850, "opened": 1_979, "prior_halted": True},
        ),
        (
            Kind.BONUS_ISSUE,
            {"prior_close": 52_800, "base": 17_600, "close": 17_770, "opened": 19_360, "later_steps": later(23, 3.0)},
        ),
        (Kind.BONUS_ISSUE, {"prior_close": 52_800, "base": 17_600, "close": 17_770, "opened": 19_360}),
        (Kind.RIGHTS_ISSUE, {"prior_close": 10_000, "base": 9_500, "later_steps": later(30, 1.2)}),
        (Kind.RIGHTS_ISSUE, {"prior_close": 10_000, "base": 9_500}),
        (Kind.STOCK_DIVIDEND, {"prior_close": 10_000, "base": 9_530, "fiscal_year_end": True}),
        (
            Kind.STOCK_DIVIDEND,
            {"prior_close": 10_000, "base": 9_530, "fiscal_year_end": True, "later_steps": later(100, 1.05)},
        ),
        (
            Kind.BONUS_ISSUE,
            {"prior_close": 10_000, "base": 9_530, "fiscal_year_end": True, "later_steps": later(20, 1.05)},
        ),
        (
            Kind.CAPITAL_REDUCTION,
            {
                "prior_close": 312,
                "base": 1_674,
                "opened": 1_674,
                "close": 1_518,
                "prior_halted": True,
                "shares": (5_000_000, 1_000_000),
            },
        ),
        (
            Kind.CAPITAL_REDUCTION,
            {"prior_close": 904, "base": 1_808, "prior_halted": True, "halted": True, "shares": (2_000_000, 1_000_000)},
        ),
        (
            Kind.REVERSE_SPLIT,
            {
                "prior_close": 904,
                "base": 1_808,
                "prior_halted": True,
                "halted": True,
                "shares": (2_000_000, 1_000_000),
                "resumed": DAY + timedelta(days=1),
            },
        ),
        (
            Kind.CAPITAL_REDUCTION,
            {
                "prior_close": 1_000,
                "base": 2_000,
                "close": 2_100,
                "prior_halted": True,
                "shares": (2_000_000, 1_000_000),
                "par_ratio": 1.0,
            },
        ),
        (
            Kind.MERGER,
            {
                "prior_close": 2_425,
                "base": 3_965,
                "opened": 3_965,
                "close": 4_475,
                "prior_halted": True,
                "name": "신영스팩7호",
            },
        ),
        (
            Kind.MERGER,
            {
                "prior_close": 8_000,
                "base": 9_000,
                "opened": 9_000,
                "prior_halted": True,
                "shares": (1_000_000, 1_400_000),
            },
        ),
        (
            Kind.SPIN_OFF,
            {
                "prior_close": 5_730,
                "base": 4_880,
                "opened": 4_880,
                "close": 3_815,
                "prior_halted": True,
                "shares": (1_000_000, 634_500),
                "new_listings": ("새회사",),
            },
        ),
        (Kind.RELISTING, {"prior_close": 3_150, "base": 3_600, "opened": 3_600, "close": 3_695, "prior_halted": True}),
        (
            Kind.MARKET_CHANGE,
            {"prior_close": 7_180, "base": 6_730, "markets": ("KONEX", "KOSDAQ"), "shares": (1_000_000, 1_182_000)},
        ),
    ],
)
def test_a_kind_is_told_by_its_evidence(kind: Kind, of: dict[str, object]) -> None:
    finding = found(evidence(**of))  # type: ignore[arg-type]
    assert finding.kind is kind
    assert (finding.status, finding.applied_basis) == (Status.APPLIED, Basis.BASE)
    assert finding.applied_ratio == finding.base_ratio == of["base"] / of["prior_close"]  # type: ignore[operator]


def test_a_conversion_after_a_rights_issue_makes_it_no_bonus_issue() -> None:
    steps = (*later(30, 1.2), *later(60, 1.05))
    assert found(evidence(prior_close=10_000, base=9_550, later_steps=steps)).kind is Kind.RIGHTS_ISSUE


def test_a_split_that_opens_at_its_base_is_no_auction() -> None:
    of = {"days": (date(2021, 4, 14), date(2021, 4, 15)), "markets": ("KOSPI", "KOSPI")}
    split = found(evidence(prior_close=558_000, base=112_000, opened=112_000, prior_halted=True, **of))
    assert split.kind is Kind.SPLIT


def test_an_auction_base_is_told_as_such() -> None:
    finding = found(evidence(prior_close=3_150, base=3_600, opened=3_600, prior_halted=True))
    assert "auction" in finding.evidence


def test_a_preferred_share_follows_its_common_share() -> None:
    common = found(evidence(prior_close=10_000, base=9_000, later_steps=later(20, 1.25)))
    alone = evidence(prior_close=5_000, base=4_500)
    assert common.kind is Kind.RIGHTS_ISSUE
    told = found(replace(alone, common=common))
    assert (told.kind, told.confidence) == (Kind.RIGHTS_ISSUE, common.confidence)
    assert told.applied_ratio == found(alone).applied_ratio


@pytest.mark.parametrize(("shares", "close"), [((1_000_000, 100_000), 9_000), ((1_000_000, 5_000_000), 210)])
def test_shares_exchanged_without_a_reset_are_applied_by_their_ratio(shares: tuple[int, int], close: int) -> None:
    finding = found(evidence(prior_close=1_000, base=1_000, close=close, prior_halted=True, shares=shares))
    assert finding.kind in {Kind.SPLIT, Kind.REVERSE_SPLIT}
    assert (finding.base_ratio, finding.applied_basis) == (1.0, Basis.SHARES)
    assert isclose(finding.applied_ratio, shares[0] / shares[1])


@pytest.mark.parametrize(
    "of",
    [
        # New shares without a reset, the price within its limits: a private placement, a conversion.
        {"prior_close": 1_000, "base": 1_000, "close": 1_100, "shares": (1_000_000, 2_000_000)},
        # New shares, and a price that rose beyond its limit: liquidation trading.
        {"prior_close": 1_000, "base": 1_000, "close": 1_350, "shares": (1_000_000, 1_600_000)},
        # Liquidation trading: far beyond the limit, the count as before.
        {"prior_close": 1_000, "base": 1_000, "close": 200},
        # Nothing at all.
        {"prior_close": 1_000, "base": 1_000, "close": 1_010},
    ],
)
def test_what_is_no_action(of: dict[str, object]) -> None:
    assert classify(evidence(**of)) is None  # type: ignore[arg-type]


@given(price=st.integers(2_000, 400_000), market=st.sampled_from(["KOSPI", "KOSDAQ", "KONEX"]))
def test_a_close_off_the_grid_rounded_up_is_a_rounding(price: int, market: str) -> None:
    tick = tick_size(price, Market(market), DAY)
    base = round_up_to_tick(price, Market(market), DAY)
    outcome = classify(evidence(prior_close=price, base=base, markets=(market, market)))
    assert outcome is None if price % tick == 0 else isinstance(outcome, Rounding)


def test_a_spac_between_two_ticks_in_2026_is_no_action() -> None:
    days = (date(2026, 2, 3), date(2026, 2, 4))
    assert isinstance(classify(evidence(prior_close=2_112, base=2_115, days=days)), Rounding)
    assert isinstance(classify(evidence(prior_close=2_112, base=2_100, days=days)), Finding)


@given(prior=st.integers(500, 500_000), factor=st.floats(0.05, 20), halted=st.booleans())
def test_whatever_the_exchange_resets_is_applied_as_it_reset_it(prior: int, factor: float, halted: bool) -> None:
    base = max(round(prior * factor), 1)
    outcome = classify(evidence(prior_close=prior, base=base, prior_halted=halted))
    if base == prior:
        assert outcome is None
    elif isinstance(outcome, Finding):
        assert (outcome.status, outcome.applied_ratio) == (Status.APPLIED, base / prior)
    else:
        assert isinstance(outcome, Rounding)


# --- missing sessions


def test_a_move_the_market_can_have_made_is_none_of_ours() -> None:
    assert classify(evidence(prior_close=1_000, base=1_290, sessions_missing=1)) is None


def test_a_move_it_cannot_have_made_is_pending() -> None:
    finding = found(evidence(prior_close=1_000, base=5_000, sessions_missing=1))
    assert (finding.status, finding.applied_ratio, finding.applied_basis) == (Status.PENDING, 1.0, Basis.NONE)


def test_shares_that_explain_it_are_applied() -> None:
    finding = found(evidence(prior_close=1_000, base=5_400, sessions_missing=2, shares=(5_000_000, 1_000_000)))
    assert (finding.status, finding.applied_basis) == (Status.APPLIED, Basis.SHARES)
    assert isclose(finding.applied_ratio, 5.0)


def test_a_halt_carries_the_close_over_missing_sessions() -> None:
    finding = found(evidence(prior_close=1_000, base=5_000, sessions_missing=2, prior_halted=True))
    assert (finding.status, finding.applied_ratio) == (Status.APPLIED, 5.0)
    finding = found(evidence(prior_close=1_000, base=1_100, sessions_missing=2, prior_halted=True, halted=True))
    assert (finding.status, finding.applied_ratio) == (Status.APPLIED, 1.1)


@pytest.mark.parametrize("base", [970, 1_030, 1_250])
def test_it_may_have_traded_while_sessions_are_missing(base: int) -> None:
    assert classify(evidence(prior_close=1_000, base=base, sessions_missing=1, prior_halted=True)) is None


def test_shares_listed_later_explain_no_move_the_market_can_have_made() -> None:
    of = evidence(prior_close=1_000, base=750, sessions_missing=1, later_steps=later(100, 1.5))
    assert classify(of) is None


def test_years_without_bars_tell_nothing() -> None:
    assert classify(evidence(prior_close=1_000, base=20_000, sessions_missing=470, shares=(9, 3))) is None


# --- exchange-traded products


def test_a_distribution_is_noted_and_not_applied() -> None:
    # KODEX 200 on 2020-04-28: its base was 425 won below the close before.
    finding = found(evidence(prior_close=25_600, base=25_175, is_product=True))
    assert (finding.kind, finding.status, finding.applied_ratio) == (Kind.DISTRIBUTION, Status.NOTED, 1.0)
    assert finding.base_ratio == 25_175 / 25_600


def test_a_product_is_split_by_more_than_any_distribution() -> None:
    finding = found(evidence(prior_close=100_000, base=10_000, is_product=True, shares=(1_000, 10_000)))
    assert (finding.kind, finding.applied_ratio, finding.share_ratio) == (Kind.SPLIT, 0.1, 10.0)
