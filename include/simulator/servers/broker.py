"""What simulated brokers have in common: one key, its tokens and its limits, and charts as traded or adjusted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import ClassVar

from include.market.calendar import KST
from include.simulator.servers.broker_tokens import BrokerEnvironment, BrokerLimits, CallGate, TokenOffice
from include.simulator.servers.faults import FaultKind
from include.simulator.servers.published import closed
from include.simulator.servers.symbol_rows import adjusted_chart, raw_chart
from include.simulator.servers.web import Row, SimulatedServer, View
from include.simulator.world import World


class BrokerServer(SimulatedServer):
    """Serves ``world`` to the holder of one key. ``limits`` are by default the environment's."""

    impossible: ClassVar[frozenset[FaultKind]] = frozenset()
    limits_of: ClassVar[Mapping[BrokerEnvironment, BrokerLimits]]
    """How often each of the two services may be asked."""
    one_token: ClassVar[bool]
    """Whether a new token ends the one before."""

    def __init__(
        self,
        world: World,
        app_key: str,
        app_secret: str,
        environment: BrokerEnvironment = BrokerEnvironment.REAL,
        port: int = 0,
        now: Callable[[], datetime] = lambda: datetime.now(KST),
        limits: BrokerLimits | None = None,
    ) -> None:
        super().__init__(port, now)
        limits = limits or self.limits_of[environment]
        self.tokens = TokenOffice(environment, limits.seconds_between_tokens, replaces=self.one_token)
        self._gate = CallGate(limits.calls_per_second)
        self._world = world
        self._key = (app_key, app_secret)

    def _charted(
        self, symbol: str, sessions: Sequence[date], adjusted: bool, view: View
    ) -> list[tuple[date, Row, Row]]:
        """The bars of ``sessions``, in their order: the date each is shown under, the bar as traded, and its prices.

        Prices and their volume are as adjusted at the latest closed session where ``adjusted``, else as traded.
        """
        traded = raw_chart(self._world, symbol, sessions, view)
        prices = dict(traded)
        if adjusted and sessions:
            since = [day for day in closed(self._world.sessions, self.now()) if day >= min(sessions)]
            prices = dict(adjusted_chart(self._world, symbol, since, view))
        return [(label, bar, prices[label]) for label, bar in traded]
