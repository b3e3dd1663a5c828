"""KIS through the real transport, against the simulator's server, and read from recorded answers."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from include.crawlers.kis import CRAWLERS, LIMITS
from include.crawlers.kis.service import Kis
from include.crawlers.source import Chunk, Issue, RawBody
from include.crawlers.transport import CallRecord, Priority, SourceLimits, Transport
from include.datasets.registry import dataset_named
from include.market.calendar import KST, next_session, previous_session
from include.market.fluctuation import FLAT
from include.outcomes import (
    AuthRequired,
    CollectionOutcome,
    CoverageDrop,
    Malformed,
    Missing,
    NotPublished,
    RateLimited,
    SourceDown,
    SourceNotConfiguredError,
)
from include.platform.postgres import PostgresServer
from include.quality.row_rules import mark_violations
from include.simulator.exchange.market import SimulatedMarket
from include.simulator.servers.broker_tokens import TOKEN_LIFE, BrokerLimits
from include.simulator.servers.faults import Fault, FaultKind
from include.simulator.servers.kis import KisServer
from include.simulator.world import World
from include.warehouse.migrations import migrate

KEY, SECRET = "key-that-must-not-leak", "secret-that-must-not-leak"
SESSION = date(2023, 3, 15)
EVENING = datetime.combine(SESSION, time(18, 10), KST)
NOON = datetime.combine(SESSION, time(12), KST)


class Unlimited:
    """A limiter that lets every call through."""

    def acquire(self, source: str, endpoint: str, limits: SourceLimits, priority: Priority) -> None:
        """At once."""


@pytest.fixture(scope="module")
def world() -> World:
    return World(SimulatedMarket(seed=9, symbols=40, first=date(2022, 12, 1), last=date(2023, 3, 31)))


@pytest.fixture(scope="module")
def dsn(postgres_server: PostgresServer) -> Iterator[str]:
    name = f"kis_{secrets.token_hex(6)}"
    dsn = postgres_server.create_database(name)
    migrate(dsn)
    yield dsn
    postgres_server.drop_database(name)


@pytest.fixture
def server(world: World, dsn: str) -> Iterator[KisServer]:
    with KisServer(world, KEY, SECRET, now=lambda: EVENING, limits=BrokerLimits(None, 0)) as running:
        yield running
    with psycopg.connect(dsn) as connection:
        connection.execute("DELETE FROM broker.token")


class Asking:
    """Asks the server the way the pipeline does, and keeps what was said and called."""

    def __init__(self, server: KisServer, world: World, dsn: str) -> None:
        self.environment = {
            "KRXW_KIS_URL": server.base_url,
            "KRXW_KIS_ENVIRONMENT": "real",
            "KRXW_KIS_APP_KEY": KEY,
            "KRXW_KIS_APP_SECRET": SECRET,
            "KRXW_WAREHOUSE_DSN": dsn,
        }
        self.calls: list[CallRecord] = []
        self.bodies: list[RawBody] = []
        self.transport = Transport(Unlimited(), self.calls.append, lambda seconds: None)
        self._world = world

    def chunk(self, session: date, at: datetime | None = None) -> Chunk:
        columns = (self._world.table("daily_bar", session)[name].to_pylist() for name in Issue.__dataclass_fields__)
        return Chunk(session, session, tuple(Issue(*row) for row in zip(*columns, strict=True)), at)

    def rows(self, dataset: str, session: date = SESSION, at: datetime | None = None) -> pa.Table:
        chunk = self.chunk(session, at)
        self.bodies = CRAWLERS[dataset].fetch(chunk, self.transport, self.environment)
        return CRAWLERS[dataset].parse(self.bodies, chunk)


@pytest.fixture
def asking(server: KisServer, world: World, dsn: str) -> Asking:
    return Asking(server, world, dsn)


def same(rows: pa.Table, truth: pa.Table, without: tuple[str, ...] = ()) -> bool:
    names = [name for name in truth.column_names if name not in without]
    assert rows.schema == truth.schema
    for name in names:
        assert rows[name].to_pylist() == truth[name].to_pylist(), name
    return True


def test_daily_bars_arrive_as_the_market_was(asking: Asking, world: World) -> None:
    rows = asking.rows("daily_bar")
    assert same(rows, world.table("daily_bar", SESSION))
    assert mark_violations(rows, dataset_named("daily_bar"))["violated_rule"].null_count == rows.num_rows


def test_flows_are_three_classes_in_shares(asking: Asking, world: World) -> None:
    truth = world.table("investor_flow", SESSION)
    told = pc.is_in(truth["investor"], pa.array(["individual", "foreign", "institution"]))
    order = [("symbol", "ascending"), ("investor", "ascending")]
    assert same(
        asking.rows("investor_flow").sort_by(order),
        truth.filter(told).sort_by(order),
        without=("sell_krw", "buy_krw", "net_krw"),
    )


def test_foreign_holdings_arrive_as_the_exchange_publishes_them(asking: Asking, world: World) -> None:
    assert same(asking.rows("foreign_holding"), world.table("foreign_holding", SESSION), without=("limit_shares",))


def test_fundamentals_are_those_of_issues_that_reported(asking: Asking, world: World) -> None:
    truth = world.table("fundamental", SESSION)
    reported = pc.or_(pc.is_valid(truth["eps_krw"]), pc.is_valid(truth["bps_krw"]))
    assert same(asking.rows("fundamental"), truth.filter(reported), without=("dps_krw", "dividend_yield_pct"))


@pytest.mark.parametrize(("moment", "session"), [(NOON, SESSION), (EVENING, SESSION)])
def test_a_snapshot_is_the_quotes_of_its_moment(
    server: KisServer, asking: Asking, world: World, moment: datetime, session: date
) -> None:
    server.now = lambda: moment
    rows = asking.rows("intraday_snapshot", session, at=moment)
    symbols = world.table("daily_bar", session)["symbol"].to_pylist()
    assert same(rows, world.quotes(session, moment, symbols))


def test_dividends_are_dated_by_the_session_that_trades_without_them(
    server: KisServer, asking: Asking, world: World
) -> None:
    paying = [session for session in world.sessions if world.table("dividend", session).num_rows]
    assert len(paying) > 1
    server.now = lambda: datetime.combine(world.sessions[-1], time(18, 10), KST)
    for session in paying[:3]:
        assert same(asking.rows("dividend", session), world.table("dividend", session))


def of_all_sessions(world: World) -> list[dict[str, Any]]:
    return [row for session in world.sessions for row in world.table("dividend", session).to_pylist()]


def rows_of_all_sessions(server: KisServer, asking: Asking, world: World) -> list[dict[str, Any]]:
    server.now = lambda: datetime.combine(world.sessions[-1], time(18, 10), KST)
    issues = {issue.symbol: issue for session in world.sessions for issue in asking.chunk(session).universe}
    chunk = Chunk(world.sessions[0], world.sessions[-1], tuple(issues.values()))
    asking.bodies = CRAWLERS["dividend"].fetch(chunk, asking.transport, asking.environment)
    rows: list[dict[str, Any]] = CRAWLERS["dividend"].parse(asking.bodies, chunk).to_pylist()
    return sorted(rows, key=lambda row: (row["session"], row["symbol"]))


def test_dividends_of_many_sessions_take_one_call(server: KisServer, asking: Asking, world: World) -> None:
    assert CRAWLERS["dividend"].split(world.sessions) == [Chunk(world.sessions[0], world.sessions[-1])]
    assert rows_of_all_sessions(server, asking, world) == of_all_sessions(world)
    assert len(asking.bodies) == 1


def answering_at_most(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr("include.simulator.servers.kis._DIVIDENDS_AT_ONCE", rows)
    monkeypatch.setattr("include.crawlers.kis.dividends._ROWS_AT_MOST", rows)


def test_days_of_an_answer_that_may_be_cut_off_are_asked_for_in_halves(
    server: KisServer, asking: Asking, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    dividends = of_all_sessions(world)
    most = max(Counter(row["session"] for row in dividends).values())
    assert most + 1 < len(dividends)
    answering_at_most(monkeypatch, most + 1)
    assert rows_of_all_sessions(server, asking, world) == dividends
    assert {body.request["symbol"] for body in asking.bodies} == {""}
    assert len(asking.bodies) > 1


def test_symbols_are_asked_for_where_a_day_may_be_cut_off(
    server: KisServer, asking: Asking, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    dividends = of_all_sessions(world)
    answering_at_most(monkeypatch, max(Counter(row["session"] for row in dividends).values()))
    assert rows_of_all_sessions(server, asking, world) == dividends
    asked = {issue.symbol for session in world.sessions for issue in asking.chunk(session).universe}
    assert {body.request["symbol"] for body in asking.bodies} == {"", *asked}


def test_a_session_without_a_dividend_takes_one_call(server: KisServer, asking: Asking, world: World) -> None:
    session = next(session for session in world.sessions if not world.table("dividend", session).num_rows)
    assert asking.rows("dividend", session).num_rows == 0
    assert len(asking.bodies) == 1


def test_a_dividend_counts_once_its_amount_is_fixed() -> None:
    ex = date(2023, 12, 27)
    chunk = Chunk(ex, ex, (Issue("005930", "KOSPI", "삼성전자", ""),))
    entry = {"record_date": "20231231", "sht_cd": "005930", "divi_pay_dt": ""}
    for unfixed in ("", "0", "000000000000"):
        body = _body("HHKDB669102C0", "", {"output1": [entry | {"per_sto_divi_amt": unfixed}]})
        assert CRAWLERS["dividend"].parse([body], chunk).num_rows == 0
    body = _body("HHKDB669102C0", "", {"output1": [entry | {"per_sto_divi_amt": "000000000361"}]})
    assert CRAWLERS["dividend"].parse([body], chunk)["amount_krw"].to_pylist() == [Decimal(361)]


def test_a_dividend_of_what_is_not_listed_is_left_out() -> None:
    ex = date(2023, 12, 27)
    chunk = Chunk(ex, ex, (Issue("005930", "KOSPI", "삼성전자", ""),))
    entry = {"record_date": "20231231", "sht_cd": "999990", "per_sto_divi_amt": "000000000361", "divi_pay_dt": ""}
    assert CRAWLERS["dividend"].parse([_body("HHKDB669102C0", "", {"output1": [entry]})], chunk).num_rows == 0


def test_a_record_date_without_trading_counts_as_the_session_before() -> None:
    # 2023 ended on a Sunday and its last session was the 28th: who bought on the 26th was on the register.
    ex = date(2023, 12, 27)
    assert previous_session(date(2023, 12, 31)) == next_session(ex)
    entry = {"record_date": "20231231", "sht_cd": "005930", "per_sto_divi_amt": "000000000361", "divi_pay_dt": " "}
    chunk = Chunk(ex, ex, (Issue("005930", "KOSPI", "삼성전자", ""),))
    rows = CRAWLERS["dividend"].parse([_body("HHKDB669102C0", "005930", {"output1": [entry]})], chunk)
    assert rows["record_on"].to_pylist() == [date(2023, 12, 31)]
    assert rows["amount_krw"].to_pylist() == [Decimal(361)]
    assert rows["paid_on"].to_pylist() == [None]


@pytest.mark.parametrize("dataset", ["daily_bar", "foreign_holding", "fundamental"])
def test_figures_of_today_are_not_those_of_a_past_session(asking: Asking, dataset: str) -> None:
    with pytest.raises(Missing, match="today's figures only"):
        asking.rows(dataset, previous_session(SESSION))


@pytest.mark.parametrize("dataset", ["daily_bar", "foreign_holding", "fundamental", "investor_flow"])
def test_what_has_not_been_yet_is_not_published(server: KisServer, asking: Asking, dataset: str) -> None:
    server.now = lambda: NOON
    with pytest.raises(NotPublished):
        asking.rows(dataset)


def test_quotes_of_yesterday_are_known_by_their_base_prices(server: KisServer, asking: Asking) -> None:
    server.now = lambda: NOON
    server.faults.add(Fault("FHKST01010100", FaultKind.YESTERDAYS_DATA))
    with pytest.raises(Malformed, match="of another session"):
        asking.rows("intraday_snapshot", at=NOON)


@pytest.mark.parametrize("dataset", ["daily_bar", "investor_flow", "foreign_holding", "intraday_snapshot"])
@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (FaultKind.HTTP_500, SourceDown),
        (FaultKind.HTTP_429, RateLimited),
        (FaultKind.TRUNCATED_BODY, (SourceDown, Malformed)),
        (FaultKind.MAINTENANCE_HTML, Malformed),
        (FaultKind.LOGOUT, AuthRequired),
        (FaultKind.EMPTY_LIST, NotPublished),
        (FaultKind.PARTIAL_MARKET, (CoverageDrop, Malformed)),
        (FaultKind.RENAMED_COLUMN, Malformed),
        (FaultKind.MISSING_COLUMN, Malformed),
        (FaultKind.WRONG_ENCODING, Malformed),
        (FaultKind.COMMA_STRINGS, Malformed),
        (FaultKind.LAYOUT_CHANGED, Malformed),
    ],
)
def test_every_lasting_fault_is_a_typed_outcome_that_leaks_nothing(
    server: KisServer, asking: Asking, dataset: str, kind: FaultKind, outcome: type[CollectionOutcome]
) -> None:
    server.faults.add(Fault("*", kind))
    with pytest.raises(outcome) as caught:
        asking.rows(dataset, at=EVENING)
    assert_no_secret(caught.value, asking)


def assert_no_secret(error: BaseException | None, asking: Asking) -> None:
    told = (
        f"{error!r} {error} {getattr(error, '__notes__', '')} {asking.calls} {[body.request for body in asking.bodies]}"
    )
    for secret in (KEY, SECRET, "real."):
        assert secret not in told.replace("real.,", "")


def test_requests_hold_no_credential(asking: Asking) -> None:
    asking.rows("daily_bar")
    assert_no_secret(None, asking)
    assert asking.bodies[0].request["transaction"] == "FHKST03010100"


def test_one_token_serves_all_calls_of_all_datasets(server: KisServer, asking: Asking) -> None:
    for dataset in ("daily_bar", "investor_flow"):
        asking.rows(dataset)
    assert [call.endpoint for call in server.calls].count("tokenP") == 1


def test_a_token_refused_with_401_is_renewed_once(server: KisServer, asking: Asking, world: World) -> None:
    asking.rows("daily_bar")
    server.faults.add(Fault("FHKST03010100", FaultKind.LOGOUT, times=1))
    assert asking.rows("daily_bar").num_rows == world.table("daily_bar", SESSION).num_rows
    assert [call.endpoint for call in server.calls].count("tokenP") == 2


def test_a_token_that_ended_is_renewed_within_the_run(server: KisServer, asking: Asking, world: World) -> None:
    asking.rows("foreign_holding")
    real_time = server.tokens.clock
    server.tokens.clock = lambda: real_time() + TOKEN_LIFE
    try:
        rows = asking.rows("foreign_holding")
    finally:
        server.tokens.clock = real_time
    assert same(rows, world.table("foreign_holding", SESSION), without=("limit_shares",))


def test_a_wrong_key_is_told_and_not_repeated(server: KisServer, asking: Asking) -> None:
    asking.environment["KRXW_KIS_APP_KEY"] = "wrong-key"
    with pytest.raises(AuthRequired) as caught:
        asking.rows("daily_bar")
    assert "wrong-key" not in str(caught.value)
    assert [call.endpoint for call in asking.calls] == ["/oauth2/tokenP"]


def test_without_symbols_it_says_what_to_load(asking: Asking) -> None:
    with pytest.raises(SourceNotConfiguredError, match="load daily_bar first"):
        CRAWLERS["daily_bar"].fetch(Chunk(SESSION, SESSION), None, asking.environment)


def test_snapshots_of_the_past_cannot_be_had(asking: Asking) -> None:
    with pytest.raises(SourceNotConfiguredError, match="present moment"):
        asking.rows("intraday_snapshot")


@pytest.mark.parametrize("crawler", CRAWLERS.values(), ids=CRAWLERS)
def test_a_range_has_to_be_given_and_is_cut_into_sessions(crawler: Any) -> None:
    with pytest.raises(SourceNotConfiguredError, match="--from and --to"):
        crawler.held({})
    assert crawler.split([SESSION]) == [Chunk(SESSION, SESSION)]


def test_stays_within_what_the_real_service_allows() -> None:
    assert LIMITS.calls_per_second == 18


def _body(transaction: str, symbol: str, outputs: Mapping[str, Any]) -> RawBody:
    content = json.dumps({"rt_cd": "0", "msg_cd": "MCA00000", "msg1": "", **outputs}).encode()
    return RawBody(content, {"transaction": transaction, "symbol": symbol}, datetime.now(UTC), ".json")


def test_a_failure_is_told_in_the_brokers_words() -> None:
    content = json.dumps({"rt_cd": "1", "msg_cd": "OPSQ2001", "msg1": "ERROR INVALID FID"}).encode()
    with pytest.raises(Malformed, match="somewhere: OPSQ2001 ERROR INVALID FID"):
        Kis().read(content, "somewhere")


@pytest.mark.parametrize(("sign", "change"), [("2", "-100"), ("5", "100"), ("3", "1"), ("9", "0"), ("", "0")])
def test_a_sign_that_denies_the_change_is_malformed(sign: str, change: str) -> None:
    names = ("stck_oprc", "stck_hgpr", "stck_lwpr", "stck_clpr", "acml_vol", "acml_tr_pbmn")
    bar = dict.fromkeys(names, "1000") | {"stck_bsop_date": "20230315", "prdy_vrss": change, "prdy_vrss_sign": sign}
    issue = {"stck_shrn_iscd": "005930", "hts_kor_isnm": "삼성전자", "lstn_stcn": "1"}
    body = _body("FHKST03010100", "005930", {"output1": issue, "output2": [bar]})
    with pytest.raises(Malformed, match="prdy_vrss_sign"):
        CRAWLERS["daily_bar"].parse([body], Chunk(SESSION, SESSION, (Issue("005930", "KOSPI", "", ""),)))


@pytest.mark.samples
def test_the_documented_example_is_read_exactly(samples: Path) -> None:
    file = samples / "kis" / "official_doc_example_inquire_daily_itemchartprice_000660.json"
    documented = json.loads(file.read_bytes())
    session = date(2022, 5, 9)
    chunk = Chunk(session, session, (Issue("000660", "KOSPI", "SK하이닉스", ""),))
    [row] = CRAWLERS["daily_bar"].parse([_body("FHKST03010100", "000660", documented)], chunk).to_pylist()
    assert (row["open"], row["high"], row["low"], row["close"]) == (107_000, 109_000, 106_500, 107_500)
    assert (row["volume"], row["value_krw"], row["change"]) == (2_203_472, 237_914_727_500, 0)
    assert (row["listed_shares"], row["market_cap_krw"]) == (728_002_365, 728_002_365 * 107_500)
    assert (row["name"], row["fluctuation_code"], row["halted"]) == ("SK하이닉스", FLAT, False)


@pytest.mark.samples
def test_every_field_read_is_one_the_broker_documents(samples: Path) -> None:
    documented = json.loads((samples / "kis" / "field_meanings.json").read_bytes())
    used = {
        "inquire_daily_itemchartprice": {"stck_bsop_date", "stck_clpr", "prdy_vrss_sign", "lstn_stcn", "hts_kor_isnm"},
        "inquire_investor": {"prsn_ntby_qty", "frgn_shnu_vol", "orgn_seln_vol"},
        "ksdinfo_dividend": {"record_date", "sht_cd", "per_sto_divi_amt", "divi_pay_dt"},
        "domestic_stock/inquire_price": {
            "stck_prpr",
            "acml_tr_pbmn",
            "frgn_hldn_qty",
            "hts_frgn_ehrt",
            "lstn_stcn",
            "eps",
            "bps",
            "per",
            "pbr",
        },
    }
    for name, fields in used.items():
        assert fields <= documented[name]["fields"].keys(), name
