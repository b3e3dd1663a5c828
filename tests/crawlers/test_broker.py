"""What holds for every broker: tokens are shared and kept apart, keys go to their own service and leak nowhere."""

from __future__ import annotations

import multiprocessing
import secrets
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from threading import Barrier

import psycopg
import pytest

from include.crawlers.broker.answer import Answer
from include.crawlers.broker.interface import (
    Account,
    Broker,
    BrokerEnvironment,
    BrokerSession,
    Flow,
    Inquiry,
    TokenRefused,
)
from include.crawlers.broker.token import RENEWAL_MARGIN, Token, TokenCache
from include.crawlers.kis.service import Kis
from include.crawlers.kiwoom.service import Kiwoom
from include.crawlers.transport import Transport
from include.market.investors import Investor
from include.outcomes import AuthRequired, Malformed, SourceNotConfiguredError
from include.platform.postgres import PostgresServer
from include.warehouse.migrations import migrate

DAY = timedelta(days=1)
KEY, SECRET = "key-that-must-not-leak", "secret-that-must-not-leak"
BROKERS = [Kis(), Kiwoom()]


@pytest.fixture(scope="module")
def dsn(postgres_server: PostgresServer) -> Iterator[str]:
    name = f"tokens_{secrets.token_hex(6)}"
    dsn = postgres_server.create_database(name)
    migrate(dsn)
    yield dsn
    postgres_server.drop_database(name)


@pytest.fixture
def owner() -> str:
    return secrets.token_hex(4)


def issuing(life: timedelta = DAY) -> tuple[list[Token], object]:
    issued: list[Token] = []

    def issue() -> Token:
        issued.append(Token(f"token {len(issued)}", life))
        return issued[-1]

    return issued, issue


def test_eight_threads_at_once_have_one_token_issued(dsn: str, owner: str) -> None:
    issued, issue = issuing()
    start = Barrier(8)

    def ask() -> str:
        start.wait()
        return TokenCache(dsn).token(owner, issue)

    with ThreadPoolExecutor(8) as pool:
        tokens = {future.result() for future in [pool.submit(ask) for _ in range(8)]}
    assert tokens == {"token 0"}
    assert len(issued) == 1


def _ask_in_a_process(dsn: str, owner: str, start: Barrier, tokens: multiprocessing.Queue) -> None:
    start.wait()
    tokens.put(TokenCache(dsn).token(owner, lambda: Token(secrets.token_hex(8), DAY)))


def test_two_processes_share_one_token(dsn: str, owner: str) -> None:
    context = multiprocessing.get_context("spawn")
    start, tokens = context.Barrier(2), context.Queue()
    processes = [context.Process(target=_ask_in_a_process, args=(dsn, owner, start, tokens)) for _ in range(2)]
    for process in processes:
        process.start()
    seen = {tokens.get(timeout=60) for _ in processes}
    for process in processes:
        process.join(30)
    assert len(seen) == 1


@pytest.mark.parametrize(("life", "issues"), [(RENEWAL_MARGIN - timedelta(seconds=1), 2), (DAY, 1)])
def test_a_token_is_renewed_before_it_ends(dsn: str, owner: str, life: timedelta, issues: int) -> None:
    issued, issue = issuing(life)
    for _ in range(2):
        TokenCache(dsn).token(owner, issue)
    assert len(issued) == issues


def test_a_refused_token_is_renewed_once_for_all_who_were_refused(dsn: str, owner: str) -> None:
    issued, issue = issuing()
    cache = TokenCache(dsn)
    refused = cache.token(owner, issue)
    assert [cache.token(owner, issue, refused=refused) for _ in range(3)] == ["token 1"] * 3
    assert len(issued) == 2


def test_what_cannot_be_issued_is_not_kept(dsn: str, owner: str) -> None:
    def refuse() -> Token:
        raise AuthRequired("no")

    with pytest.raises(AuthRequired):
        TokenCache(dsn).token(owner, refuse)
    issued, issue = issuing()
    assert TokenCache(dsn).token(owner, issue) == issued[0].value


@pytest.mark.parametrize("role", ["analyst", "grafana"])
def test_no_one_but_the_pipeline_reads_tokens(dsn: str, role: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(f"SET ROLE {role}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM broker.token")


def environment_of(broker: Broker, **changes: str) -> dict[str, str]:
    prefix = f"KRXW_{broker.name.upper()}"
    return {
        f"{prefix}_ENVIRONMENT": "real",
        f"{prefix}_APP_KEY": KEY,
        broker.secret_variable: SECRET,
        **{f"{prefix}_{name}": value for name, value in changes.items()},
    }


@pytest.mark.parametrize("broker", BROKERS, ids=lambda broker: broker.name)
class TestAccounts:
    def test_owners_of_tokens_differ_by_environment_and_key(self, broker: Broker) -> None:
        accounts = [
            broker.account(environment_of(broker, ENVIRONMENT=kind, APP_KEY=key))
            for kind in BrokerEnvironment
            for key in ("one", "two")
        ]
        assert len({account.token_owner for account in accounts}) == 4
        assert all(account.key not in account.token_owner for account in accounts)

    def test_each_environment_has_its_own_service_and_limits(self, broker: Broker) -> None:
        real, mock = (broker.account(environment_of(broker, ENVIRONMENT=kind)) for kind in BrokerEnvironment)
        assert real.url != mock.url
        assert mock.limits.calls_per_second == 1 < real.limits.calls_per_second

    @pytest.mark.parametrize("kind", BrokerEnvironment)
    def test_a_key_is_never_shown_to_the_other_environment(self, broker: Broker, kind: BrokerEnvironment) -> None:
        [other] = set(BrokerEnvironment) - {kind}
        with pytest.raises(SourceNotConfiguredError, match=f"ENVIRONMENT says {kind}"):
            broker.account(environment_of(broker, ENVIRONMENT=kind, URL=broker.services[other].url))

    def test_what_is_missing_is_named(self, broker: Broker) -> None:
        for name in environment_of(broker):
            environment = environment_of(broker)
            del environment[name]
            with pytest.raises(SourceNotConfiguredError, match=name):
                broker.account(environment)

    def test_an_unknown_environment_is_refused(self, broker: Broker) -> None:
        with pytest.raises(SourceNotConfiguredError, match="real or mock"):
            broker.account(environment_of(broker, ENVIRONMENT="paper"))

    def test_keys_do_not_show(self, broker: Broker) -> None:
        shown = repr(broker.account(environment_of(broker)))
        assert KEY not in shown
        assert SECRET not in shown


class Doorman(Kis):
    """Takes the tokens in ``good`` only, and answers with nothing but the symbol."""

    def __init__(self, good: Sequence[str]) -> None:
        self.good = good
        self.issued = 0

    def issue_token(self, account: Account, transport: Transport) -> Token:
        self.issued += 1
        return Token(f"token {self.issued}", DAY)

    def send(self, inquiry: Inquiry, account: Account, token: str, transport: Transport) -> bytes:
        if token not in self.good:
            raise TokenRefused
        return inquiry.symbol.encode()


def ask_all(dsn: str, broker: Doorman, count: int = 20) -> list[bytes]:
    account = broker.account(environment_of(broker, APP_KEY=secrets.token_hex(4)))
    session = BrokerSession(broker, account, transport=None, tokens=TokenCache(dsn))  # type: ignore[arg-type]
    return [body.content for body in session.ask_all([broker.quote(f"{n:06}") for n in range(count)])]


def test_a_token_refused_on_the_way_is_renewed_and_nothing_is_lost(dsn: str) -> None:
    broker = Doorman(good=["token 2"])
    assert ask_all(dsn, broker) == [f"{n:06}".encode() for n in range(20)]
    assert broker.issued == 2


def test_a_new_token_that_is_refused_too_ends_it(dsn: str) -> None:
    broker = Doorman(good=[])
    with pytest.raises(AuthRequired, match="just issued"):
        ask_all(dsn, broker, count=1)
    assert broker.issued == 2


@pytest.mark.parametrize(
    ("fields", "read", "message"),
    [
        ({}, lambda answer: answer.whole("price"), "no field price"),
        ({"price": "1,234"}, lambda answer: answer.whole("price"), "'1,234', expected a whole number"),
        ({"price": 5}, lambda answer: answer.whole("price"), "expected text"),
        ({"price": "1.5.0"}, lambda answer: answer.decimal("price"), "expected a number"),
        ({"day": "20230230"}, lambda answer: answer.day("day"), "expected a date"),
        ({"rows": {}}, lambda answer: answer.rows("rows"), "expected a list"),
        ({"rows": ["x"]}, lambda answer: answer.rows("rows"), "rows 1: expected an object"),
        ({"part": "x"}, lambda answer: answer.part("part"), "expected an object"),
    ],
)
def test_what_a_field_is_not_is_malformed_and_says_where(
    fields: Mapping[str, object], read: object, message: str
) -> None:
    with pytest.raises(Malformed, match=f"somewhere.*{message}"):
        read(Answer("somewhere", fields))  # type: ignore[operator]


@pytest.mark.parametrize(("sides", "traded"), [((None, None), True), ((5, 0), True), ((0, 0), False)])
def test_a_class_traded_unless_both_sides_are_nothing(sides: tuple[int | None, int | None], traded: bool) -> None:
    assert Flow(date(2026, 11, 19), Investor.BANK, 0, *sides).traded is traded
