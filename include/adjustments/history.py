"""What was held of an action at each moment: the evidence as it came in and was corrected, and operators' decisions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby
from operator import itemgetter
from typing import TypeVar

from include.adjustments.classification import classify
from include.adjustments.evidence import Bar, Basis, Evidence, Finding, Kind, Rounding, ShareStep, Status
from include.market.symbols import Market, is_preferred

_DETECTION = "detection"
# Fewer sessions without a trade may be want of interest, where an issue trades thinly.
_SESSIONS_OF_A_HALT = 3


@dataclass(frozen=True)
class BarVersion:
    """A bar as it was known from ``known_at`` until ``superseded_at``; None means still."""

    bar: Bar
    known_at: datetime
    superseded_at: datetime | None


@dataclass(frozen=True)
class DatedStep:
    """A change of the listed count as it was known from ``known_at`` until ``superseded_at``; None means still."""

    step: ShareStep
    known_at: datetime
    superseded_at: datetime | None


@dataclass(frozen=True)
class Decision:
    """What an operator decided: see ``market.corporate_action_decision``."""

    decision: str
    kind: Kind | None
    applied_ratio: float | None
    reason: str
    decided_by: str
    decided_at: datetime


@dataclass(frozen=True)
class Candidate:
    """A session that may be an ex-date, with all that was ever known about it.

    ``bars`` are the versions of its bar, ``priors`` those of bars before it. ``sessions_missing`` gives the exchange's
    sessions between a prior bar and it. ``shares_before`` is the listed count of the last session traded before a
    halt, where there was one, ``sessions_untraded`` how many it lasted. ``resumed`` is the session trading went on
    after a halt, with since when that is known.
    """

    symbol: str
    ex_date: date
    name: str
    is_product: bool
    bars: tuple[BarVersion, ...]
    priors: tuple[BarVersion, ...]
    sessions_missing: Callable[[date], int]
    shares_before: int | None
    sessions_untraded: int
    later_steps: tuple[DatedStep, ...]
    resumed: tuple[date, datetime] | None
    fiscal_year_end: bool
    new_listings: tuple[str, ...]
    par_ratio: float | None
    decisions: tuple[Decision, ...]


@dataclass(frozen=True)
class HeldAction:
    """What was held of an action from ``known_at`` until ``superseded_at``; None means still."""

    finding: Finding
    decided_by: str
    known_at: datetime
    superseded_at: datetime | None


_Value = TypeVar("_Value")


def action_history(candidate: Candidate, common: Candidate | None = None) -> list[HeldAction]:
    """All that was ever held of the action, in order of time; empty where there never was one.

    ``common`` is the same session of the company's common share, where the candidate is a preferred share.
    """
    return [
        HeldAction(held[0], held[1], start, end)
        for held, start, end in _runs(_moments(candidate, common), lambda at: _held(candidate, common, at))
        if held is not None
    ]


def rounding_now(candidate: Candidate) -> Rounding | None:
    """The rounding the session is, by what is known now."""
    moments = _moments(candidate, None)
    known = _classified(candidate, None, moments[-1]) if moments else None
    return known if isinstance(known, Rounding) else None


def _held(candidate: Candidate, common: Candidate | None, at: datetime) -> tuple[Finding, str] | None:
    known = _classified(candidate, common, at)
    found = known if isinstance(known, Finding) else None
    held = None if found is None else (found, _DETECTION)
    for decision in candidate.decisions:
        if decision.decided_at > at:
            break
        if decision.decision == "withdraw":
            held = None if found is None else (found, _DETECTION)
        elif decided := _decide(None if held is None else held[0], decision):
            held = (decided, decision.decided_by)
    return held


def _decide(found: Finding | None, decision: Decision) -> Finding | None:
    """``found`` as the operator's decision makes it; to confirm, correct or dismiss nothing is nothing."""
    if decision.decision == "add":
        found = found or Finding(
            Kind.UNEXPLAINED, Status.APPLIED, None, None, None, None, None, 1.0, Basis.OPERATOR, 1.0, ""
        )
    if found is None:
        return None
    text = f"{found.evidence} {decision.decided_by}: {decision.reason}".strip()
    if decision.decision == "dismiss":
        return replace(
            found,
            status=Status.DISMISSED,
            applied_ratio=1.0,
            applied_basis=Basis.NONE,
            confidence=1.0,
            evidence=text,
        )
    confirmed = replace(found, kind=decision.kind or found.kind, confidence=1.0, evidence=text)
    if decision.applied_ratio is not None:
        return replace(
            confirmed,
            status=Status.APPLIED,
            applied_ratio=decision.applied_ratio,
            applied_basis=Basis.OPERATOR,
        )
    return confirmed


def _classified(candidate: Candidate, common: Candidate | None, at: datetime) -> Finding | Rounding | None:
    evidence = _evidence(candidate, at)
    if evidence is None:
        return None
    if common is not None:
        of_common = _classified(common, None, at)
        if isinstance(of_common, Finding):
            evidence = replace(evidence, common=of_common)
    return classify(evidence)


def _evidence(candidate: Candidate, at: datetime) -> Evidence | None:
    """What was known at a moment; None while one of the two bars was not."""
    bar = next((version.bar for version in candidate.bars if _holds(version, at)), None)
    priors = [version.bar for version in candidate.priors if _holds(version, at)]
    if bar is None or not priors:
        return None
    prior = max(priors, key=lambda each: each.session)
    if prior.halted and _is_thin(candidate, prior) and candidate.sessions_untraded < _SESSIONS_OF_A_HALT:
        prior = replace(prior, halted=False)
    halted_since = candidate.shares_before if prior.halted else None
    return Evidence(
        name=candidate.name,
        is_product=candidate.is_product,
        bar=bar,
        prior=prior,
        sessions_missing=candidate.sessions_missing(prior.session),
        shares_before=halted_since or prior.listed_shares,
        later_steps=tuple(dated.step for dated in candidate.later_steps if _holds(dated, at)),
        resumed=candidate.resumed[0] if candidate.resumed and candidate.resumed[1] <= at else None,
        fiscal_year_end=candidate.fiscal_year_end,
        new_listings=candidate.new_listings,
        par_ratio=candidate.par_ratio,
    )


def _is_thin(candidate: Candidate, bar: Bar) -> bool:
    """Whether it may pass a session without a trade and without a halt: the daily table does not tell the two apart."""
    return bar.market == Market.KONEX.value or (not candidate.is_product and is_preferred(candidate.symbol))


def _holds(version: BarVersion | DatedStep, at: datetime) -> bool:
    return version.known_at <= at and (version.superseded_at is None or at < version.superseded_at)


def _moments(candidate: Candidate, common: Candidate | None) -> list[datetime]:
    """The moments at which anything about the candidate became known, in order."""
    moments = {decision.decided_at for decision in candidate.decisions}
    for each in (candidate, common):
        if each is None:
            continue
        versions: tuple[BarVersion | DatedStep, ...] = (*each.bars, *each.priors, *each.later_steps)
        for version in versions:
            moments |= {version.known_at} | ({version.superseded_at} if version.superseded_at else set())
        if each.resumed:
            moments.add(each.resumed[1])
    return sorted(moments)


def _runs(
    moments: Sequence[datetime], value_at: Callable[[datetime], _Value]
) -> Iterator[tuple[_Value, datetime, datetime | None]]:
    """Runs of moments with one value: the value, when it began, and when another took its place."""
    runs = groupby(((value_at(moment), moment) for moment in moments), key=itemgetter(0))
    starts = [next(run) for _, run in runs]
    ends: list[datetime | None] = [start for _, start in starts[1:]]
    for (value, start), end in zip(starts, [*ends, None], strict=False):
        yield value, start, end
