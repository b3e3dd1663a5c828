"""All simulated sources at once, over one world: what the environment of a warehouse has to say to ask them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import datetime
from types import TracebackType
from typing import Self

from include.market.calendar import KST
from include.simulator.servers.broker_tokens import UNLIMITED, BrokerLimits
from include.simulator.servers.kis import KisServer
from include.simulator.servers.kiwoom import KiwoomServer
from include.simulator.servers.krx_open_api import KrxOpenApiServer
from include.simulator.servers.krx_portal import KrxPortalServer
from include.simulator.servers.naver import NaverServer
from include.simulator.servers.web import SimulatedServer
from include.simulator.servers.yahoo import YahooServer
from include.simulator.world import World

_KEYS = {
    "KRXW_KRX_OPENAPI_KEY": "simulated-openapi-key",
    "KRXW_KRX_PORTAL": "1",
    "KRXW_KRX_PORTAL_ID": "simulated-member",
    "KRXW_KRX_PORTAL_PASSWORD": "simulated-password",
    "KRXW_KIS_ENVIRONMENT": "real",
    "KRXW_KIS_APP_KEY": "simulated-kis-key",
    "KRXW_KIS_APP_SECRET": "simulated-kis-secret",
    "KRXW_KIWOOM_ENVIRONMENT": "real",
    "KRXW_KIWOOM_APP_KEY": "simulated-kiwoom-key",
    "KRXW_KIWOOM_SECRET_KEY": "simulated-kiwoom-secret",
}
_URL_NAMES = {
    "krx_openapi": "KRXW_KRX_OPENAPI_URL",
    "krx_portal": "KRXW_KRX_PORTAL_URL",
    "naver": "KRXW_NAVER_URL",
    "yfinance": "KRXW_YAHOO_URL",
    "kis": "KRXW_KIS_URL",
    "kiwoom": "KRXW_KIWOOM_URL",
}


_BROKERS = ("kis", "kiwoom")
# Nobody is at the other end whom it could trouble.
_CALLS_PER_SECOND = "5000"

Clock = Callable[[], datetime]


class SimulatedSources:
    """Every source's server, listening while its ``with`` block runs, all over one ``world``.

    ``port`` is the first of consecutive ports, in the order of :attr:`servers`; 0 takes free ones. ``now`` is the
    clock of all servers but those that ``clocks`` gives another, by source. ``broker_limits`` stand in place of each
    broker's own.
    """

    def __init__(
        self,
        world: World,
        now: Clock = lambda: datetime.now(KST),
        port: int = 0,
        broker_limits: BrokerLimits | None = None,
        clocks: Mapping[str, Clock] | None = None,
    ) -> None:
        clock = defaultdict(lambda: now, clocks or {})
        ports = [port + place if port else 0 for place in range(len(_URL_NAMES))]
        servers: list[SimulatedServer] = [
            KrxOpenApiServer(world, _KEYS["KRXW_KRX_OPENAPI_KEY"], port=ports[0], now=clock["krx_openapi"]),
            KrxPortalServer(
                world,
                _KEYS["KRXW_KRX_PORTAL_ID"],
                _KEYS["KRXW_KRX_PORTAL_PASSWORD"],
                port=ports[1],
                now=clock["krx_portal"],
            ),
            NaverServer(world, port=ports[2], now=clock["naver"]),
            YahooServer(world, port=ports[3], now=clock["yfinance"]),
            KisServer(
                world,
                _KEYS["KRXW_KIS_APP_KEY"],
                _KEYS["KRXW_KIS_APP_SECRET"],
                port=ports[4],
                now=clock["kis"],
                limits=broker_limits,
            ),
            KiwoomServer(
                world,
                _KEYS["KRXW_KIWOOM_APP_KEY"],
                _KEYS["KRXW_KIWOOM_SECRET_KEY"],
                port=ports[5],
                now=clock["kiwoom"],
                limits=broker_limits,
            ),
        ]
        self.servers: Mapping[str, SimulatedServer] = {server.name: server for server in servers}
        """The servers by the names of their sources."""
        self._brokers_hurried = broker_limits == UNLIMITED
        self._running = ExitStack()

    @property
    def environment(self) -> dict[str, str]:
        """What to set for a warehouse to ask these servers: addresses, keys, logins, and how fast they may be asked."""
        addresses = {name: self.servers[source].base_url for source, name in _URL_NAMES.items()}
        hurried = [source for source in self.servers if source not in _BROKERS or self._brokers_hurried]
        rates = {f"KRXW_{source.upper()}_CALLS_PER_SECOND": _CALLS_PER_SECOND for source in hurried}
        return addresses | rates | _KEYS

    def __enter__(self) -> Self:
        for server in self.servers.values():
            self._running.enter_context(server)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()
