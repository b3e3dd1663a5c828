"""Kiwoom's REST service over HTTP on loopback, for one key of one environment.

    POST /oauth2/token                                      token
    POST /api/dostk/stkinfo    api-id ka10001               quote and figures of an issue
                               api-id ka10059               net, buy or sell of every class of investors
    POST /api/dostk/chart      api-id ka10081               daily bars, newest first

Endpoints are named by ``api-id``. An answer is 200 with ``return_code`` 0; a refused key, token or transaction is 200
with another one and its code in brackets in ``return_msg``; more than one call a second of a transaction is 429. A
new token ends the one before. Lists come a hundred rows a page: headers ``cont-yn`` Y and ``next-key`` lead on.

Prices carry the sign of their distance from the base price, in charts none (``upd_stkpc_tp`` 0 as traded, 1
adjusted); changes and flows carry their own. Shares listed (``flo_stk``) in thousands, ``mac`` in 100 million won,
turnover and flows by value in million won, rates of ``ka10059`` in hundredths of a percent. Until a session's flows are
settled at 18:00 individuals show 0, and the classes do not sum to zero.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from http import HTTPStatus
from typing import Any, ClassVar

from include.market.investors import Investor
from include.simulator.servers import parameters
from include.simulator.servers.broker import BrokerServer
from include.simulator.servers.broker_tokens import (
    BrokerEnvironment,
    BrokerLimits,
    TokenState,
    TooManyTokensError,
    bearer,
)
from include.simulator.servers.directions import percent, sign_of, sign_of_bar
from include.simulator.servers.faults import Fault
from include.simulator.servers.parameters import WrongParameterError
from include.simulator.servers.published import closed, opened, settled
from include.simulator.servers.symbol_rows import raw_bar, row_of, rows_of
from include.simulator.servers.web import Answer, Page, Request, Row, Rows, View, json_answer

_TOKEN = "token"  # noqa: S105 - an endpoint
_TRANSACTIONS = {
    "/api/dostk/stkinfo": frozenset({"ka10001", "ka10059"}),
    "/api/dostk/chart": frozenset({"ka10081"}),
}
LIMITS = {
    BrokerEnvironment.REAL: BrokerLimits(1, seconds_between_tokens=0),
    BrokerEnvironment.MOCK: BrokerLimits(1, seconds_between_tokens=0),
}
# The parameter that says which day a list starts from, going back.
_LAST_DAYS = {"ka10059": "dt", "ka10081": "base_dt"}
_CLASSES = {
    "ind_invsr": Investor.INDIVIDUAL,
    "frgnr_invsr": Investor.FOREIGN,
    "orgn": Investor.INSTITUTION,
    "fnnc_invt": Investor.SECURITIES,
    "insrnc": Investor.INSURANCE,
    "invtrt": Investor.INVESTMENT_TRUST,
    "etc_fnnc": Investor.OTHER_FINANCE,
    "bank": Investor.BANK,
    "penfnd_etc": Investor.PENSION,
    "samo_fund": Investor.PRIVATE_FUND,
    "natn": None,  # counted among pension funds by the exchange
    "etc_corp": Investor.OTHER_CORPORATION,
    "natfor": Investor.OTHER_FOREIGN,
}
_SIDES = {"0": "net", "1": "buy", "2": "sell"}
_MEASURES = {"1": "krw", "2": "shares"}
_SUCCESS = {"return_code": 0, "return_msg": "정상적으로 처리되었습니다"}


class KiwoomServer(BrokerServer):
    """Serves ``world`` to the holder of one key of Kiwoom's."""

    name: ClassVar[str] = "kiwoom"
    entry_endpoints: ClassVar[frozenset[str]] = frozenset({_TOKEN})
    secret_params: ClassVar[frozenset[str]] = frozenset({"appkey", "secretkey"})
    limits_of: ClassVar = LIMITS
    one_token: ClassVar[bool] = True
    rows_a_page = 100
    """Of a list."""

    def endpoint_of(self, request: Request) -> str | None:
        """The transaction in the header, if the path offers it."""
        if request.path == "/oauth2/token":
            return _TOKEN
        transaction = request.headers.get("api-id", "")
        return transaction if transaction in _TRANSACTIONS.get(request.path, ()) else None

    def serve(self, endpoint: str, request: Request) -> tuple[Answer, Fault | None]:
        """With the headers that lead on to the next page of a list."""
        answer, fault = super().serve(endpoint, request)
        try:
            last = parameters.day(request.params, _LAST_DAYS.get(endpoint, ""))
            rest = self._sessions_up_to(last, _next_key(request))[self.rows_a_page :]
        except WrongParameterError:
            return answer, fault
        paging = {"cont-yn": "Y", "next-key": f"{rest[0]:%Y%m%d}"} if rest else {"cont-yn": "N", "next-key": ""}
        return replace(answer, headers={**answer.headers, **paging}), fault

    def refusal(self, endpoint: str, request: Request) -> Answer | None:
        """The token first, then how many calls of the transaction there were."""
        if endpoint == _TOKEN:
            return None
        match self.tokens.state(bearer(request.headers.get("authorization"))):
            case TokenState.EXPIRED | TokenState.UNKNOWN:
                return _refused(3, "인증에 실패했습니다[8005:Token이 유효하지 않습니다]")
            case TokenState.OTHER_ENVIRONMENT:
                return _refused(3, "인증에 실패했습니다[8031:투자구분(실전/모의)이 달라서 Token을 사용할 수 없습니다]")
        if not self._gate.admits(endpoint):
            many = "허용된 요청 개수를 초과하였습니다"
            return _refused(5, f"{many}[1700:{many}. API ID={endpoint}]", status=429)
        return None

    def failure(self, status: int, message: str) -> Answer:
        """An error as the service writes it."""
        return _refused(1, message, status)

    def logged_out(self) -> Answer:
        """The token is no longer good."""
        return _refused(3, "인증에 실패했습니다[8005:Token이 유효하지 않습니다]", 401)

    def answer(self, endpoint: str, request: Request, view: View) -> Page | Answer:
        """The page of ``endpoint``; a failure where a parameter is missing or wrong."""
        params = request.params
        try:
            match endpoint:
                case "token":
                    return self._token(params)
                case "ka10001":
                    return self._quote(parameters.text(params, "stk_cd"), view)
                case "ka10059":
                    return self._flows(params, view, _next_key(request))
                case _:
                    return self._chart(params, view, _next_key(request))
        except WrongParameterError as error:
            return _refused(2, f"입력 값 오류입니다[1511:필수 입력 값이 없거나 올바르지 않습니다. 파라미터={error}]")

    def _token(self, params: Mapping[str, str]) -> Answer:
        if (params.get("appkey"), params.get("secretkey")) != self._key:
            return _refused(3, "인증에 실패했습니다[8001:App Key와 Secret Key 검증에 실패했습니다]")
        try:
            token = self.tokens.issue()
        except TooManyTokensError:
            return _refused(5, "허용된 요청 개수를 초과하였습니다[1700:API ID=au10001]", status=429)
        return json_answer(
            {
                "expires_dt": f"{token.expires:%Y%m%d%H%M%S}",
                "token_type": "bearer",
                "token": token.text,
                **_SUCCESS,
            }
        )

    def _quote(self, symbol: str, view: View) -> Page:
        sessions = opened(self._world.sessions, self.now())
        issue = self._issue(symbol, view.figures_of(sessions[-1])) if sessions else None
        return Page(
            [] if issue is None else [issue],
            partial(_answer, lambda rows: rows[0] if rows else {"stk_cd": symbol, "cur_prc": ""}),
            _changed,
            renamed=("cur_prc", "now_prc"),
            dropped="trde_qty",
            measures=("cur_prc", "pred_pre", "open_pric", "high_pric", "low_pric", "base_pric", "trde_qty"),
            symbol=symbol,
        )

    def _issue(self, symbol: str, session: date) -> Row | None:
        bar = raw_bar(self._world, symbol, session)
        if bar is None:
            return None
        [quote] = self._world.quotes(session, self.now(), [symbol]).to_pylist()
        figures = row_of(self._world, "fundamental", symbol, session) or {}
        base = quote["price"] - quote["change"]
        rate = percent(quote["change"], base)
        return {
            "stk_cd": symbol,
            "stk_nm": bar["name"],
            "flo_stk": str(bar["listed_shares"] // 1000),
            "mac": str(quote["price"] * bar["listed_shares"] // 10**8),
            "per": _figure(figures.get("per")),
            "eps": _figure(figures.get("eps_krw")),
            "pbr": _figure(figures.get("pbr")),
            "bps": _figure(figures.get("bps_krw")),
            "open_pric": _signed_price(quote["open"], base),
            "high_pric": _signed_price(quote["high"], base),
            "low_pric": _signed_price(quote["low"], base),
            "base_pric": str(base),
            "cur_prc": _signed_price(quote["price"], base),
            "pre_sig": sign_of(quote["change"]),
            "pred_pre": _signed(quote["change"]),
            "flu_rt": f"{rate:+}" if rate else "0.00",
            "trde_qty": str(quote["volume"]),
        }

    def _flows(self, params: Mapping[str, str], view: View, key: date | None) -> Page | Answer:
        symbol, side = parameters.text(params, "stk_cd"), parameters.choice(params, "trde_tp", _SIDES)
        measure = parameters.choice(params, "amt_qty_tp", _MEASURES)
        unit = 10**6 if measure == "krw" else parameters.number(params, "unit_tp")
        column = f"{side}_{measure}"
        sessions = self._page(parameters.day(params, "dt"), key)
        known = settled(self._world.sessions, self.now())
        rows = []
        for session in sessions:
            figures = view.figures_of(session)
            bar = raw_bar(self._world, symbol, figures)
            if bar is not None:
                flows = rows_of(self._world, "investor_flow", symbol, figures)
                amounts = {flow["investor"]: round(flow[column] / unit) for flow in flows}
                if session not in known:
                    amounts[Investor.INDIVIDUAL.value] = 0
                rows.append(_flow_row(view.label_of(session), bar, amounts))
        return self._list("stk_invsr_orgn", rows, symbol, renamed=("frgnr_invsr", "frgnr"), dropped="orgn")

    def _chart(self, params: Mapping[str, str], view: View, key: date | None) -> Page:
        symbol, adjusted = parameters.text(params, "stk_cd"), parameters.text(params, "upd_stkpc_tp") == "1"
        sessions = self._page(parameters.day(params, "base_dt"), key)
        rows = [_bar_row(*bar) for bar in self._charted(symbol, sessions, adjusted, view)]
        return self._list("stk_dt_pole_chart_qry", rows, symbol, renamed=("cur_prc", "close"), dropped="dt")

    def _list(self, name: str, rows: Rows, symbol: str, *, renamed: tuple[str, str], dropped: str) -> Page:
        return Page(
            rows,
            partial(_answer, lambda rows: {"stk_cd": symbol, name: list(rows)}),
            _changed,
            renamed=renamed,
            dropped=dropped,
            measures=[field for field in (rows[0] if rows else {}) if field != "dt"],
            symbol=symbol,
        )

    def _page(self, last: date, key: date | None) -> Sequence[date]:
        return self._sessions_up_to(last, key)[: self.rows_a_page]

    def _sessions_up_to(self, last: date, key: date | None) -> Sequence[date]:
        """Newest first, from ``last`` or where ``key`` leads on."""
        until = last if key is None else key
        return [session for session in reversed(closed(self._world.sessions, self.now())) if session <= until]


def _next_key(request: Request) -> date | None:
    key = {"next-key": request.headers.get("next-key", "")}
    return parameters.day(key, "next-key") if key["next-key"] else None


def _bar_row(label: date, bar: Row, prices: Row) -> Row:
    """``prices`` and their volume may be adjusted; the rest is as traded."""
    return {
        "cur_prc": str(prices["close"]),
        "trde_qty": str(prices["volume"]),
        "trde_prica": str(bar["value_krw"] // 10**6),
        "dt": f"{label:%Y%m%d}",
        "open_pric": str(prices["open"]),
        "high_pric": str(prices["high"]),
        "low_pric": str(prices["low"]),
        "pred_pre": _signed(bar["change"]),
        "pred_pre_sig": sign_of_bar(bar),
        "trde_tern_rt": "0.00",
    }


def _flow_row(label: date, bar: Row, amounts: Mapping[str, int]) -> Row:
    rate = percent(bar["change"], bar["base_price"])
    row = {
        "dt": f"{label:%Y%m%d}",
        "cur_prc": _signed_price(bar["close"], bar["base_price"]),
        "pre_sig": sign_of_bar(bar),
        "pred_pre": _signed(bar["change"]),
        "flu_rt": _signed(int(rate * 100)),
        "acc_trde_qty": str(bar["volume"]),
        "acc_trde_prica": str(bar["value_krw"] // 10**6),
    }
    of_classes = {
        field: str(0 if investor is None else amounts.get(investor.value, 0)) for field, investor in _CLASSES.items()
    }
    return row | of_classes


def _signed_price(price: int, base: int) -> str:
    """A price with the sign of its distance from ``base``, none where it is the base or nothing traded."""
    sign = "" if price in (0, base) else "+" if price > base else "-"
    return f"{sign}{price}"


def _signed(number: int) -> str:
    return f"{number:+}" if number else "0"


def _figure(value: Any) -> str:
    return "" if value is None else str(value)


def _answer(document: Callable[[Rows], Row], rows: Rows) -> str:
    return json.dumps(
        {**document(rows), "return_code": 0, "return_msg": "정상적으로 처리되었습니다"}, ensure_ascii=False
    )


def _changed(rows: Rows) -> str:
    """A successful answer whose parts have another name and shape."""
    return _answer(lambda rows: {"data": [list(row.values()) for row in rows]}, rows)


def _refused(code: int, message: str, status: int = HTTPStatus.OK) -> Answer:
    return json_answer({"return_code": code, "return_msg": message}, status)
