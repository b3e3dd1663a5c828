"""Tasks that follow the exchange's trading hours: one waits for them, the other works at each tick of them.

Both wait deferred. Hours are the calendar's, so late opens and closes are followed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, BaseSensorOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.market.calendar import KST, TradingHours, is_session, trading_hours
from include.market.hours import clock_of, next_tick
from include.outcomes import CollectionOutcome
from krxw_airflow.triggers import MarketTickTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context


class MarketHoursSensor(BaseSensorOperator):
    """Waits until the run's session is open: the session is the run's partition, or today where it has none.

    Skipped at once where the exchange does not trade that day, or has closed already.
    """

    def execute(self, context: Context) -> None:
        """Defer until the open; done where it has passed."""
        session = session_of(context)
        if not is_session(session):
            raise AirflowSkipException(f"{session} is not a session of the exchange")
        hours = trading_hours(session)
        now = clock_of().now()
        if now >= hours.close:
            raise AirflowSkipException(f"the session of {session} closed at {hours.close:%H:%M}")
        if now < hours.open:
            self.log.info("%s opens at %s", session, hours.open.isoformat())
            self.defer(trigger=MarketTickTrigger(hours.open.isoformat(), {}), method_name=self.opened.__name__)

    def opened(self, context: Context, event: dict[str, Any]) -> None:
        """The session is open."""
        self.log.info("open since %s", event["tick"])


class MarketTicksOperator(BaseOperator):
    """Calls ``on_tick`` with each tick of the run's session from now until its close, waiting deferred in between.

    ``on_tick`` returns one line for the log. A tick whose work ends in a ``CollectionOutcome`` is counted as missed
    and the next one is waited for; ticks that passed while the task was away or at work are left out. It fails if
    none could be taken. The assets it is the outlet of get the session as partition.

    Args:
        on_tick: does the work of a tick.
        every: how far ticks are apart, asked when the task starts.
    """

    def __init__(
        self, *, on_tick: Callable[[datetime], str], every: Callable[[Context], timedelta], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.on_tick = on_tick
        self.every = every

    def execute(self, context: Context) -> dict[str, Any]:
        """Defer until the first tick."""
        hours = trading_hours(session_of(context))
        progress = {
            "opens_at": hours.open.isoformat(),
            "closes_at": hours.close.isoformat(),
            "every_seconds": self.every(context).total_seconds(),
            "taken": 0,
            "missed": [],
        }
        return self._wait_or_finish(context, progress)

    def tick(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Do the tick's work, then defer until the next, or finish."""
        progress = event["progress"]
        at = datetime.fromisoformat(event["tick"])
        try:
            self.log.info("%s: %s", event["tick"], self.on_tick(at))
            progress["taken"] += 1
        except CollectionOutcome as outcome:
            self.log.warning("%s was missed, %s: %s", event["tick"], outcome.outcome, outcome)
            progress["missed"].append(event["tick"])
        return self._wait_or_finish(context, progress)

    def _wait_or_finish(self, context: Context, progress: dict[str, Any]) -> dict[str, Any]:
        hours = TradingHours(
            datetime.fromisoformat(progress["opens_at"]), datetime.fromisoformat(progress["closes_at"])
        )
        following = next_tick(hours, timedelta(seconds=progress["every_seconds"]), clock_of().now())
        if following is not None:
            self.defer(trigger=MarketTickTrigger(following.isoformat(), progress), method_name=self.tick.__name__)
        if not progress["taken"]:
            raise AirflowFailException(f"not one tick could be taken; missed: {', '.join(progress['missed']) or 'all'}")
        for outlet in self.outlets:
            context["outlet_events"][outlet].add_partitions(session_of(context).isoformat())
        return {"taken": progress["taken"], "missed": progress["missed"]}


def session_of(context: Context) -> date:
    """The session a run is about: its partition, or today (Asia/Seoul)."""
    partition = context["dag_run"].partition_key
    return date.fromisoformat(partition) if partition else clock_of().now().astimezone(KST).date()
