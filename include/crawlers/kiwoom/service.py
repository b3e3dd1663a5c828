"""Kiwoom as a broker: its two services, its token, its answers.

Paths, transactions (``api-id``) and fields: Kiwoom REST API reference, domestic stocks. Every answer is HTTP 200 with
``return_code`` 0; a failure has another one and words in ``return_msg``, with a code of its own in brackets. Prices
carry a sign that tells whether they are above or below the base price.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime

from include.crawlers.broker.answer import Answer
from include.crawlers.broker.interface import (
    Account,
    Broker,
    BrokerEnvironment,
    DailyBar,
    DailyChart,
    Flow,
    Inquiry,
    Quote,
    Service,
    TokenRefused,
)
from include.crawlers.broker.token import Token
from include.crawlers.transport import SourceLimits, Transport
from include.market.calendar import KST
from include.market.fluctuation import DOWN, FLAT, LOWER_LIMIT, NONE, UP, UPPER_LIMIT
from include.market.investors import Investor
from include.outcomes import AuthRequired, Malformed, RateLimited

_STOCK_INFORMATION, _CHART = "/api/dostk/stkinfo", "/api/dostk/chart"
_RAW_PRICES = "0"  # the other way round than KIS
_QUANTITY, _NET, _SINGLE_SHARES = "2", "0", "1"
# Codes in the body of a refusal, which comes with HTTP 200: all of authentication begin with 80.
_TOKEN_INVALID = re.compile(rb'("return_code"\s*:\s*"?|\[)80\d\d\b')
_TOO_MANY_CALLS = re.compile(rb"\[1700\b")
_CODES = {"1": UPPER_LIMIT, "2": UP, "3": FLAT, "4": LOWER_LIMIT, "5": DOWN}
_INSTITUTIONS = {
    Investor.SECURITIES: ("fnnc_invt",),
    Investor.INSURANCE: ("insrnc",),
    Investor.INVESTMENT_TRUST: ("invtrt",),
    Investor.PRIVATE_FUND: ("samo_fund",),
    Investor.BANK: ("bank",),
    Investor.OTHER_FINANCE: ("etc_fnnc",),
    # The exchange counts the state and municipalities among pension funds (연기금 등).
    Investor.PENSION: ("penfnd_etc", "natn"),
}
_OTHERS = {
    Investor.OTHER_CORPORATION: ("etc_corp",),
    Investor.INDIVIDUAL: ("ind_invsr",),
    Investor.FOREIGN: ("frgnr_invsr",),
    Investor.OTHER_FOREIGN: ("natfor",),
}


class Kiwoom(Broker):
    """Kiwoom: one call a second of each transaction; a token lives for a day."""

    name = "kiwoom"
    title = "Kiwoom"
    services = {  # noqa: RUF012
        BrokerEnvironment.REAL: Service(
            "https://api.kiwoom.com", SourceLimits(calls_per_second=4, calls_per_second_per_endpoint=1)
        ),
        BrokerEnvironment.MOCK: Service("https://mockapi.kiwoom.com", SourceLimits(calls_per_second=1)),
    }
    secret_variable = "KRXW_KIWOOM_SECRET_KEY"  # noqa: S105

    def issue_token(self, account: Account, transport: Transport) -> Token:
        """A new token, which ends the one before."""
        asked = {"grant_type": "client_credentials", "appkey": account.key, "secretkey": account.secret}
        content = transport.post(self.name, f"{account.url}/oauth2/token", account.limits, json=asked)
        answer = Answer.from_json(content, f"{self.title} token")
        if str(answer.fields.get("return_code")) != "0":
            raise AuthRequired(f"{self.title} issues no token: {answer.fields.get('return_msg')}")
        ends = answer.text("expires_dt")
        try:
            ends_at = datetime.strptime(ends, "%Y%m%d%H%M%S").replace(tzinfo=KST)
        except ValueError:
            raise Malformed(f"{self.title} token: expires_dt is {ends!r}, expected YYYYMMDDHHMMSS") from None
        return Token(answer.text("token"), ends_at - datetime.now(KST))

    def send(self, inquiry: Inquiry, account: Account, token: str, transport: Transport) -> bytes:
        """The answer's body; one that refuses the token or the call is raised, any other is the reader's."""
        headers = {"authorization": f"Bearer {token}", "api-id": inquiry.transaction}
        try:
            content = transport.post(
                self.name,
                account.url + inquiry.path,
                account.limits,
                json=dict(inquiry.parameters),
                headers=headers,
                endpoint=inquiry.transaction,
            )
        except AuthRequired as refusal:
            raise TokenRefused from refusal
        if _TOKEN_INVALID.search(content):
            raise TokenRefused
        if _TOO_MANY_CALLS.search(content):
            raise RateLimited(f"{self.title} {inquiry.transaction}: more calls than Kiwoom allows (1700)")
        return content

    def read(self, content: bytes, where: str) -> Answer:
        """The answer, if it says that the inquiry succeeded."""
        answer = Answer.from_json(content, where)
        if str(answer.fields.get("return_code")) != "0":
            raise Malformed(
                f"{where}: return_code is {answer.fields.get('return_code')}, expected 0: "
                f"{answer.fields.get('return_msg')}"
            )
        return answer

    def quote(self, symbol: str) -> Inquiry:
        """ka10001."""
        return Inquiry("ka10001", _STOCK_INFORMATION, symbol, {"stk_cd": symbol})

    def read_quote(self, answer: Answer, symbol: str) -> Quote | None:
        """The answer itself; one without a price is of a symbol Kiwoom does not know. Turnover is not told."""
        if answer.blank(["cur_prc"]):
            return None
        _require_symbol(answer, symbol)
        quote = Quote(
            price=_price(answer, "cur_prc"),
            open=_price(answer, "open_pric"),
            high=_price(answer, "high_pric"),
            low=_price(answer, "low_pric"),
            change=_signed(answer, "pred_pre"),
            volume=answer.whole("trde_qty"),
            value_krw=None,
        )
        if quote.base != _price(answer, "base_pric"):
            raise Malformed(
                f"{answer.where}: cur_prc less pred_pre is {quote.base}, expected base_pric, "
                f"which is {answer.text('base_pric')}"
            )
        return quote

    def daily_chart(self, symbol: str, first: date, last: date) -> Inquiry:
        """ka10081: the latest bars up to ``last``, newest first; those before ``first`` come too."""
        parameters = {"stk_cd": symbol, "base_dt": f"{last:%Y%m%d}", "upd_stkpc_tp": _RAW_PRICES}
        return Inquiry("ka10081", _CHART, symbol, parameters)

    def read_daily_chart(self, answer: Answer, symbol: str) -> DailyChart:
        """``stk_dt_pole_chart_qry``; neither name nor shares are told, turnover in million won only."""
        rows = answer.rows("stk_dt_pole_chart_qry")
        if rows:
            _require_symbol(answer, symbol)
        return DailyChart([_bar(row) for row in rows], None, None)

    def investor_flows(self, symbol: str, session: date) -> Inquiry:
        """ka10059: net shares of the sessions up to ``session``, newest first."""
        parameters = {
            "dt": f"{session:%Y%m%d}",
            "stk_cd": symbol,
            "amt_qty_tp": _QUANTITY,
            "trde_tp": _NET,
            "unit_tp": _SINGLE_SHARES,
        }
        return Inquiry("ka10059", _STOCK_INFORMATION, symbol, parameters)

    def read_investor_flows(self, answer: Answer, symbol: str) -> Mapping[date, Sequence[Flow]]:
        """``stk_invsr_orgn``: a session whose classes do not sum to zero is not settled yet."""
        return {row.day("dt"): _flows(row) for row in answer.rows("stk_invsr_orgn")}


def _require_symbol(answer: Answer, symbol: str) -> None:
    answered = answer.text("stk_cd")
    if answered != symbol:
        raise Malformed(f"{answer.where}: is about {answered}, expected {symbol}")


def _price(answer: Answer, name: str) -> int:
    """A price, whose sign is not its own."""
    return abs(_signed(answer, name))


def _signed(answer: Answer, name: str) -> int:
    """A number with a sign, which Kiwoom writes twice where the number itself is negative (``--1``)."""
    text = answer.text(name)
    return Answer(answer.where, {name: text[1:] if text.startswith("--") else text}).whole(name)


def _bar(row: Answer) -> DailyBar:
    opening, highest, lowest = (_price(row, name) for name in ("open_pric", "high_pric", "low_pric"))
    change = _signed(row, "pred_pre")
    untraded = opening == highest == lowest == 0
    return DailyBar(
        session=row.day("dt"),
        open=opening,
        high=highest,
        low=lowest,
        close=_price(row, "cur_prc"),
        change=change,
        code=NONE if untraded and change == 0 else _code(row),
        volume=row.whole("trde_qty"),
        value_krw=None,
    )


def _code(row: Answer) -> int:
    sign = row.text("pred_pre_sig")
    if sign not in _CODES:
        raise Malformed(f"{row.where}: pred_pre_sig is {sign!r}, expected 1 to 5")
    return _CODES[sign]


def _flows(row: Answer) -> list[Flow]:
    net = {investor: sum(_signed(row, name) for name in names) for investor, names in (_INSTITUTIONS | _OTHERS).items()}
    if sum(net.values()) != 0:
        return []
    institutions = sum(net[investor] for investor in _INSTITUTIONS)
    if institutions != _signed(row, "orgn"):
        raise Malformed(f"{row.where}: orgn is {row.text('orgn')}, its parts sum to {institutions}")
    session = row.day("dt")
    flows = [Flow(session, investor, shares) for investor, shares in net.items()]
    return [*flows, Flow(session, Investor.INSTITUTION, institutions)]
