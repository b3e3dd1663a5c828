"""What all DAGs have in common: who owns them, and which failures are worth another try."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from include.outcomes import (
    AuthRequired,
    CoverageDrop,
    Malformed,
    Missing,
    NotASession,
    NotPublished,
    RateLimited,
    SourceDown,
    SourceNotConfiguredError,
)

TASK_DEFAULTS: dict[str, Any] = {
    "owner": "krx-warehouse",
    "retries": 2,
    "retry_delay": timedelta(minutes=5),
    "execution_timeout": timedelta(minutes=30),
}

# From the evening into the next day's noon: KRX Open API shows a session the morning after.
COLLECTION_RETRIES = 18
# The portal admits one job at a time: one may wait for another's twenty minutes before its own.
COLLECTION_TIMEOUT = timedelta(minutes=90)

COLLECTION_RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(NotPublished, retry_delay=timedelta(hours=1), reason="not published yet: asked again in an hour"),
        RetryRule(
            RateLimited,
            retry_delay=timedelta(hours=1),
            reason="the source allows no further call: asked again in an hour",
        ),
        RetryRule(
            SourceDown,
            retry_delay=timedelta(minutes=30),
            reason="the source is down: asked again in 30 minutes",
        ),
        RetryRule(
            [AuthRequired, Malformed, CoverageDrop, Missing, NotASession, SourceNotConfiguredError],
            action=RetryAction.FAIL,
            reason="asking again would bring the same answer: a person has to look",
        ),
    ],
)
