"""Kiwoom through the real transport, against the simulator's server."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import date, datetime, time

import psycopg
import pyarrow as pa
import pytest

from include.crawlers.broker.interface import DailyBar
from include.crawlers.kiwoom import CRAWLERS, LIMITS
from include.crawlers.kiwoom.service import Kiwoom
from include.crawlers.source import Chunk, Issue, RawBody
from include.crawlers.transport import CallRecord, Priority, SourceLimits, Transport
from include.market.calendar import KST
from include.market.fluctuation import DOWN
from include.market.investors import CLASSES, Investor
from include.outcomes import (
    AuthRequired,
    CollectionOutcome,
    CoverageDrop,
    Malformed,
    NotPublished,
    RateLimited,
    SourceDown,
)
from include.platform.postgres import PostgresServer
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.servers.broker_tokens import UNLIMITED
from include.simulator.servers.faults import Fault, FaultKind
from include.simulator.servers.kiwoom import KiwoomServer
from include.simulator.world import World
from include.warehouse.migrations import migrate

KEY, SECRET = "key-that-must-not-leak", "secret-that-must-not-leak"
SESSION = date(2023, 3, 15)
EVENING = datetime.combine(SESSION, time(18, 10), KST)
NOON = datetime.combine(SESSION, time(12), KST)
AFTERNOON = datetime.combine(SESSION, time(16), KST)


class Unlimited:
    """A limiter that lets every call through."""

    def acquire(self, source: str, endpoint: str, limits: SourceLimits, priority: Priority) -> None:
        """At once."""


@pytest.fixture(scope="module")
def world() -> World:
    return World(SimulatedMarket(seed=9, symbols=40, first=date(2023, 3, 2), last=date(2023, 3, 31)))


@pytest.fixture(scope="module")
def dsn(postgres_server: PostgresServer) -> Iterator[str]:
    name = f"kiwoom_{secrets.token_hex(6)}"
    dsn = postgres_server.create_database(name)
    migrate(dsn)
    yield dsn
    postgres_server.drop_database(name)


@pytest.fixture
def server(world: World, dsn: str) -> Iterator[KiwoomServer]:
    with KiwoomServer(world, KEY, SECRET, now=lambda: EVENING, limits=UNLIMITED) as running:
        yield running
    with psycopg.connect(dsn) as connection:
        connection.execute("DELETE FROM broker.token")


class Asking:
    """Asks the server the way the pipeline does, and keeps what was called."""

    def __init__(self, server: KiwoomServer, world: World, dsn: str) -> None:
        self.environment = {
            "KRXW_KIWOOM_URL": server.base_url,
            "KRXW_KIWOOM_ENVIRONMENT": "real",
            "KRXW_KIWOOM_APP_KEY": KEY,
            "KRXW_KIWOOM_SECRET_KEY": SECRET,
            "KRXW_WAREHOUSE_DSN": dsn,
        }
        self.calls: list[CallRecord] = []
        self.bodies: list[RawBody] = []
        self.transport = Transport(Unlimited(), self.calls.append, lambda seconds: None)
        self._world = world

    def rows(self, dataset: str, at: datetime | None = None) -> pa.Table:
        columns = (self._world.table("daily_bar", SESSION)[name].to_pylist() for name in Issue.__dataclass_fields__)
        chunk = Chunk(SESSION, SESSION, tuple(Issue(*row) for row in zip(*columns, strict=True)), at)
        self.bodies = CRAWLERS[dataset].fetch(chunk, self.transport, self.environment)
        return CRAWLERS[dataset].parse(self.bodies, chunk)


@pytest.fixture
def asking(server: KiwoomServer, world: World, dsn: str) -> Asking:
    return Asking(server, world, dsn)


@pytest.mark.parametrize("moment", [NOON, EVENING])
def test_a_snapshot_is_the_quotes_of_its_moment_without_turnover(
    server: KiwoomServer, asking: Asking, world: World, moment: datetime
) -> None:
    server.now = lambda: moment
    rows = asking.rows("intraday_snapshot", at=moment)
    truth = world.quotes(SESSION, moment, rows["symbol"].to_pylist())
    for name in set(truth.column_names) - {"value_krw"}:
        assert rows[name].to_pylist() == truth[name].to_pylist(), name
    assert rows["value_krw"].null_count == rows.num_rows


def test_net_flows_of_the_eleven_classes_and_the_subtotal_are_the_exchanges(asking: Asking, world: World) -> None:
    rows = asking.rows("investor_flow")
    told = {investor.value for investor in (*CLASSES, Investor.INSTITUTION)}
    assert set(rows["investor"].to_pylist()) == told
    truth = world.table("investor_flow", SESSION)
    known = {
        (symbol, investor): net
        for symbol, investor, net in zip(
            *(truth[name].to_pylist() for name in ("symbol", "investor", "net_shares")), strict=True
        )
    }
    for row in rows.to_pylist():
        assert row["net_shares"] == known.get((row["symbol"], row["investor"]), 0)
        assert (row["buy_shares"], row["sell_shares"], row["net_krw"]) == (None, None, None)


def test_flows_that_do_not_sum_to_zero_are_not_settled(server: KiwoomServer, asking: Asking) -> None:
    server.now = lambda: AFTERNOON
    with pytest.raises((NotPublished, CoverageDrop)):
        asking.rows("investor_flow")


def test_the_daily_chart_is_raw(server: KiwoomServer, asking: Asking, world: World) -> None:
    kiwoom, symbol = Kiwoom(), world.table("daily_bar", SESSION)["symbol"][0].as_py()
    account = kiwoom.account(asking.environment)
    token = kiwoom.issue_token(account, asking.transport).value
    content = kiwoom.send(kiwoom.daily_chart(symbol, SESSION, SESSION), account, token, asking.transport)
    [bar, *_] = kiwoom.read_daily_chart(kiwoom.read(content, "chart"), symbol).bars
    truth = world.rows("daily_bar", symbol, SESSION).to_pylist()[0]
    assert bar == DailyBar(
        SESSION,
        *(truth[name] for name in ("open", "high", "low", "close", "change", "fluctuation_code", "volume")),
        value_krw=None,
    )


@pytest.mark.parametrize("dataset", CRAWLERS)
@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (FaultKind.HTTP_500, SourceDown),
        (FaultKind.HTTP_429, RateLimited),
        (FaultKind.MAINTENANCE_HTML, Malformed),
        (FaultKind.LOGOUT, AuthRequired),
        (FaultKind.EMPTY_LIST, NotPublished),
        (FaultKind.PARTIAL_MARKET, CoverageDrop),
        (FaultKind.RENAMED_COLUMN, Malformed),
        (FaultKind.MISSING_COLUMN, Malformed),
        (FaultKind.WRONG_ENCODING, Malformed),
        (FaultKind.COMMA_STRINGS, Malformed),
        (FaultKind.LAYOUT_CHANGED, Malformed),
    ],
)
def test_every_lasting_fault_is_a_typed_outcome_that_leaks_nothing(
    server: KiwoomServer, asking: Asking, dataset: str, kind: FaultKind, outcome: type[CollectionOutcome]
) -> None:
    server.faults.add(Fault("*", kind))
    with pytest.raises(outcome) as caught:
        asking.rows(dataset, at=EVENING)
    told = f"{caught.value!r} {asking.calls} {[body.request for body in asking.bodies]}"
    assert KEY not in told
    assert SECRET not in told


def test_quotes_of_yesterday_are_known_by_their_base_prices(server: KiwoomServer, asking: Asking) -> None:
    server.now = lambda: NOON
    server.faults.add(Fault("ka10001", FaultKind.YESTERDAYS_DATA))
    with pytest.raises(Malformed, match="of another session"):
        asking.rows("intraday_snapshot", at=NOON)


def test_a_token_that_was_withdrawn_is_renewed_once(server: KiwoomServer, asking: Asking, world: World) -> None:
    asking.rows("investor_flow")
    server.tokens.issue()  # which ends the one before
    asking.rows("investor_flow")
    assert [call.endpoint for call in server.calls].count("token") == 2


def test_a_wrong_key_is_told(server: KiwoomServer, asking: Asking) -> None:
    asking.environment["KRXW_KIWOOM_APP_KEY"] = "wrong-key"
    with pytest.raises(AuthRequired, match="8001") as caught:
        asking.rows("investor_flow")
    assert "wrong-key" not in str(caught.value)


def test_prices_are_read_without_their_signs_and_numbers_with_theirs() -> None:
    row = {
        "dt": "20230315",
        "open_pric": "-9900",
        "high_pric": "+10100",
        "low_pric": "-9800",
        "cur_prc": "-9950",
        "pred_pre": "--50",
        "pred_pre_sig": "5",
        "trde_qty": "7",
    }
    content = json.dumps({"stk_cd": "005930", "stk_dt_pole_chart_qry": [row], "return_code": 0}).encode()
    kiwoom = Kiwoom()
    chart = kiwoom.read_daily_chart(kiwoom.read(content, "chart"), "005930")
    assert list(chart.bars) == [DailyBar(SESSION, 9_900, 10_100, 9_800, 9_950, -50, DOWN, 7, None)]


def test_stays_within_what_the_real_service_allows() -> None:
    assert LIMITS.calls_per_second_per_endpoint == 1
