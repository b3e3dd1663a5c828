"""What a session's base price tells: no action, a rounding, or a corporate action of some kind. Pure.

The base price (close less published change) is what the exchange resets for an action, so a base that is not the
previous close is one, unless it is that close rounded up to a tick. The kind is told by what happened around it: the
listed share count, halts, opening auctions, new listings, the calendar. Thresholds are from the resets recorded in
early 2022 and early 2024; docs/adjustment.md works them through.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from math import log

from include.adjustments.evidence import Basis, Evidence, Finding, Kind, Rounding, ShareStep, Status
from include.market.limits import UnknownLimitError, price_limit_percent
from include.market.symbols import Market
from include.market.ticks import round_up_to_tick, tick_size

# The count moves a little nearly every day through conversions and options: that is not an action's doing.
_SHARES_MOVED = 0.02
# A base follows from a count if it is within a tick of old value / new count, or within this share of the way there.
_MECHANICAL = 0.01
# A count that changes this much cannot leave the price where it was.
_CONSOLIDATION = 1.45
# Beyond the widest limit of a session by more than a rounding.
_LOG_MOVE_PER_SESSION = 0.36
_LOG_SLACK = 0.02
# Over more missing sessions than this a change of shares is not taken for the cause of a change of price.
_TOLERABLE_GAP = 20
# Stock dividends are listed after the general meeting of shareholders, some months after the ex-date.
_MEETING_FROM_DAYS = 55
# After an auction, new or fewer shares are listed within weeks, and not by a few percent.
_AUCTION_TO_LISTING_DAYS = 30
_SHARES_OF_AN_AUCTION = 0.04
_PRODUCT_SPLIT = 0.3
_SPAC = "스팩"


def classify(evidence: Evidence) -> Finding | Rounding | None:
    """What the session was: an action, a rounding, or nothing to note (None)."""
    bar, prior = evidence.bar, evidence.prior
    if prior.close <= 0 or bar.base_price <= 0:
        return None
    if evidence.sessions_missing and not _is_told_across_gap(evidence):
        return _across_gap(evidence)
    if bar.base_price == prior.close:
        return None if evidence.is_product else _without_reset(evidence)
    if evidence.is_product:
        return _of_product(evidence)
    if _is_rounding(evidence):
        return Rounding(prior.session, prior.close, bar.base_price)
    return _reset(evidence)


# --- the exchange reset the base


def _reset(evidence: Evidence) -> Finding:
    bar, prior = evidence.bar, evidence.prior
    moved = _share_ratio(evidence)
    later = _telling_step(evidence)
    if _other_market(evidence):
        finding = _found(
            evidence, Kind.MARKET_CHANGE, _or_none(moved), 0.9, f"moved from {prior.market} to {bar.market}"
        )
    elif moved < 1 - _SHARES_MOVED:
        finding = _fewer_shares(evidence, moved)
    elif moved > 1 + _SHARES_MOVED:
        finding = _more_shares(evidence, moved)
    elif prior.halted:
        finding = _after_halt(evidence, later)
    else:
        finding = _while_trading(evidence, later)
    return _following_common(evidence, finding)


def _fewer_shares(evidence: Evidence, moved: float) -> Finding:
    """The listed count fell with the reset, or during the halt before it."""
    shares = f"the listed count became {moved:.4g} of what it was"
    if _follows_from(evidence, moved) and not _by_auction(evidence):
        if evidence.par_ratio is not None:
            consolidated = evidence.par_ratio > 1 + _SHARES_MOVED
            kind = Kind.REVERSE_SPLIT if consolidated else Kind.CAPITAL_REDUCTION
            return _found(evidence, kind, moved, 0.95, f"{shares}, the par value {evidence.par_ratio:.4g} times")
        if evidence.bar.halted and not _resumes_soon(evidence):
            return _found(evidence, Kind.CAPITAL_REDUCTION, moved, 0.6, f"{shares} within a long halt")
        return _found(evidence, Kind.REVERSE_SPLIT, moved, 0.85, f"{shares}, and the base follows from it")
    ratio = evidence.bar.base_price / evidence.prior.close
    listed = f"{', '.join(evidence.new_listings)} was listed the same session"
    if _sounds_related(evidence):
        return _found(evidence, Kind.SPIN_OFF, moved, 0.85, f"{shares}, and {listed}")
    if ratio <= 1 + _SHARES_MOVED:
        and_listed = f", and {listed}" if evidence.new_listings else ""
        confidence = 0.7 if evidence.new_listings else 0.5
        return _found(evidence, Kind.SPIN_OFF, moved, confidence, f"{shares}, the base did not rise{and_listed}")
    return _found(evidence, Kind.CAPITAL_REDUCTION, moved, 0.85 if _by_auction(evidence) else 0.7, shares)


def _more_shares(evidence: Evidence, moved: float) -> Finding:
    """The listed count grew with the reset, or during the halt before it."""
    halted = evidence.prior.halted
    shares = f"the listed count became {moved:.4g} times what it was"
    if _by_auction(evidence):
        return _found(evidence, Kind.MERGER, moved, 0.8, shares)
    if _follows_from(evidence, moved):
        kind = Kind.SPLIT if halted else Kind.BONUS_ISSUE
        return _found(evidence, kind, moved, 0.9, f"{shares}, and the base follows from it")
    if evidence.bar.base_price > evidence.prior.close:
        return _found(
            evidence,
            Kind.CAPITAL_REDUCTION,
            moved,
            0.5,
            f"{shares}, yet the base rose: shares were issued after a reduction",
        )
    if not halted and _is_discount(evidence, moved):
        return _found(evidence, Kind.RIGHTS_ISSUE, moved, 0.85, f"{shares}, more than the base fell")
    return _found(evidence, Kind.UNEXPLAINED, moved, 0.3, shares)


def _after_halt(evidence: Evidence, later: ShareStep | None) -> Finding:
    """Reset while halted or on resumption, the listed count as before."""
    if evidence.par_ratio is not None and evidence.par_ratio < 1 and _by_auction(evidence):
        return _found(evidence, Kind.CAPITAL_REDUCTION, None, 0.9, f"the par value became {evidence.par_ratio:.4g}")
    if later is not None:
        finding = _fewer_shares(evidence, later.ratio) if later.ratio < 1 else _more_shares(evidence, later.ratio)
        return replace(finding, evidence=f"{finding.evidence} The count moved on {later.session}.")
    if _by_auction(evidence):
        if _SPAC in evidence.name:
            return _found(evidence, Kind.MERGER, None, 0.7, "a SPAC came back, its new shares not listed yet")
        return _found(evidence, Kind.RELISTING, None, 0.7, "trading went on after a halt, the listed count as before")
    ratio = evidence.bar.base_price / evidence.prior.close
    times = round(max(ratio, 1 / ratio))
    if times >= 2 and _follows_from(evidence, times if ratio < 1 else 1 / times):
        kind = Kind.SPLIT if ratio < 1 else Kind.REVERSE_SPLIT
        return _found(evidence, kind, None, 0.7, f"the base is 1 to {times}, the listed count has not moved yet")
    if ratio < 1:
        return _found(
            evidence, Kind.RIGHTS_ISSUE, None, 0.4, "it went ex while halted, the listed count has not moved yet"
        )
    return _found(evidence, Kind.UNEXPLAINED, None, 0.3, "the base rose over a halt, the listed count as before")


def _while_trading(evidence: Evidence, later: ShareStep | None) -> Finding:
    """Reset from one traded session to the next, the listed count as before."""
    ratio = evidence.bar.base_price / evidence.prior.close
    if ratio > 1:
        if later is not None and later.ratio < 1:
            return _found(evidence, Kind.REVERSE_SPLIT, later.ratio, 0.7, _moved_later(later))
        return _found(evidence, Kind.UNEXPLAINED, None, 0.3, "the base rose without a halt")
    if later is not None:
        waited = (later.session - evidence.bar.session).days
        if _follows_from(evidence, later.ratio):
            late = evidence.fiscal_year_end and waited >= _MEETING_FROM_DAYS
            kind = Kind.STOCK_DIVIDEND if late else Kind.BONUS_ISSUE
            return _found(evidence, kind, later.ratio, 0.95, f"{_moved_later(later)}, and the base follows from it")
        return _found(evidence, Kind.RIGHTS_ISSUE, later.ratio, 0.9, f"{_moved_later(later)}, more than the base fell")
    unmoved = "the listed count has not moved yet"
    if evidence.fiscal_year_end and ratio > 0.85:
        return _found(evidence, Kind.STOCK_DIVIDEND, None, 0.7, f"it went ex at the end of the year, {unmoved}")
    if ratio < 0.72:
        return _found(evidence, Kind.BONUS_ISSUE, None, 0.7, f"the base fell too far for a rights issue, {unmoved}")
    return _found(evidence, Kind.RIGHTS_ISSUE, None, 0.55, f"the base fell as by a rights issue, {unmoved}")


# --- the exchange did not


def _without_reset(evidence: Evidence) -> Finding | None:
    """Shares were exchanged, and the price followed beyond any limit, from a base left where it was."""
    bar = evidence.bar
    ratio = _share_ratio(evidence)
    if max(ratio, 1 / ratio) < _CONSOLIDATION or bar.close <= 0:
        return None
    move = bar.close / bar.base_price
    followed = abs(log(move * ratio)) <= log(2) and abs(log(move * ratio)) < abs(log(move))
    if abs(move - 1) <= _limit(bar.market, bar.session) or not followed:
        return None
    return Finding(
        kind=Kind.REVERSE_SPLIT if ratio < 1 else Kind.SPLIT,
        status=Status.APPLIED,
        prior_session=evidence.prior.session,
        prior_close=evidence.prior.close,
        base_price=bar.base_price,
        base_ratio=1.0,
        share_ratio=ratio,
        applied_ratio=1 / ratio,
        applied_basis=Basis.SHARES,
        confidence=0.9,
        evidence=(
            f"The listed count became {ratio:.4g} times what it was and the price {move:.4g} times, beyond any limit, "
            "though the base was not reset: the ratio of shares is applied."
        ),
    )


def _is_told_across_gap(evidence: Evidence) -> bool:
    """Whether the bars tell as much as neighbours do: a halt carried the close, and no trading explains the base."""
    bar, prior, missing = evidence.bar, evidence.prior, evidence.sessions_missing
    if not prior.halted or missing > _TOLERABLE_GAP:
        return False
    moved = abs(log(bar.base_price / prior.close))
    return bar.halted or moved > _LOG_MOVE_PER_SESSION * missing + _LOG_SLACK


def _across_gap(evidence: Evidence) -> Finding | None:
    """Bars between the two are missing: only what no move of the market can explain is told."""
    bar, prior, missing = evidence.bar, evidence.prior, evidence.sessions_missing
    moved = log(bar.base_price / prior.close)
    explained = _LOG_MOVE_PER_SESSION * missing + _LOG_SLACK
    gap = f"{missing} sessions are missing between {prior.session} and {bar.session}"
    ratios = [_share_ratio(evidence), *(step.ratio for step in evidence.later_steps)]
    for ratio in [] if evidence.is_product else ratios:
        consistent = abs(moved) > explained and abs(moved + log(ratio)) <= min(explained, 1.0)
        if max(ratio, 1 / ratio) >= _CONSOLIDATION and consistent and missing <= _TOLERABLE_GAP:
            kind = Kind.SPLIT if ratio > 1 else Kind.REVERSE_SPLIT
            text = f"{gap}; the listed count became {ratio:.4g} times what it was, and that is applied"
            return replace(
                _found(evidence, kind, ratio, 0.5, text), applied_ratio=1 / ratio, applied_basis=Basis.SHARES
            )
    if missing <= _TOLERABLE_GAP and abs(moved) > explained:
        text = f"{gap}, and the base moved further than they allow: load them, or decide"
        return replace(
            _found(evidence, Kind.UNEXPLAINED, None, 0.3, text),
            status=Status.PENDING,
            applied_ratio=1.0,
            applied_basis=Basis.NONE,
        )
    return None


# --- exchange-traded products


def _of_product(evidence: Evidence) -> Finding:
    """Distributions lower the base of an ETF; splits change it by far more. Units change daily and tell little."""
    ratio = evidence.bar.base_price / evidence.prior.close
    if 1 - _PRODUCT_SPLIT <= ratio < 1:
        paid = evidence.prior.close - evidence.bar.base_price
        return replace(
            _found(evidence, Kind.DISTRIBUTION, None, 0.9, f"{paid:,} won were distributed"),
            status=Status.NOTED,
            applied_ratio=1.0,
            applied_basis=Basis.NONE,
        )
    if 1 < ratio <= 1 + _PRODUCT_SPLIT:
        return _found(evidence, Kind.UNEXPLAINED, None, 0.3, "the base rose")
    moved = _share_ratio(evidence)
    kind = Kind.SPLIT if ratio < 1 else Kind.REVERSE_SPLIT
    confidence = 0.95 if _follows_from(evidence, moved) else 0.7
    return _found(evidence, kind, _or_none(moved), confidence, "no distribution is that large")


# --- what the evidence says


def _found(evidence: Evidence, kind: Kind, share_ratio: float | None, confidence: float, because: str) -> Finding:
    """A reset whose base ratio is applied."""
    bar, prior = evidence.bar, evidence.prior
    ratio = bar.base_price / prior.close
    text = f"The base was set to {bar.base_price:,} after a close of {prior.close:,}: {because}."
    if _by_auction(evidence):
        text += (
            " The opening auction set it, so the base ratio mixes the change of shares with a new valuation; it is "
            "applied, because the exchange measures the session's change from it."
        )
    return Finding(
        kind=kind,
        status=Status.APPLIED,
        prior_session=prior.session,
        prior_close=prior.close,
        base_price=bar.base_price,
        base_ratio=ratio,
        share_ratio=share_ratio,
        applied_ratio=ratio,
        applied_basis=Basis.BASE,
        confidence=confidence,
        evidence=text,
    )


def _share_ratio(evidence: Evidence) -> float:
    """New shares per old one: on the session itself, or where the count did not move then, over the halt before it."""
    on_session = evidence.bar.listed_shares / evidence.prior.listed_shares
    if abs(on_session - 1) > _SHARES_MOVED:
        return on_session
    return evidence.bar.listed_shares / evidence.shares_before


def _following_common(evidence: Evidence, finding: Finding) -> Finding:
    """A preferred share follows its common share, whose evidence may be the better."""
    common = evidence.common
    if common is None or common.confidence < finding.confidence:
        return finding
    text = f"{finding.evidence} The common share tells the kind: {common.kind}."
    return replace(finding, kind=common.kind, confidence=common.confidence, evidence=text)


def _telling_step(evidence: Evidence) -> ShareStep | None:
    """The later change of the count that explains the base; or else the first that moves it the way the base went."""
    fell = evidence.bar.base_price < evidence.prior.close
    for step in evidence.later_steps:
        if _follows_from(evidence, step.ratio):
            return step
        waited = (step.session - evidence.bar.session).days
        if fell and not evidence.prior.halted and _is_discount(evidence, step.ratio):
            return step
        if _by_auction(evidence) and waited <= _AUCTION_TO_LISTING_DAYS and abs(step.ratio - 1) > _SHARES_OF_AN_AUCTION:
            return step
    return None


def _follows_from(evidence: Evidence, share_ratio: float) -> bool:
    """Whether the base is what the previous close is worth with ``share_ratio`` new shares per old one."""
    if abs(share_ratio - 1) <= _SHARES_MOVED / 2:
        return False
    bar = evidence.bar
    theoretical = evidence.prior.close / share_ratio
    tick = tick_size(bar.base_price, _market(bar.market), bar.session)
    return abs(bar.base_price - theoretical) <= max(tick, _MECHANICAL * abs(theoretical - evidence.prior.close))


def _is_discount(evidence: Evidence, share_ratio: float) -> bool:
    """Whether new shares sold at 20% to 100% of the old price explain the base."""
    if share_ratio <= 1 + _SHARES_MOVED:
        return False
    ratio = evidence.bar.base_price / evidence.prior.close
    return 0.2 <= (ratio * share_ratio - 1) / (share_ratio - 1) <= 1


def _by_auction(evidence: Evidence) -> bool:
    """Whether the opening auction after a halt set the base, which is then not what the count of shares makes it."""
    bar, prior = evidence.bar, evidence.prior
    if not prior.halted or bar.open <= 0 or bar.open != bar.base_price:
        return False
    tick = tick_size(bar.base_price, _market(bar.market), bar.session)
    times = round(max(bar.base_price / prior.close, prior.close / bar.base_price))
    whole = times if bar.base_price < prior.close else 1 / times
    ratios = [_share_ratio(evidence), *(step.ratio for step in evidence.later_steps), whole]
    return not any(
        abs(ratio - 1) > _SHARES_MOVED and abs(bar.base_price - prior.close / ratio) <= tick for ratio in ratios
    )


def _is_rounding(evidence: Evidence) -> bool:
    bar, prior = evidence.bar, evidence.prior
    market = _market(bar.market)
    on_grid = prior.close % tick_size(prior.close, market, bar.session) == 0
    return not on_grid and bar.base_price == round_up_to_tick(prior.close, market, bar.session)


def _resumes_soon(evidence: Evidence) -> bool:
    return evidence.resumed is not None and (evidence.resumed - evidence.bar.session).days <= 7


def _sounds_related(evidence: Evidence) -> bool:
    """Whether something listed on the session shares the beginning of its name."""
    return any(name[:2] == evidence.name[:2] for name in evidence.new_listings)


def _other_market(evidence: Evidence) -> bool:
    return _market(evidence.bar.market).market_id != _market(evidence.prior.market).market_id


def _moved_later(step: ShareStep) -> str:
    return f"the listed count became {step.ratio:.4g} times what it was on {step.session}"


def _or_none(share_ratio: float) -> float | None:
    return share_ratio if abs(share_ratio - 1) > _SHARES_MOVED else None


def _market(name: str) -> Market:
    """Products trade on the KOSPI market's table."""
    return Market(name) if name in {market.value for market in Market} else Market.KOSPI


def _limit(market: str, session: date) -> float:
    try:
        return price_limit_percent(_market(market), session) / 100
    except UnknownLimitError:
        return 0.3
