"""Lists of the portal that are of today whatever is asked: issues, finders; delistings; and a fund's portfolio.

Formats as recorded in 2026 (01901, 04601, 05001, the finders), else as pykrx 1.2 documents them (06701, 08501) or
other readers of the portal use them (23801).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from include.market.symbols import Market
from include.simulator.servers.krx_masters import NO_PAR_VALUE, PRODUCTS, par_value, security_group, stock_type
from include.simulator.servers.krx_portal_query import Query, Statistic
from include.simulator.servers.krx_text import NO_VALUE, Row, column, grouped, records, texts
from include.simulator.world import World

_MARKET_NAMES = {"STK": "유가증권", "KSQ": "코스닥", "KNX": "코넥스"}
_ENGLISH_MARKET_NAMES = {"STK": "KOSPI", "KSQ": "KOSDAQ", "KNX": "KONEX"}
_TWO_PLACES = Decimal("0.01")


def _stock_masters(query: Query) -> list[Row]:
    issues = _latest_stocks(query)
    if issues is None:
        return []
    return records(
        {
            "ISU_CD": texts(issues["isin"].to_pylist()),
            "ISU_SRT_CD": column(issues, "symbol"),
            **_names(issues),
            "MKT_TP_NM": column(issues, "market"),
            "SECUGRP_NM": column(issues, "kind", security_group),
            "SECT_TP_NM": column(issues, "section"),
            "KIND_STKCERT_TP_NM": column(issues, "kind", stock_type),
            "PARVAL": [_par_value(value) for value in issues["par_value"].to_pylist()],
            "LIST_SHRS": column(issues, "listed_shares", grouped),
        }
    )


def _etf_masters(query: Query) -> list[Row]:
    issues, indices = _latest_products(query, "etf")
    count = len(issues)
    return records(
        {
            "ISU_CD": texts(issues["isin"].to_pylist()),
            "ISU_SRT_CD": column(issues, "symbol"),
            **_names(issues),
            "ETF_OBJ_IDX_NM": indices,
            "IDX_CALC_INST_NM1": ["KRX"] * count,
            "IDX_CALC_INST_NM2": ["일반"] * count,
            "ETF_REPLICA_METHD_TP_CD": ["실물(패시브)"] * count,
            "IDX_MKT_CLSS_NM": ["국내"] * count,
            "IDX_ASST_CLSS_NM": ["주식"] * count,
            "LIST_SHRS": column(issues, "listed_shares", grouped),
            "COM_ABBRV": ["모의자산운용"] * count,
            "CU_QTY": ["50,000"] * count,
            "ETF_TOT_FEE": ["0.150000"] * count,
            "TAX_TP_CD": ["비과세"] * count,
        }
    )


def _etn_masters(query: Query) -> list[Row]:
    issues, indices = _latest_products(query, "etn")
    count = len(issues)
    names = _names(issues)
    return records(
        {
            "ISU_CD": texts(issues["isin"].to_pylist()),
            "ISU_SRT_CD": column(issues, "symbol"),
            **names,
            "LSTTRD_DD": [f"{int(day[:4]) + 10}{day[4:]}" if day else "" for day in names["LIST_DD"]],
            "TRACE_IDX_NM": indices,
            "IDX_CALC_INST_NM": ["KRX"] * count,
            "IDX_LVRG_INVRS_TP_CD": ["일반"] * count,
            "ETP_PROD_TP_CD": ["ETN"] * count,
            "IDX_MKT_CLSS_NM": ["국내"] * count,
            "IDX_ASST_CLSS_NM": ["주식"] * count,
            "LIST_SHRS": column(issues, "listed_shares", grouped),
            "ISUR_NM": ["모의증권"] * count,
            "EXPS_RTO": ["0.80"] * count,
            "TAX_TP_CD": ["비과세"] * count,
        }
    )


def _stock_finder(query: Query) -> list[Row]:
    issues = _latest_stocks(query)
    if issues is None:
        return []
    ids = column(issues, "market", lambda market: Market(market).market_id)
    return [
        {
            "full_code": isin,
            "short_code": symbol,
            "codeName": name,
            "marketCode": market,
            "marketName": _MARKET_NAMES[market],
            "marketEngName": _ENGLISH_MARKET_NAMES[market],
            "ord1": "",
            "ord2": "16",
        }
        for isin, symbol, name, market in zip(
            texts(issues["isin"].to_pylist()), column(issues, "symbol"), column(issues, "name"), ids, strict=True
        )
    ]


def _delisted_finder(query: Query) -> list[Row]:
    rows = []
    for table, isins in _delistings(query, date.min, date.max):
        for issue in query.of_market(table).to_pylist():
            market = Market(issue["market"]).market_id
            rows.append(
                {
                    "full_code": isins[issue["symbol"]],
                    "short_code": issue["symbol"],
                    "codeName": issue["name"],
                    "marketCode": market,
                    "marketName": _MARKET_NAMES[market],
                    "ord1": "",
                    "ord2": "16",
                }
            )
    return rows


def _delisted(query: Query) -> list[Row]:
    """Delistings from ``strtDd`` to ``endDd``, the newest first."""
    rows = []
    for table, _ in _delistings(query, query.day("strtDd"), query.day("endDd")):
        for issue in query.of_market(table).to_pylist():
            rows.append(
                {
                    "ISU_CD": issue["symbol"],
                    "ISU_NM": issue["name"],
                    "MKT_NM": issue["market"],
                    "SECUGRP_NM": issue["security_group"],
                    "KIND_STKCERT_TP_NM": "보통주",
                    "LIST_DD": f"{issue['listed_on']:%Y/%m/%d}" if issue["listed_on"] else "",
                    "DELIST_DD": f"{issue['session']:%Y/%m/%d}",
                    "DELIST_RSN_DSC": issue["reason"],
                    "ARRANTRD_MKTACT_ENFORCE_DD": "",
                    "ARRANTRD_END_DD": "",
                    "IDX_IND_NM": "",
                    "PARVAL": "500",
                    "LIST_SHRS": "1,000,000",
                    "TO_ISU_SRT_CD": issue["successor_symbol"] or "",
                    "TO_ISU_ABBRV": "",
                }
            )
    return rows[::-1]


def _portfolio(query: Query) -> list[Row]:
    """The positions of a fund; nothing on a closed day."""
    day = query.trading_day()
    if day is None or day.closed:
        return []
    positions = query.world.rows("etf_holding", query.symbol(), day.session)
    isins = query.isins(day.session)
    stocks = _stocks(query.world, day.session)
    rows = []
    for position in positions.to_pylist():
        component = position["component"]
        stock = stocks.get(component)
        shares, value, weight = position["shares"], position["value_krw"], position["weight_pct"]
        rows.append(
            {
                "COMPST_ISU_CD": component,
                "COMPST_ISU_CD2": isins.get(component) or component,
                "MKT_ID": Market(stock["market"]).market_id if stock else "",
                "SECUGRP_ID": "ST" if stock else "",
                "COMPST_ISU_NM": position["name"],
                "COMPST_ISU_CU1_SHRS": grouped(shares),
                # Valued at the base price of the day; the amount beside it at the close.
                "VALU_AMT": grouped(int(shares * stock["base_price"])) if stock and shares is not None else NO_VALUE,
                "COMPST_AMT": grouped(value),
                "COMPST_RTO": grouped(None if weight is None else weight.quantize(_TWO_PLACES)),
            }
        )
    return rows


@lru_cache(maxsize=4)
def _stocks(world: World, session: date) -> Mapping[str, Mapping[str, Any]]:
    """Market and base price of each stock; a portfolio is asked for some hundred times per session."""
    bars = world.table("daily_bar", session).select(["symbol", "market", "base_price"])
    return {row["symbol"]: row for row in bars.to_pylist()}


def _latest_stocks(query: Query) -> pa.Table | None:
    session = query.latest_session()
    if session is None:
        return None
    issues = query.of_market(query.world.table("instrument", session))
    return issues.filter(pc.invert(pc.is_in(issues["kind"], pa.array(sorted(PRODUCTS)))))


def _latest_products(query: Query, kind: str) -> tuple[pa.Table, list[str]]:
    """Products of one kind in the latest master, and the name of the index each follows."""
    session = query.latest_session() or query.world.sessions[0]
    issues = query.world.table("instrument", session)
    issues = issues.filter(pc.equal(issues["kind"], kind))
    bars = query.world.table("etp_daily_bar", session)
    indices = dict(zip(bars["symbol"].to_pylist(), bars["underlying_index"].to_pylist(), strict=True))
    return issues, [indices.get(symbol) or "" for symbol in issues["symbol"].to_pylist()]


def _delistings(query: Query, first: date, last: date) -> list[tuple[pa.Table, Mapping[str, str]]]:
    """The delistings of each session in the range, and the ISINs of the session before; as known by the latest."""
    latest = query.latest_session()
    found = []
    sessions = query.world.sessions
    for before, session in pairwise(sessions):
        if first <= session <= last and latest is not None and session <= latest:
            table = query.world.table("delisting", session)
            if len(table):
                found.append((table, query.isins(before)))
    return found


def _names(issues: pa.Table) -> dict[str, list[str]]:
    names = column(issues, "name")
    return {
        "ISU_NM": [full or name for full, name in zip(issues["full_name"].to_pylist(), names, strict=True)],
        "ISU_ABBRV": names,
        "ISU_ENG_NM": texts(issues["english_name"].to_pylist()),
        "LIST_DD": [f"{day:%Y/%m/%d}" if day else "" for day in issues["listed_on"].to_pylist()],
    }


def _par_value(value: Decimal | None) -> str:
    short = par_value(value)
    return NO_PAR_VALUE if short is None else f"{short:,f}"


def _warrants(query: Query) -> list[Row]:
    """One equity-linked warrant: pykrx reads the lists of ETFs, ETNs and warrants together, or none of them."""
    return [
        {
            "ISU_CD": "KRA5811AJA22",
            "ISU_SRT_CD": "58F194",
            "ISU_NM": "모의증권(주) 주식워런트증권 제F194호",
            "ISU_ABBRV": "모의F194콜",
            "ISU_ENG_NM": "SIMULATED SECURITIES ELW F194",
            "LIST_DD": f"{query.world.sessions[0]:%Y/%m/%d}",
            "LIST_SHRS": "10,400,000",
        }
    ]


_SHORT_CODE = ("ISU_SRT_CD", "SRT_CD")
STATISTICS = {
    "MDCSTAT01901": Statistic("OutBlock_1", _stock_masters, _SHORT_CODE, "LIST_SHRS"),
    "MDCSTAT04601": Statistic("output", _etf_masters, _SHORT_CODE, "LIST_SHRS"),
    "MDCSTAT05001": Statistic("output", _portfolio, ("COMPST_AMT", "AMT"), "COMPST_ISU_CD", subject="isuCd"),
    "MDCSTAT06701": Statistic("output", _etn_masters, _SHORT_CODE, "LIST_SHRS"),
    "MDCSTAT08501": Statistic("output", _warrants, _SHORT_CODE, "LIST_SHRS"),
    "MDCSTAT23801": Statistic("output", _delisted, ("DELIST_DD", "DELIST_DT"), "ISU_CD"),
    "finder_stkisu": Statistic("block1", _stock_finder, ("short_code", "code"), "full_code"),
    "finder_listdelisu": Statistic("block1", _delisted_finder, ("short_code", "code"), "full_code"),
}
