from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk import ExceptionRetryPolicy, RetryAction

from include import outcomes
from include.outcomes import CollectionOutcome
from krxw_airflow.policy import COLLECTION_RETRIES, COLLECTION_RETRY_POLICY

FINAL = {
    outcomes.AuthRequired,
    outcomes.Malformed,
    outcomes.CoverageDrop,
    outcomes.Missing,
    outcomes.NotASession,
}
PASSING = {outcomes.NotPublished, outcomes.RateLimited, outcomes.SourceDown}


def test_every_outcome_has_its_treatment() -> None:
    assert set(CollectionOutcome.__subclasses__()) == FINAL | PASSING


@pytest.mark.parametrize("outcome", sorted(FINAL, key=str))
def test_what_only_a_person_can_mend_is_not_tried_again(outcome: type[CollectionOutcome]) -> None:
    decision = COLLECTION_RETRY_POLICY.evaluate(outcome("why"), try_number=1, max_tries=COLLECTION_RETRIES)
    assert decision.action is RetryAction.FAIL


@pytest.mark.parametrize("outcome", sorted(PASSING, key=str))
def test_what_can_heal_is_tried_again_later(outcome: type[CollectionOutcome]) -> None:
    decision = COLLECTION_RETRY_POLICY.evaluate(outcome("why"), try_number=1, max_tries=COLLECTION_RETRIES)
    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay is not None
    assert timedelta(minutes=30) <= decision.retry_delay <= timedelta(hours=1)


def test_an_unpublished_session_is_asked_for_until_noon_of_the_next_day() -> None:
    evening, noon = timedelta(hours=18, minutes=10), timedelta(days=1, hours=12)
    assert evening + COLLECTION_RETRIES * timedelta(hours=1) >= noon


def test_other_errors_take_the_tasks_own_course() -> None:
    decision = COLLECTION_RETRY_POLICY.evaluate(RuntimeError("bug"), try_number=1, max_tries=1)
    assert decision.action is RetryAction.DEFAULT


def test_the_policy_survives_serialisation() -> None:
    described = COLLECTION_RETRY_POLICY.serialize()
    assert ExceptionRetryPolicy.deserialize(described).serialize() == described
