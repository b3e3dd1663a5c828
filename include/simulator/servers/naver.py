"""Naver's pages and endpoints over HTTP on loopback; all of its hosts in one.

    fchart.stock   GET /sise.nhn?symbol=&timeframe=day&count=&requestType=0       adjusted bars, XML, EUC-KR
    api.finance    GET /siseJson.naver?symbol=&startTime=&endTime=&timeframe=day  the same as a JavaScript literal;
                                                                                  also KOSPI, KOSDAQ, KPI200
    finance        GET /api/sise/etfItemList.nhn                                  all ETFs, JSON in EUC-KR
                   GET /item/main.naver?code=                                     ten positions of a fund, HTML
                   GET /item/frgn.naver?code=&page=                               20 sessions of flows, HTML, EUC-KR
    m.stock        GET /api/stock/{code}/etfAnalysis                              ten positions of a fund, JSON
                   GET /api/stock/{code}/trend?pageSize=&bizdate=                 sessions of flows, newest first, JSON
    polling        GET /api/realtime?query=SERVICE_ITEM:005930,000660             quotes now, JSON in EUC-KR

Pages that show the present show a session's bars from its close and its flows and positions from 18:00. Positions
carry no day of their own: ``returnPerformanceReferenceDate`` of the analysis and 기준 of the page are taken to tell
it. Foreign, bond and futures positions have no code and the weight ``-``. Amounts: ``amonut`` (sic) and ``aa`` in
million won, ``marketSum`` in 100 million won; an index's volume in thousand shares. ``trend`` gives 10 sessions unless
told, 60 at most (400 beyond), before the day ``bizdate``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar

from include.market.calendar import KST, NotASessionError, trading_hours
from include.market.investors import Investor
from include.simulator.servers import parameters
from include.simulator.servers.directions import percent, sign_of, sign_of_bar
from include.simulator.servers.naver_pages import (
    SISE_FIELDS,
    arrow,
    changed_chart_xml,
    changed_page,
    chart_xml,
    foreign_page,
    fund_page,
    json_list,
    link,
    sise_json,
)
from include.simulator.servers.parameters import WrongParameterError
from include.simulator.servers.published import closed, opened, settled
from include.simulator.servers.symbol_rows import adjusted_chart, raw_bar, row_of, rows_of
from include.simulator.servers.web import HTML_TYPE, Answer, Page, Request, Row, Rows, SimulatedServer, View
from include.simulator.world import World

EUC_KR = "cp949"  # what browsers take for the EUC-KR that is declared
_EUC_KR_JSON = "application/json;charset=EUC-KR"
_EUC_KR_HTML = "text/html;charset=EUC-KR"
_PATHS = {
    "/sise.nhn": "sise",
    "/siseJson.naver": "siseJson",
    "/api/sise/etfItemList.nhn": "etfItemList",
    "/item/main.naver": "main",
    "/item/frgn.naver": "frgn",
    "/api/realtime": "realtime",
}
_STOCK_PATH = re.compile(r"/api/stock/([0-9A-Z]{6})/(etfAnalysis|trend)")
_INDICES = {"KOSPI": ("코스피", "KOSPI"), "KOSDAQ": ("코스닥", "KOSDAQ"), "KPI200": ("코스피 200", "KOSPI")}
_SESSIONS_A_PAGE = 20
_TREND_SESSIONS, _MOST_TREND_SESSIONS = "10", 60
# How the app names a sign code (대비부호).
_DIRECTIONS = {
    "1": ("상한", "UPPER_LIMIT"),
    "2": ("상승", "RISING"),
    "3": ("보합", "UNCHANGED"),
    "4": ("하한", "LOWER_LIMIT"),
    "5": ("하락", "FALLING"),
}
_POSITIONS_SHOWN = 10
_SESSIONS_OF_THREE_MONTHS = 61
_NONE = "-"
_BUSINESS_DAY = "%Y.%m.%d"


class NaverServer(SimulatedServer):
    """Serves ``world`` as Naver shows it."""

    name: ClassVar[str] = "naver"

    def __init__(self, world: World, port: int = 0, now: Callable[[], datetime] = lambda: datetime.now(KST)) -> None:
        super().__init__(port, now)
        self._world = world

    def endpoint_of(self, request: Request) -> str | None:
        """The last part of the path, without its suffix."""
        of_stock = _STOCK_PATH.fullmatch(request.path)
        return of_stock[2] if of_stock else _PATHS.get(request.path)

    def answer(self, endpoint: str, request: Request, view: View) -> Page | Answer:
        """The page of ``endpoint``; 400 where a parameter is missing or wrong."""
        params = request.params
        try:
            match endpoint:
                case "sise":
                    return self._chart(parameters.text(params, "symbol"), parameters.number(params, "count"), view)
                case "siseJson":
                    days = parameters.day(params, "startTime"), parameters.day(params, "endTime")
                    return self._sise(parameters.text(params, "symbol"), *days, view)
                case "etfItemList":
                    return self._funds(view)
                case "etfAnalysis":
                    return self._analysis(request.path.split("/")[3], view)
                case "trend":
                    return self._trend(request.path.split("/")[3], params, view)
                case "main":
                    return self._main(parameters.text(params, "code"), view)
                case "frgn":
                    return self._foreign(
                        parameters.text(params, "code"), parameters.number({"page": "1", **params}, "page"), view
                    )
                case _:
                    asked = parameters.text(params, "query").removeprefix("SERVICE_ITEM:")
                    return self._quotes(asked.split(","), view)
        except WrongParameterError as error:
            return self.failure(400, f"missing or wrong parameter {error}")

    def _chart(self, symbol: str, count: int, view: View) -> Page:
        sessions = closed(self._world.sessions, self.now())
        bars = adjusted_chart(self._world, symbol, sessions[-count:] if count else [], view)
        return Page(
            [{"data": f"{label:%Y%m%d}"} | _prices(bar) for label, bar in bars],
            partial(chart_xml, symbol, self._name(symbol, sessions), sessions[0] if sessions else None),
            changed_chart_xml,
            renamed=("data", "values"),
            dropped="volume",
            measures=("open", "high", "low", "close", "volume"),
            symbol=symbol,
            content_type="text/xml;charset=EUC-KR",
            encoding=EUC_KR,
        )

    def _sise(self, symbol: str, first: date, last: date, view: View) -> Page:
        sessions = closed(self._world.sessions, self.now())
        bars = self._index_bars if symbol in _INDICES else self._adjusted_bars
        return Page(
            [
                dict(zip(SISE_FIELDS, (f"{label:%Y%m%d}", *values), strict=True))
                for label, values in bars(symbol, sessions, first, last, view)
            ],
            sise_json,
            json_list,
            renamed=("종가", "현재가"),
            dropped="거래량",
            measures=SISE_FIELDS[1:6],
            symbol=symbol,
            content_type="text/plain;charset=UTF-8",
        )

    def _adjusted_bars(
        self, symbol: str, sessions: Sequence[date], first: date, last: date, view: View
    ) -> list[tuple[date, tuple[Any, ...]]]:
        bars = adjusted_chart(self._world, symbol, [day for day in sessions if day >= first], view)
        asked = [(label, bar) for label, bar in bars if first <= label <= last]
        return [(label, (*_prices(bar).values(), self._foreign_share(symbol, label))) for label, bar in asked]

    def _foreign_share(self, symbol: str, session: date) -> Decimal:
        held = row_of(self._world, "foreign_holding", symbol, session)
        return Decimal("0.0") if held is None else held["foreign_pct"]

    def _index_bars(
        self, symbol: str, sessions: Sequence[date], first: date, last: date, view: View
    ) -> list[tuple[date, tuple[Any, ...]]]:
        name, family = _INDICES[symbol]
        return [
            (view.label_of(session), (bar["open"], bar["high"], bar["low"], bar["close"], bar["volume"] // 1000, 0.0))
            for session in sessions
            if first <= session <= last
            for bar in rows_of(self._world, "index_bar", name, view.figures_of(session))
            if bar["family"] == family
        ]

    def _funds(self, view: View) -> Page:
        sessions = closed(self._world.sessions, self.now())
        bars = self._product_bars(view.figures_of(sessions[-1])) if sessions else []
        before = sessions[-_SESSIONS_OF_THREE_MONTHS] if len(sessions) >= _SESSIONS_OF_THREE_MONTHS else None
        funds = [self._fund(bar, before) for bar in bars if bar["kind"] == "ETF"]
        return Page(
            sorted(funds, key=lambda fund: (-int(fund["marketSum"]), fund["itemcode"])),
            partial(_json, lambda rows: {"resultCode": "success", "result": {"etfItemList": rows}}),
            json_list,
            renamed=("itemcode", "itemCode"),
            dropped="itemcode",
            measures=("nowVal", "changeVal", "quant", "amonut", "marketSum"),
            content_type=_EUC_KR_JSON,
            encoding=EUC_KR,
        )

    def _product_bars(self, session: date) -> list[Row]:
        try:
            bars: list[Row] = self._world.table("etp_daily_bar", session).to_pylist()
        except NotASessionError:
            return []
        return bars

    def _fund(self, bar: Row, three_months_ago: date | None) -> Row:
        past = (
            None if three_months_ago is None else row_of(self._world, "etp_daily_bar", bar["symbol"], three_months_ago)
        )
        return {
            "itemcode": bar["symbol"],
            "etfTabCode": 3 if "인버스" in bar["name"] or "레버리지" in bar["name"] else 1,
            "itemname": bar["name"],
            "nowVal": bar["close"],
            "risefall": sign_of(bar["change"]),
            "changeVal": bar["change"],
            "changeRate": float(percent(bar["change"], bar["base_price"])),
            "nav": None if bar["nav"] is None else float(bar["nav"]),
            "threeMonthEarnRate": None if not past else round((bar["close"] / past["close"] - 1) * 100, 4),
            "quant": bar["volume"],
            "amonut": bar["value_krw"] // 10**6,
            "marketSum": bar["market_cap_krw"] // 10**8,
        }

    def _analysis(self, symbol: str, view: View) -> Page:
        label, positions = self._positions(symbol, view)
        bar = None if label is None else row_of(self._world, "etp_daily_bar", symbol, label)
        rows = [
            {
                "seq": place,
                "itemCode": position["component"] if position["kind"] == "stock" else "",
                "itemName": position["name"],
                "stockCount": _count(position["shares"]),
                "etfWeight": _weight(position),
            }
            for place, position in enumerate(positions, start=1)
        ]
        return Page(
            rows,
            partial(_json, partial(_analysis, symbol, label, bar)),
            json_list,
            renamed=("etfWeight", "weight"),
            dropped="stockCount",
            symbol=symbol,
        )

    def _main(self, symbol: str, view: View) -> Page:
        label, positions = self._positions(symbol, view)
        rows = []
        for position in positions:
            code = position["component"] if position["kind"] == "stock" else ""
            price = None if label is None or not code else raw_bar(self._world, code, view.figures_of(label))
            quoted = (_NONE, _NONE, _NONE)
            if price is not None:
                rate = percent(price["change"], price["base_price"])
                quoted = (f"{price['close']:,}", arrow(price["change"]), f"{rate:+}%")
            rows.append(
                {
                    "구성종목(구성자산)": link(code, position["name"]) if code else position["name"],
                    "주식수(계약수)": _count(position["shares"]),
                    "구성비중": _weight(position),
                    "시세": quoted[0],
                    "전일비": quoted[1],
                    "등락률": quoted[2],
                }
            )
        return Page(
            rows,
            partial(fund_page, symbol, label),
            partial(changed_page, "utf-8"),
            renamed=("구성비중", "비중"),
            dropped="주식수(계약수)",
            symbol=symbol,
            content_type=HTML_TYPE,
        )

    def _positions(self, fund: str, view: View) -> tuple[date | None, list[Row]]:
        """The day the positions are shown for, and the largest of them."""
        sessions = settled(self._world.sessions, self.now())
        if not sessions:
            return None, []
        positions = rows_of(self._world, "etf_holding", fund, view.figures_of(sessions[-1]))
        largest = sorted(positions, key=lambda position: (-abs(position["value_krw"] or 0), position["position"]))
        return view.label_of(sessions[-1]), largest[:_POSITIONS_SHOWN]

    def _foreign(self, symbol: str, page: int, view: View) -> Page:
        newest_first = settled(self._world.sessions, self.now())[::-1]
        sessions = newest_first[(page - 1) * _SESSIONS_A_PAGE : page * _SESSIONS_A_PAGE]
        shown = ((view.label_of(session), self._foreign_row(symbol, view.figures_of(session))) for session in sessions)
        return Page(
            [{"날짜": f"{label:{_BUSINESS_DAY}}"} | row for label, row in shown if row is not None],
            partial(foreign_page, symbol),
            partial(changed_page, "euc-kr"),
            renamed=("외국인 보유주수", "외국인 보유수량"),
            dropped="거래량",
            symbol=symbol,
            content_type=_EUC_KR_HTML,
            encoding=EUC_KR,
        )

    def _foreign_row(self, symbol: str, session: date) -> Row | None:
        bar = raw_bar(self._world, symbol, session)
        held = row_of(self._world, "foreign_holding", symbol, session)
        if bar is None or held is None:
            return None
        nets = self._nets(symbol, session)
        return {
            "종가": f"{bar['close']:,}",
            "전일비": arrow(bar["change"]),
            "등락률": f"{percent(bar['change'], bar['base_price']):+}%",
            "거래량": f"{bar['volume']:,}",
            "기관 순매매량": nets[Investor.INSTITUTION],
            "외국인 순매매량": nets[Investor.FOREIGN],
            "외국인 보유주수": f"{held['foreign_shares']:,}",
            "외국인 보유율": f"{held['foreign_pct']}%",
        }

    def _trend(self, symbol: str, params: Mapping[str, str], view: View) -> Page:
        size = parameters.number({"pageSize": _TREND_SESSIONS, **params}, "pageSize")
        if not 1 <= size <= _MOST_TREND_SESSIONS:
            raise WrongParameterError("pageSize")
        before = parameters.day(params, "bizdate") if "bizdate" in params else date.max
        sessions = [day for day in settled(self._world.sessions, self.now()) if day < before][: -size - 1 : -1]
        shown = ((view.label_of(session), self._trend_row(symbol, view.figures_of(session))) for session in sessions)
        return Page(
            [{"itemCode": symbol, "bizdate": f"{label:%Y%m%d}"} | row for label, row in shown if row is not None],
            partial(_json, list),
            json_list,
            renamed=("organPureBuyQuant", "institutionPureBuyQuant"),
            dropped="foreignerPureBuyQuant",
            symbol=symbol,
        )

    def _trend_row(self, symbol: str, session: date) -> Row | None:
        bar = raw_bar(self._world, symbol, session)
        held = row_of(self._world, "foreign_holding", symbol, session)
        if bar is None or held is None:
            return None
        nets = self._nets(symbol, session)
        sign = sign_of_bar(bar)
        text, name = _DIRECTIONS[sign]
        return {
            "foreignerPureBuyQuant": nets[Investor.FOREIGN],
            "foreignerHoldRatio": f"{held['foreign_pct']}%",
            "organPureBuyQuant": nets[Investor.INSTITUTION],
            "individualPureBuyQuant": nets[Investor.INDIVIDUAL],
            "closePrice": f"{bar['close']:,}",
            "compareToPreviousClosePrice": f"{bar['change']:,}",
            "compareToPreviousPrice": {"code": sign, "text": text, "name": name},
            "accumulatedTradingVolume": f"{bar['volume']:,}",
        }

    def _nets(self, symbol: str, session: date) -> dict[Investor, str]:
        """What each class of investors bought net, in shares, as the site writes it; 0 where it did not trade."""
        flows = rows_of(self._world, "investor_flow", symbol, session)
        nets = {flow["investor"]: flow["net_shares"] for flow in flows}
        return {investor: _signed(nets.get(investor.value, 0)) for investor in Investor}

    def _quotes(self, symbols: Sequence[str], view: View) -> Page:
        now = self.now()
        sessions = opened(self._world.sessions, now)
        if not sessions or view.figures_of(sessions[-1]) < self._world.sessions[0]:
            return self._quote_page([], now)
        session, label = view.figures_of(sessions[-1]), view.label_of(sessions[-1])
        quotes = self._world.quotes(session, now, symbols).to_pylist()
        status = "OPEN" if now < trading_hours(session).close else "CLOSE"
        shown_at = min(now, trading_hours(label).close)
        return self._quote_page([self._quote(quote, session, status) for quote in quotes], shown_at)

    def _quote(self, quote: Row, session: date, status: str) -> Row:
        base = quote["price"] - quote["change"]
        bar = raw_bar(self._world, quote["symbol"], session)
        return {
            "cd": quote["symbol"],
            "nm": "" if bar is None else bar["name"],
            "nv": quote["price"],
            "cv": quote["change"],
            "cr": float(percent(quote["change"], base)),
            "rf": sign_of(quote["change"]),
            "pcv": base,
            "ov": quote["open"],
            "hv": quote["high"],
            "lv": quote["low"],
            "aq": quote["volume"],
            "aa": (quote["value_krw"] or 0) // 10**6,
            "ms": status,
        }

    def _quote_page(self, rows: Rows, shown_at: datetime) -> Page:
        def answer(quotes: Rows) -> dict[str, Any]:
            area = {"name": "SERVICE_ITEM", "datas": quotes}
            time = int(shown_at.timestamp() * 1000)
            return {"resultCode": "success", "result": {"pollingInterval": 70000, "areas": [area], "time": time}}

        return Page(
            rows,
            partial(_json, answer),
            json_list,
            renamed=("nv", "price"),
            dropped="aq",
            measures=("nv", "cv", "ov", "hv", "lv", "aq"),
            content_type=_EUC_KR_JSON,
            encoding=EUC_KR,
        )

    def _name(self, symbol: str, sessions: Sequence[date]) -> str:
        bar = raw_bar(self._world, symbol, sessions[-1]) if sessions else None
        return "" if bar is None else str(bar["name"])


def _analysis(symbol: str, day: date | None, bar: Row | None, positions: Rows) -> dict[str, Any]:
    """What surrounds the positions, as far as a reader could need it."""
    reference = None if day is None else f"{day:{_BUSINESS_DAY}}"
    return {
        "itemCode": symbol,
        "itemName": None if bar is None else bar["name"],
        "etfBaseIndex": None if bar is None else bar["underlying_index"],
        "nav": None if bar is None or bar["nav"] is None else float(bar["nav"]),
        "returnPerformanceReferenceDate": reference,
        "navPerformanceReferenceDate": reference,
        "etfTop10MajorConstituentAssets": list(positions),
    }


def _json(document: Callable[[Rows], Any], rows: Rows) -> str:
    return json.dumps(document(rows), ensure_ascii=False)


def _prices(bar: Row) -> Row:
    return {name: bar[name] for name in ("open", "high", "low", "close", "volume")}


def _count(shares: Decimal | None) -> str:
    if shares is None:
        return _NONE
    return f"{int(shares):,}" if shares == int(shares) else f"{shares:,}"


def _weight(position: Row) -> str:
    weight = position["weight_pct"]
    return _NONE if position["kind"] == "other" or weight is None else f"{weight:.2f}%"


def _signed(shares: int) -> str:
    return f"{shares:+,}" if shares else "0"
