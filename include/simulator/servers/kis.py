"""Korea Investment & Securities' REST service over HTTP on loopback, for one key of one environment.

    POST /oauth2/tokenP                                                        tokenP
    GET  /uapi/domestic-stock/v1/quotations/inquire-price                      FHKST01010100
    GET  /uapi/domestic-stock/v1/quotations/inquire-daily-itemchartprice       FHKST03010100
    GET  /uapi/domestic-stock/v1/quotations/inquire-investor                   FHKST01010900
    GET  /uapi/domestic-stock/v1/ksdinfo/dividend                              HHKDB669102C0

Endpoints are named by their transactions (``tr_id``). Refusals as at the real service: 403 and EGW00133 for a second
token within a minute; 500 with EGW00121 (no good token), EGW00123 (token ended) or EGW00201 (more than 18 calls a
second, in the mock environment more than one). Real and mock have keys and tokens of their own.

Quotes are of the moment, charts hold the last hundred sessions asked for that have closed (``FID_ORG_ADJ_PRC`` 0
adjusted, 1 as traded), flows the last thirty; the figures of a session that is over and not settled yet (18:00) are
empty. Foreigners are those of the exchange's class 9000 alone. Won, but net and gross values of flows in millions;
``hts_avls`` in 100 million. The dividend schedule pads numbers and dates them ``YYYY/MM/DD``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar

from include.market.calendar import NotASessionError, next_session
from include.market.investors import Investor
from include.simulator.servers import parameters
from include.simulator.servers.broker import BrokerServer
from include.simulator.servers.broker_tokens import (
    TOKEN_LIFE,
    BrokerEnvironment,
    BrokerLimits,
    TokenState,
    TooManyTokensError,
    bearer,
)
from include.simulator.servers.directions import percent, sign_of, sign_of_bar
from include.simulator.servers.parameters import WrongParameterError
from include.simulator.servers.published import closed, opened, settled
from include.simulator.servers.symbol_rows import raw_bar, row_of, rows_of
from include.simulator.servers.web import Answer, Page, Request, Row, Rows, View, json_answer

_TOKEN = "tokenP"  # noqa: S105 - an endpoint
_PRICE, _CHART, _INVESTORS, _DIVIDENDS = "FHKST01010100", "FHKST03010100", "FHKST01010900", "HHKDB669102C0"
_QUOTATIONS = "/uapi/domestic-stock/v1/quotations"
_PATHS = {
    "/oauth2/tokenP": _TOKEN,
    f"{_QUOTATIONS}/inquire-price": _PRICE,
    f"{_QUOTATIONS}/inquire-daily-itemchartprice": _CHART,
    f"{_QUOTATIONS}/inquire-investor": _INVESTORS,
    "/uapi/domestic-stock/v1/ksdinfo/dividend": _DIVIDENDS,
}
SECONDS_BETWEEN_TOKENS = 60.0
LIMITS = {
    BrokerEnvironment.REAL: BrokerLimits(18, SECONDS_BETWEEN_TOKENS),
    BrokerEnvironment.MOCK: BrokerLimits(1, SECONDS_BETWEEN_TOKENS),
}
_BARS_AT_ONCE = 100
_SESSIONS_OF_FLOWS = 30
_DIVIDENDS_AT_ONCE = 100
_CLASSES = {"prsn": Investor.INDIVIDUAL, "frgn": Investor.FOREIGN, "orgn": Investor.INSTITUTION}
# What follows the class in a field's name: the column of the dataset, and its units in one of the field's.
_FLOW_FIELDS = {
    "ntby_qty": ("net_shares", 1),
    "shnu_vol": ("buy_shares", 1),
    "seln_vol": ("sell_shares", 1),
    "ntby_tr_pbmn": ("net_krw", 10**6),
    "shnu_tr_pbmn": ("buy_krw", 10**6),
    "seln_tr_pbmn": ("sell_krw", 10**6),
}


class KisServer(BrokerServer):
    """Serves ``world`` to the holder of one key of KIS."""

    name: ClassVar[str] = "kis"
    entry_endpoints: ClassVar[frozenset[str]] = frozenset({_TOKEN})
    secret_params: ClassVar[frozenset[str]] = frozenset({"appkey", "appsecret"})
    limits_of: ClassVar = LIMITS
    one_token: ClassVar[bool] = False

    def endpoint_of(self, request: Request) -> str | None:
        """The transaction of the path."""
        return _PATHS.get(request.path)

    def refusal(self, endpoint: str, request: Request) -> Answer | None:
        """Keys first, then the token, the transaction, and how many calls there were."""
        if endpoint == _TOKEN:
            return None
        if (request.headers.get("appkey"), request.headers.get("appsecret")) != self._key:
            return _refused(403, "EGW00103", "유효하지 않은 AppKey입니다.")
        match self.tokens.state(bearer(request.headers.get("authorization"))):
            case TokenState.EXPIRED:
                return _refused(500, "EGW00123", "기간이 만료된 token 입니다.")
            case TokenState.UNKNOWN | TokenState.OTHER_ENVIRONMENT:
                return _refused(500, "EGW00121", "유효하지 않은 token 입니다.")
        if not self._gate.admits(""):
            return _refused(500, "EGW00201", "초당 거래건수를 초과하였습니다.")
        if request.headers.get("tr_id") != endpoint:
            return _failed("OPSQ0002", f"없는 서비스 코드 입니다 : {request.headers.get('tr_id')}")
        return None

    def failure(self, status: int, message: str) -> Answer:
        """An error as the gateway writes it."""
        return _refused(status, "EGW00000", message)

    def logged_out(self) -> Answer:
        """The token is no longer good."""
        return _refused(401, "EGW00121", "유효하지 않은 token 입니다.")

    def answer(self, endpoint: str, request: Request, view: View) -> Page | Answer:
        """The page of ``endpoint``; a failure where a parameter is missing or wrong."""
        params = request.params
        try:
            match endpoint:
                case "tokenP":
                    return self._token(params)
                case "FHKST01010100":
                    return self._price(parameters.text(params, "FID_INPUT_ISCD"), view)
                case "FHKST03010100":
                    days = parameters.day(params, "FID_INPUT_DATE_1"), parameters.day(params, "FID_INPUT_DATE_2")
                    adjusted = parameters.text(params, "FID_ORG_ADJ_PRC") == "0"
                    return self._chart(parameters.text(params, "FID_INPUT_ISCD"), *days, adjusted, view)
                case "FHKST01010900":
                    return self._investors(parameters.text(params, "FID_INPUT_ISCD"), view)
                case _:
                    days = parameters.day(params, "F_DT"), parameters.day(params, "T_DT")
                    return self._dividends(parameters.text(params, "SHT_CD"), *days, view)
        except WrongParameterError as error:
            return _failed("OPSQ2001", f"ERROR INVALID {error}")

    def _token(self, params: Mapping[str, str]) -> Answer:
        if (params.get("appkey"), params.get("appsecret")) != self._key:
            return _no_token("EGW00103", "유효하지 않은 AppKey입니다.")
        try:
            token = self.tokens.issue()
        except TooManyTokensError:
            return _no_token("EGW00133", "접근토큰 발급 잠시 후 다시 시도하세요(1분당 1회)")
        return json_answer(
            {
                "access_token": token.text,
                "access_token_token_expired": f"{token.expires:%Y-%m-%d %H:%M:%S}",
                "token_type": "Bearer",
                "expires_in": int(TOKEN_LIFE.total_seconds()),
            }
        )

    def _price(self, symbol: str, view: View) -> Page:
        sessions = opened(self._world.sessions, self.now())
        session = view.figures_of(sessions[-1]) if sessions else None
        output = None if session is None else self._issue(symbol, session)
        return Page(
            [] if output is None else [output],
            partial(_answer, lambda rows: {"output": rows[0] if rows else {}}),
            _changed,
            renamed=("stck_prpr", "prpr"),
            dropped="acml_vol",
            measures=("stck_prpr", "prdy_vrss", "acml_vol", "stck_oprc", "stck_hgpr", "stck_lwpr", "lstn_stcn"),
            symbol=symbol,
        )

    def _issue(self, symbol: str, session: date) -> Row | None:
        """Everything about an issue at this moment, if ``session`` is the current one, or at its close."""
        bar = raw_bar(self._world, symbol, session)
        if bar is None:
            return None
        [quote] = self._world.quotes(session, self.now(), [symbol]).to_pylist()
        known = settled(self._world.sessions, self.now())
        latest = session if session in known else known[-1] if known else None
        held = None if latest is None else row_of(self._world, "foreign_holding", symbol, latest)
        figures = None if latest is None else row_of(self._world, "fundamental", symbol, latest)
        base = quote["price"] - quote["change"]
        return {
            "stck_shrn_iscd": symbol,
            "rprs_mrkt_kor_name": bar["market"],
            "iscd_stat_cls_code": "58" if bar["halted"] else "55",
            "temp_stop_yn": "N",
            "stck_prpr": str(quote["price"]),
            "prdy_vrss": str(quote["change"]),
            "prdy_vrss_sign": sign_of(quote["change"]),
            "prdy_ctrt": str(percent(quote["change"], base)),
            "acml_tr_pbmn": str(quote["value_krw"]),
            "acml_vol": str(quote["volume"]),
            "stck_oprc": str(quote["open"]),
            "stck_hgpr": str(quote["high"]),
            "stck_lwpr": str(quote["low"]),
            "stck_sdpr": str(base),
            "lstn_stcn": str(bar["listed_shares"]),
            "hts_avls": str(quote["price"] * bar["listed_shares"] // 10**8),
            "frgn_hldn_qty": str(held["foreign_shares"]) if held else "0",
            "hts_frgn_ehrt": str(held["limit_used_pct"]) if held else "0.00",
            **_valuation(figures),
        }

    def _chart(self, symbol: str, first: date, last: date, adjusted: bool, view: View) -> Page:
        sessions = closed(self._world.sessions, self.now())
        asked = [session for session in sessions if first <= session <= last][-_BARS_AT_ONCE:]
        bars = self._charted(symbol, asked, adjusted, view)
        latest = raw_bar(self._world, symbol, sessions[-1]) if sessions else None
        return Page(
            [_bar_row(*bar) for bar in reversed(bars)],
            partial(_answer, partial(_chart_answer, symbol, latest)),
            _changed,
            renamed=("stck_clpr", "clpr"),
            dropped="acml_vol",
            measures=("stck_clpr", "stck_oprc", "stck_hgpr", "stck_lwpr", "acml_vol", "acml_tr_pbmn", "prdy_vrss"),
            symbol=symbol,
        )

    def _investors(self, symbol: str, view: View) -> Page:
        newest_first = closed(self._world.sessions, self.now())[: -_SESSIONS_OF_FLOWS - 1 : -1]
        known = settled(self._world.sessions, self.now())
        settled_until = known[-1] if known else date.min
        rows = []
        for session in newest_first:
            figures = view.figures_of(session)
            bar = raw_bar(self._world, symbol, figures)
            if bar is not None:
                flows = rows_of(self._world, "investor_flow", symbol, figures)
                rows.append(_flow_row(view.label_of(session), bar, flows if session <= settled_until else None))
        return Page(
            rows,
            partial(_answer, lambda rows: {"output": list(rows)}),
            _changed,
            renamed=("frgn_ntby_qty", "frgn_qty"),
            dropped="orgn_ntby_qty",
            measures=[f"{prefix}_{field}" for prefix in _CLASSES for field in _FLOW_FIELDS],
            symbol=symbol,
        )

    def _dividends(self, symbol: str, first: date, last: date, view: View) -> Page:
        """Dividends of ``symbol``, or of all where it is empty, by record date: the session after the ex-session."""
        ex_sessions = [
            session for session in opened(self._world.sessions, self.now()) if first <= next_session(session) <= last
        ]
        rows = [
            self._dividend(dividend, next_session(view.label_of(session)))
            for session in ex_sessions
            for dividend in self._ex_dividends(symbol, view.figures_of(session))
        ]
        return Page(
            rows[:_DIVIDENDS_AT_ONCE],
            partial(_answer, lambda rows: {"output1": list(rows)}),
            _changed,
            renamed=("per_sto_divi_amt", "divi_amt"),
            dropped="record_date",
            measures=("per_sto_divi_amt",),
            symbol=symbol or None,
        )

    def _dividend(self, dividend: Row, record_date: date) -> Row:
        instrument = row_of(self._world, "instrument", dividend["symbol"], dividend["session"])
        return _dividend_row(record_date, dividend, instrument)

    def _ex_dividends(self, symbol: str, session: date) -> list[Row]:
        if symbol:
            return rows_of(self._world, "dividend", symbol, session)
        try:
            rows: list[Row] = self._world.table("dividend", session).to_pylist()
        except NotASessionError:
            return []
        return rows


def _chart_answer(symbol: str, latest: Row | None, rows: Rows) -> dict[str, Any]:
    """The issue as of its latest session, and the bars."""
    if latest is None:
        return {"output1": {}, "output2": list(rows)}
    issue = {
        "prdy_vrss": str(latest["change"]),
        "prdy_vrss_sign": sign_of(latest["change"]),
        "prdy_ctrt": str(percent(latest["change"], latest["base_price"])),
        "acml_vol": str(latest["volume"]),
        "acml_tr_pbmn": str(latest["value_krw"]),
        "hts_kor_isnm": latest["name"],
        "stck_prpr": str(latest["close"]),
        "stck_shrn_iscd": symbol,
        "stck_oprc": str(latest["open"]),
        "stck_hgpr": str(latest["high"]),
        "stck_lwpr": str(latest["low"]),
        "lstn_stcn": str(latest["listed_shares"]),
        "hts_avls": str(latest["market_cap_krw"] // 10**8),
    }
    return {"output1": issue, "output2": list(rows)}


def _bar_row(label: date, bar: Row, prices: Row) -> Row:
    """``prices`` and their volume may be adjusted; the rest is as traded."""
    return {
        "stck_bsop_date": f"{label:%Y%m%d}",
        "stck_clpr": str(prices["close"]),
        "stck_oprc": str(prices["open"]),
        "stck_hgpr": str(prices["high"]),
        "stck_lwpr": str(prices["low"]),
        "acml_vol": str(prices["volume"]),
        "acml_tr_pbmn": str(bar["value_krw"]),
        "flng_cls_code": "00",
        "prtt_rate": "0.00",
        "mod_yn": "N",
        "prdy_vrss_sign": sign_of_bar(bar),
        "prdy_vrss": str(bar["change"]),
        "revl_issu_reas": "",
    }


def _flow_row(label: date, bar: Row, flows: list[Row] | None) -> Row:
    """A session's flows; empty texts where they are None: not settled yet."""
    row = {
        "stck_bsop_date": f"{label:%Y%m%d}",
        "stck_clpr": str(bar["close"]),
        "prdy_vrss": str(bar["change"]),
        "prdy_vrss_sign": sign_of_bar(bar),
    }
    by_class = {flow["investor"]: flow for flow in flows or []}
    for field, (column, unit) in _FLOW_FIELDS.items():
        for prefix, investor in _CLASSES.items():
            flow = by_class.get(investor.value)
            amount = 0 if flow is None else round(flow[column] / unit)
            row[f"{prefix}_{field}"] = "" if flows is None else str(amount)
    return row


def _dividend_row(record_date: date, dividend: Row, instrument: Row | None) -> Row:
    amount, paid_on = dividend["amount_krw"].normalize(), dividend["paid_on"]
    par = Decimal(0) if instrument is None else instrument["par_value"] or Decimal(0)
    return {
        "record_date": f"{record_date:%Y%m%d}",
        "sht_cd": dividend["symbol"],
        "isin_name": "" if instrument is None else instrument["name"],
        "divi_kind": "결산" if record_date.month == 12 else "분기",
        "face_val": f"{par.normalize():09f}",
        "per_sto_divi_amt": f"{amount:012f}",
        "divi_rate": f"{100 * amount / par if par else par:6.2f}",
        "stk_divi_rate": "  0.00",
        "divi_pay_dt": "" if paid_on is None else f"{paid_on:%Y/%m/%d}",
        "stk_div_pay_dt": "",
        "odd_pay_dt": "",
        "stk_kind": "보통",
        "high_divi_gb": "",
    }


def _valuation(figures: Row | None) -> Row:
    """Ratios, zero where there is none."""
    per_share = {"eps": "eps_krw", "bps": "bps_krw"}
    ratios = {"per": "per", "pbr": "pbr"}
    known = figures or {}
    return {field: f"{known.get(column) or 0:.2f}" for field, column in (per_share | ratios).items()}


def _answer(outputs: Callable[[Rows], dict[str, Any]], rows: Rows) -> str:
    return json.dumps(
        {**outputs(rows), "rt_cd": "0", "msg_cd": "MCA00000", "msg1": "정상처리 되었습니다."}, ensure_ascii=False
    )


def _changed(rows: Rows) -> str:
    """A successful answer whose parts have another name and shape."""
    return _answer(lambda rows: {"data": [list(row.values()) for row in rows]}, rows)


def _refused(status: int, code: str, message: str) -> Answer:
    return json_answer({"rt_cd": "1", "msg_cd": code, "msg1": message}, status)


def _failed(code: str, message: str) -> Answer:
    return json_answer({"rt_cd": "2", "msg_cd": code, "msg1": message})


def _no_token(code: str, message: str) -> Answer:
    return json_answer({"error_code": code, "error_description": message}, 403)
