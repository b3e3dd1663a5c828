"""Statistics of the portal about who bought and sold: by market (02201, 04801), by stock (02301, 02302, 02401).

Formats as recorded in January 2026. 02401 has a row for every stock a class traded in the days asked for, and a few
of stocks it did not; the sums by class always have thirteen rows, zero where nothing was traded.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable

import pyarrow as pa
import pyarrow.compute as pc

from include.market.investors import KOREAN_NAMES, PORTAL_CODES, Investor
from include.simulator.servers.krx_portal_query import Query, Statistic
from include.simulator.servers.krx_text import Row, column, grouped

_FIELDS = {
    "ASK_TRDVOL": "sell_shares",
    "BID_TRDVOL": "buy_shares",
    "NETBID_TRDVOL": "net_shares",
    "ASK_TRDVAL": "sell_krw",
    "BID_TRDVAL": "buy_krw",
    "NETBID_TRDVAL": "net_krw",
}
_MARKETS = {"STK": ("KOSPI",), "KSQ": ("KOSDAQ",), "KNX": ("KONEX",), "ALL": ("KOSPI", "KOSDAQ", "KONEX")}
_SUMS = {Investor.INSTITUTION, Investor.TOTAL}
_DAILY_CLASSES = {
    "TRDVAL1": (Investor.INSTITUTION,),
    "TRDVAL2": (Investor.OTHER_CORPORATION,),
    "TRDVAL3": (Investor.INDIVIDUAL,),
    "TRDVAL4": (Investor.FOREIGN, Investor.OTHER_FOREIGN),
    "TRDVAL_TOT": (Investor.TOTAL,),
}
_SIDES = {"1": "sell", "2": "buy", "3": "net"}
_UNITS = {"1": "shares", "2": "krw"}
# One in so many stocks that a class did not trade is listed all the same.
_LISTED_UNTRADED = 32


def _of_markets(name_field: str, markets: Callable[[Query], Iterable[str]]) -> Callable[[Query], list[Row]]:
    def rows(query: Query) -> list[Row]:
        tables = [query.world.table("market_investor_flow", session) for session, _ in query.sessions()]
        wanted = pa.array(markets(query), pa.string())
        return _by_class([table.filter(pc.is_in(table["market"], wanted)) for table in tables], name_field)

    return rows


def _chosen_markets(query: Query) -> list[str]:
    """The markets that ``mktId`` names, and ETFs where ``etf`` asks for them."""
    return [*_MARKETS.get(query.form.get("mktId", ""), ()), *(["ETF"] if query.form.get("etf") else [])]


def _of_stock(query: Query) -> list[Row]:
    symbol = query.symbol()
    tables = [query.world.rows("investor_flow", symbol, session) for session, _ in query.sessions()]
    return _by_class(tables, "INVST_TP_NM")


def _by_class(tables: list[pa.Table], name_field: str) -> list[Row]:
    sums = _summed(tables, "investor") if tables else {}
    return [
        {
            name_field: name,
            **{field: grouped(sums.get(investor.value, {}).get(quantity, 0)) for field, quantity in _FIELDS.items()},
            "CONV_OBJ_TP_CD": "TS" if investor in _SUMS else "",
        }
        for name, investor in KOREAN_NAMES.items()
    ]


def _of_stock_by_day(query: Query) -> list[Row]:
    """One quantity (``trdVolVal`` shares or won, ``askBid`` sold, bought or net) of four groups, newest first."""
    quantity = f"{_SIDES[query.form.get('askBid', '3')]}_{_UNITS[query.form.get('trdVolVal', '2')]}"
    symbol = query.symbol()
    rows = []
    for session, label in query.sessions():
        flows = query.world.rows("investor_flow", symbol, session)
        amounts = dict(zip(flows["investor"].to_pylist(), flows[quantity].to_pylist(), strict=True))
        sums = {
            field: grouped(sum(amounts.get(investor.value, 0) for investor in investors))
            for field, investors in _DAILY_CLASSES.items()
        }
        rows.append({"TRD_DD": f"{label:%Y/%m/%d}", **sums})
    return rows[::-1]


def _of_class(query: Query) -> list[Row]:
    """Every stock of a market that one class traded, the most bought first."""
    sessions = [session for session, _ in query.sessions()]
    investor = PORTAL_CODES.get(query.form.get("invstTpCd", ""))
    if not sessions or investor is None:
        return []
    names: dict[str, str] = {}
    for session in sessions:
        bars = query.of_market(query.world.table("daily_bar", session))
        names |= dict(zip(bars["symbol"].to_pylist(), bars["name"].to_pylist(), strict=True))
    tables = [query.world.table("investor_flow", session) for session in sessions]
    sums = _summed([table.filter(pc.equal(table["investor"], investor.value)) for table in tables], "symbol")
    traded = {symbol: amounts for symbol, amounts in sums.items() if symbol in names}
    nothing = dict.fromkeys(_FIELDS.values(), 0)
    if investor is not Investor.TOTAL:
        untraded = (symbol for symbol in names if symbol not in traded)
        traded |= {symbol: nothing for symbol in untraded if zlib.crc32(symbol.encode()) % _LISTED_UNTRADED == 0}
    ranked = sorted(traded.items(), key=lambda item: (-item[1]["net_krw"], item[0]))
    return [
        {
            "ISU_SRT_CD": symbol,
            "ISU_NM": names[symbol],
            **{field: grouped(amounts[quantity]) for field, quantity in _FIELDS.items()},
        }
        for symbol, amounts in ranked
    ]


def _summed(tables: list[pa.Table], key: str) -> dict[str, dict[str, int]]:
    """Quantities by the values of the column ``key``, summed over ``tables``."""
    quantities = list(_FIELDS.values())
    sums = pa.concat_tables(tables).group_by(key).aggregate([(quantity, "sum") for quantity in quantities])
    columns = [sums[f"{quantity}_sum"].to_pylist() for quantity in quantities]
    return {
        value: dict(zip(quantities, amounts, strict=True))
        for value, amounts in zip(column(sums, key), zip(*columns, strict=True), strict=True)
    }


_NET = ("NETBID_TRDVAL", "NET_TRDVAL")
STATISTICS = {
    "MDCSTAT02201": Statistic("output", _of_markets("INVST_TP_NM", _chosen_markets), _NET, "INVST_TP_NM"),
    "MDCSTAT02301": Statistic("output", _of_stock, _NET, "INVST_TP_NM", subject="isuCd"),
    "MDCSTAT02302": Statistic("output", _of_stock_by_day, ("TRDVAL3", "TRDVAL30"), "TRDVAL_TOT", subject="isuCd"),
    "MDCSTAT02401": Statistic("output", _of_class, _NET, "ISU_SRT_CD"),
    "MDCSTAT04801": Statistic("output", _of_markets("INVST_NM", lambda query: ["ETF"]), _NET, "INVST_NM"),
}
