"""KIS as a broker: its two services, its token, its answers.

Paths, transactions (``tr_id``) and fields: KIS Developers API reference, domestic stocks. Every answer is HTTP 200
with ``rt_cd`` "0"; a failure has another ``rt_cd``, a ``msg_cd`` and words in ``msg1``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

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
from include.crawlers.transport import SourceLimits, TooManyCalls, Transport
from include.market.fluctuation import DOWN, FLAT, LOWER_LIMIT, NONE, UP, UPPER_LIMIT
from include.market.investors import Investor
from include.outcomes import AuthRequired, CollectionOutcome, Malformed, RateLimited

_QUOTATIONS = "/uapi/domestic-stock/v1/quotations"
_STOCKS = "J"
_RAW_PRICES = "1"
_HEAD = 4 * 1024
# A token that is not valid, and one that has ended.
_TOKEN_CODES = (b"EGW00121", b"EGW00123")
_TOO_MANY_CALLS, _TOO_MANY_TOKENS = b"EGW00201", b"EGW00133"
_CODES = {"1": UPPER_LIMIT, "2": UP, "3": FLAT, "4": LOWER_LIMIT, "5": DOWN}
_INVESTORS = {"prsn": Investor.INDIVIDUAL, "frgn": Investor.FOREIGN, "orgn": Investor.INSTITUTION}


class Kis(Broker):
    """KIS: 18 calls a second in the real environment, one in the mock one; a token lives for a day."""

    name = "kis"
    title = "KIS"
    services = {  # noqa: RUF012
        BrokerEnvironment.REAL: Service("https://openapi.koreainvestment.com:9443", SourceLimits(calls_per_second=18)),
        BrokerEnvironment.MOCK: Service(
            "https://openapivts.koreainvestment.com:29443", SourceLimits(calls_per_second=1)
        ),
    }
    secret_variable = "KRXW_KIS_APP_SECRET"  # noqa: S105

    def issue_token(self, account: Account, transport: Transport) -> Token:
        """A new token: KIS issues one a minute at most, and answers 403 to more."""
        asked = {"grant_type": "client_credentials", "appkey": account.key, "appsecret": account.secret}
        content = transport.post(
            self.name, f"{account.url}/oauth2/tokenP", account.limits, json=asked, refusal=self._refusal
        )
        answer = Answer.from_json(content, f"{self.title} token")
        seconds = answer.fields.get("expires_in")
        value = answer.fields.get("access_token")
        if not isinstance(value, str) or not isinstance(seconds, int):
            raise Malformed(f"{self.title} token: expected access_token and expires_in, got {', '.join(answer.fields)}")
        return Token(value, timedelta(seconds=seconds))

    def send(self, inquiry: Inquiry, account: Account, token: str, transport: Transport) -> bytes:
        """The answer's body; one that refuses the token or the call is raised, any other is the reader's."""
        headers = {
            "authorization": f"Bearer {token}",
            "appkey": account.key,
            "appsecret": account.secret,
            "tr_id": inquiry.transaction,
            "custtype": "P",
        }
        try:
            content = transport.get(
                self.name,
                account.url + inquiry.path,
                account.limits,
                params=inquiry.parameters,
                headers=headers,
                endpoint=inquiry.transaction,
                refusal=self._refusal,
            )
            # Documented with HTTP 500; a 200 of the same meaning is taken for the same.
            if refused := self._refusal(200, content[:_HEAD]):
                raise refused
        except AuthRequired as refusal:
            raise TokenRefused from refusal
        return content

    def _refusal(self, status: int, head: bytes) -> CollectionOutcome | None:
        """KIS tells a bad token and a call too many by codes, under HTTP 500 and 403."""
        for code in _TOKEN_CODES:
            if code in head:
                return AuthRequired(f"{self.title} answered {status}, {code.decode()}: the token is not valid")
        if _TOO_MANY_CALLS in head:
            return TooManyCalls(f"{self.title} answered {status}: more calls than it allows", retry_after=None)
        if _TOO_MANY_TOKENS in head:
            return RateLimited(f"{self.title} answered {status}: it issues a token a minute at most")
        return None

    def read(self, content: bytes, where: str) -> Answer:
        """The answer, if it says that the inquiry succeeded."""
        answer = Answer.from_json(content, where)
        if answer.text("rt_cd") != "0":
            raise Malformed(f"{where}: {answer.text('msg_cd')} {answer.text('msg1')}")
        return answer

    def quote(self, symbol: str) -> Inquiry:
        """inquire-price, FHKST01010100."""
        parameters = {"FID_COND_MRKT_DIV_CODE": _STOCKS, "FID_INPUT_ISCD": symbol}
        return Inquiry("FHKST01010100", f"{_QUOTATIONS}/inquire-price", symbol, parameters)

    def read_quote(self, answer: Answer, symbol: str) -> Quote | None:
        """``output``; one without fields, or with an empty price, is of a symbol KIS does not know."""
        output = answer.part("output")
        if not output.fields or output.blank(["stck_prpr"]):
            return None
        _require_symbol(output, symbol)
        quote = Quote(
            price=output.whole("stck_prpr"),
            open=output.whole("stck_oprc"),
            high=output.whole("stck_hgpr"),
            low=output.whole("stck_lwpr"),
            change=output.whole("prdy_vrss"),
            volume=output.whole("acml_vol"),
            value_krw=output.whole("acml_tr_pbmn"),
        )
        _code(output, quote.change)
        return quote

    def daily_chart(self, symbol: str, first: date, last: date) -> Inquiry:
        """inquire-daily-itemchartprice, FHKST03010100: the last hundred bars of the range, newest first."""
        parameters = {
            "FID_COND_MRKT_DIV_CODE": _STOCKS,
            "FID_INPUT_ISCD": symbol,
            "FID_INPUT_DATE_1": f"{first:%Y%m%d}",
            "FID_INPUT_DATE_2": f"{last:%Y%m%d}",
            "FID_PERIOD_DIV_CODE": "D",
            "FID_ORG_ADJ_PRC": _RAW_PRICES,
        }
        return Inquiry("FHKST03010100", f"{_QUOTATIONS}/inquire-daily-itemchartprice", symbol, parameters)

    def read_daily_chart(self, answer: Answer, symbol: str) -> DailyChart:
        """``output1`` is about the issue today, ``output2`` holds the bars."""
        rows = answer.rows("output2")
        if not rows:
            return DailyChart((), None, None)
        issue = answer.part("output1")
        _require_symbol(issue, symbol)
        return DailyChart([_bar(row) for row in rows], issue.text("hts_kor_isnm"), issue.whole("lstn_stcn"))

    def investor_flows(self, symbol: str, session: date) -> Inquiry:
        """inquire-investor, FHKST01010900: the last thirty sessions, whichever is asked for."""
        parameters = {"FID_COND_MRKT_DIV_CODE": _STOCKS, "FID_INPUT_ISCD": symbol}
        return Inquiry("FHKST01010900", f"{_QUOTATIONS}/inquire-investor", symbol, parameters)

    def read_investor_flows(self, answer: Answer, symbol: str) -> Mapping[date, Sequence[Flow]]:
        """``output``: three classes; the figures of a session that is not settled yet are empty."""
        return {row.day("stck_bsop_date"): _flows(row) for row in answer.rows("output")}


def _require_symbol(output: Answer, symbol: str) -> None:
    answered = output.text("stck_shrn_iscd")
    if answered != symbol:
        raise Malformed(f"{output.where}: is about {answered}, expected {symbol}")


def _bar(row: Answer) -> DailyBar:
    change = row.whole("prdy_vrss")
    opening, highest, lowest = (row.whole(name) for name in ("stck_oprc", "stck_hgpr", "stck_lwpr"))
    untraded = opening == highest == lowest == 0
    return DailyBar(
        session=row.day("stck_bsop_date"),
        open=opening,
        high=highest,
        low=lowest,
        close=row.whole("stck_clpr"),
        change=change,
        code=NONE if untraded and change == 0 else _code(row, change),
        volume=row.whole("acml_vol"),
        value_krw=row.whole("acml_tr_pbmn"),
    )


def _code(row: Answer, change: int) -> int:
    """The fluctuation code of the change's sign code, which agrees with the change itself."""
    sign = row.text("prdy_vrss_sign")
    code = _CODES.get(sign)
    agrees = {UPPER_LIMIT: change > 0, UP: change > 0, FLAT: change == 0, LOWER_LIMIT: change < 0, DOWN: change < 0}
    if code is None or not agrees[code]:
        raise Malformed(f"{row.where}: prdy_vrss_sign is {sign!r} and prdy_vrss {change}, expected two that agree")
    return code


def _flows(row: Answer) -> list[Flow]:
    if row.blank([f"{prefix}_ntby_qty" for prefix in _INVESTORS]):
        return []
    return [
        Flow(
            session=row.day("stck_bsop_date"),
            investor=investor,
            net_shares=row.whole(f"{prefix}_ntby_qty"),
            buy_shares=row.whole(f"{prefix}_shnu_vol"),
            sell_shares=row.whole(f"{prefix}_seln_vol"),
        )
        for prefix, investor in _INVESTORS.items()
    ]
