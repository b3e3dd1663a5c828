"""What waits in the triggerer, where waiting takes no worker slot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from include.market.hours import clock_of


class MarketTickTrigger(BaseTrigger):
    """Fires once, when it is ``tick`` (an ISO moment) by the market's clock; both arguments are its event.

    ``progress`` is what the task has to remember over the wait: plain JSON.
    """

    def __init__(self, tick: str, progress: dict[str, Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tick = tick
        self.progress = progress

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What makes the same trigger again."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {"tick": self.tick, "progress": self.progress}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then fire."""
        await clock_of().wait_until(datetime.fromisoformat(self.tick))
        yield TriggerEvent({"tick": self.tick, "progress": self.progress})  # type: ignore[no-untyped-call]
