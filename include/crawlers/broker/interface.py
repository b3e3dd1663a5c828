"""One form for all brokers: what they are asked, what they answer, and who asks.

A broker is a subclass of :class:`Broker` in a module of its own that also says, as ``CRAWLERS``, which datasets it
gives, made by :mod:`include.crawlers.broker.datasets`. Keys and tokens go into headers and request bodies only: never
into an :class:`Inquiry`, which is landed with its answer.
"""

from __future__ import annotations

import hashlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import ClassVar
from urllib.parse import urlsplit

from include.crawlers.broker.answer import Answer
from include.crawlers.broker.token import Token, TokenCache
from include.crawlers.source import RawBody
from include.crawlers.transport import SourceLimits, Transport
from include.market.investors import Investor
from include.outcomes import AuthRequired, SourceNotConfiguredError

# Answers take about as long as the calls are apart: these many at once keep the limit busy.
_CALLS_AT_ONCE = 4


class BrokerEnvironment(StrEnum):
    """Brokers run two services: one on the market, and one for practice with keys and limits of its own."""

    REAL = "real"
    MOCK = "mock"


@dataclass(frozen=True)
class Service:
    """Where one environment of a broker is, and what it allows."""

    url: str
    limits: SourceLimits


@dataclass(frozen=True)
class Account:
    """As whom a broker is asked, and where."""

    broker: str
    environment: BrokerEnvironment
    url: str
    limits: SourceLimits
    key: str = field(repr=False)
    secret: str = field(repr=False)

    @property
    def token_owner(self) -> str:
        """Whose a token is: one of another broker, environment or key is never taken for it."""
        return f"{self.broker} {self.environment} {hashlib.sha256(self.key.encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class Inquiry:
    """What is asked about one symbol (empty: about all): the broker's name of the transaction, path, parameters."""

    transaction: str
    path: str
    symbol: str
    parameters: Mapping[str, str]

    @property
    def request(self) -> dict[str, str]:
        """What is kept of it with the answer."""
        return {"transaction": self.transaction, "symbol": self.symbol, **self.parameters}


@dataclass(frozen=True)
class Quote:
    """A symbol's session so far. Prices in won, 0 where nothing traded yet; ``change`` is from the base price."""

    price: int
    open: int
    high: int
    low: int
    change: int
    volume: int
    value_krw: int | None

    @property
    def base(self) -> int:
        """The base price: the same all session long."""
        return self.price - self.change


@dataclass(frozen=True)
class DailyBar:
    """A symbol's session, unadjusted. ``code`` is the fluctuation code; ``value_krw`` None where it is rounded."""

    session: date
    open: int
    high: int
    low: int
    close: int
    change: int
    code: int
    volume: int
    value_krw: int | None

    @property
    def base(self) -> int:
        """The base price of the session."""
        return self.close - self.change


@dataclass(frozen=True)
class DailyChart:
    """Bars, newest first, and what the broker says of the issue today: name and listed shares, None where it does not.

    The share count is today's, whatever the sessions of the bars.
    """

    bars: Sequence[DailyBar]
    name: str | None
    listed_shares: int | None


@dataclass(frozen=True)
class Flow:
    """Shares one class of investors bought and sold in a session; the sides are None where only the net is told."""

    session: date
    investor: Investor
    net_shares: int
    buy_shares: int | None = None
    sell_shares: int | None = None

    @property
    def traded(self) -> bool:
        """Whether the class traded, as far as the broker tells."""
        return (self.buy_shares, self.sell_shares) != (0, 0)


class TokenRefused(Exception):
    """The broker does not take the token: it has ended or was withdrawn."""


class Broker(ABC):
    """A broker's service: how it is entered, asked and read. Reading is pure."""

    name: ClassVar[str]
    """Its name as a source."""
    title: ClassVar[str]
    """Its name in messages."""
    services: ClassVar[Mapping[BrokerEnvironment, Service]]
    secret_variable: ClassVar[str]
    """The environment variable of the app key's secret."""

    @abstractmethod
    def issue_token(self, account: Account, transport: Transport) -> Token:
        """A new token.

        Raises:
            AuthRequired: the broker refuses the key.
            CollectionOutcome: as ``Transport.post``; Malformed where the answer is not a token.
        """

    @abstractmethod
    def send(self, inquiry: Inquiry, account: Account, token: str, transport: Transport) -> bytes:
        """The answer's body.

        Raises:
            TokenRefused: see there.
            CollectionOutcome: as ``Transport.get``.
        """

    @abstractmethod
    def read(self, content: bytes, where: str) -> Answer:
        """The answer that ``content`` is.

        Raises:
            Malformed: it is none, or says that the inquiry failed.
        """

    @abstractmethod
    def quote(self, symbol: str) -> Inquiry:
        """Asks for the quote of the moment."""

    @abstractmethod
    def read_quote(self, answer: Answer, symbol: str) -> Quote | None:
        """The quote; None where the broker has none of the symbol.

        Raises:
            Malformed: the answer is not what the broker publishes.
        """

    @abstractmethod
    def daily_chart(self, symbol: str, first: date, last: date) -> Inquiry:
        """Asks for the bars from ``first`` to ``last``; which of them come where they are many is the broker's."""

    @abstractmethod
    def read_daily_chart(self, answer: Answer, symbol: str) -> DailyChart:
        """The bars; none where the broker has none of the symbol.

        Raises:
            Malformed: the answer is not what the broker publishes.
        """

    @abstractmethod
    def investor_flows(self, symbol: str, session: date) -> Inquiry:
        """Asks for the flows of the sessions up to ``session`` or later."""

    @abstractmethod
    def read_investor_flows(self, answer: Answer, symbol: str) -> Mapping[date, Sequence[Flow]]:
        """The flows by session; a session the broker shows and has not settled yet has none.

        Raises:
            Malformed: the answer is not what the broker publishes.
        """

    def account(self, environment: Mapping[str, str]) -> Account:
        """The account that ``environment`` names.

        Raises:
            SourceNotConfiguredError: the environment (real or mock) or a key is missing, or the address is the other
                environment's: a key is only ever shown to the service it belongs to.
        """
        prefix = f"KRXW_{self.name.upper()}"
        kind = self._environment(environment.get(f"{prefix}_ENVIRONMENT"), f"{prefix}_ENVIRONMENT")
        key_variable = f"{prefix}_APP_KEY"
        missing = [name for name in (key_variable, self.secret_variable) if not environment.get(name)]
        if missing:
            raise SourceNotConfiguredError(f"{self.title} needs a key: set {' and '.join(missing)}")
        service = self.services[kind]
        url = environment.get(f"{prefix}_URL", service.url).rstrip("/")
        for other in self.services.keys() - {kind}:
            if urlsplit(url).hostname == urlsplit(self.services[other].url).hostname:
                raise SourceNotConfiguredError(
                    f"{prefix}_URL is the {other} service of {self.title}, {prefix}_ENVIRONMENT says {kind}: "
                    "correct one of them"
                )
        return Account(
            self.name, kind, url, service.limits, environment[key_variable], environment[self.secret_variable]
        )

    def _environment(self, text: str | None, variable: str) -> BrokerEnvironment:
        try:
            return BrokerEnvironment(text or "")
        except ValueError:
            raise SourceNotConfiguredError(
                f"{self.title}: set {variable} to real or mock, whichever its key was issued for; it is {text!r}"
            ) from None


class BrokerSession:
    """Asks a broker as ``account``; safe to use from several threads."""

    def __init__(self, broker: Broker, account: Account, transport: Transport, tokens: TokenCache) -> None:
        self._broker = broker
        self._account = account
        self._transport = transport
        self._tokens = tokens
        self._token: str | None = None
        self._lock = threading.Lock()

    def ask_all(self, inquiries: Iterable[Inquiry]) -> list[RawBody]:
        """The answers, in order; the first failure ends all."""
        self._current_token(refused=None)  # one thread asks for it: a refused key is not shown again by the others
        with ThreadPoolExecutor(_CALLS_AT_ONCE, thread_name_prefix=self._broker.name) as pool:
            waiting = [pool.submit(self.ask, inquiry) for inquiry in inquiries]
            try:
                return [answer.result() for answer in waiting]
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def ask(self, inquiry: Inquiry) -> RawBody:
        """The answer to ``inquiry``, with a new token if the one at hand is refused.

        Raises:
            AuthRequired: a new token is refused too, or none is issued.
            CollectionOutcome: as ``Broker.send``.
        """
        token = self._current_token(refused=None)
        try:
            content = self._broker.send(inquiry, self._account, token, self._transport)
        except TokenRefused:
            content = self._ask_again(inquiry, self._current_token(refused=token))
        return RawBody(content, inquiry.request, datetime.now(UTC), ".json")

    def _ask_again(self, inquiry: Inquiry, token: str) -> bytes:
        try:
            return self._broker.send(inquiry, self._account, token, self._transport)
        except TokenRefused:
            raise AuthRequired(
                f"{self._broker.title} {inquiry.transaction}: refuses a token it has just issued; is the key still "
                f"valid, and approved for this service of the {self._account.environment} environment?"
            ) from None

    def _current_token(self, refused: str | None) -> str:
        with self._lock:
            if self._token is None or self._token == refused:
                self._token = self._tokens.token(self._account.token_owner, self._issue, refused=refused)
            return self._token

    def _issue(self) -> Token:
        return self._broker.issue_token(self._account, self._transport)
