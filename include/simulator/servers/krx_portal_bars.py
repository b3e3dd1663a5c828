"""Statistics of the portal about the prices of a day, and what it shows beside them: stocks and products.

Formats as recorded in 2026 (01501, 01701, 03501, 03701, 04301), else as pykrx 1.2 documents them (03901) or the
portal's own page binds them (06401). A closed day shows ``-`` for every figure and the share count filled.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from include.market.symbols import Market
from include.simulator.servers.krx_portal_query import Query, Statistic
from include.simulator.servers.krx_text import (
    NO_VALUE,
    Row,
    blank,
    column,
    decimal_rates,
    grouped,
    rates,
    records,
    texts,
)
from include.simulator.servers.underlying import underlying_changes

_CLOSED_CODES = {"FLUC_TP_CD": "0", "FLUC_TP_CD1": "0"}
_CHANGES = ("TDD_CLSPRC", "CMPPREVDD_PRC", "FLUC_RT")
_QUANTITIES = {
    "TDD_OPNPRC": "open",
    "TDD_HGPRC": "high",
    "TDD_LWPRC": "low",
    "ACC_TRDVOL": "volume",
    "ACC_TRDVAL": "value_krw",
    "MKTCAP": "market_cap_krw",
}
_ADJUSTED = {
    "TDD_CLSPRC": "close",
    "TDD_OPNPRC": "open",
    "TDD_HGPRC": "high",
    "TDD_LWPRC": "low",
    "ACC_TRDVOL": "volume",
}
_EARNINGS = {"EPS": "eps_krw", "PER": "per"}
_FORECASTS = ("FWD_EPS", "FWD_PER")
_BOOK = {"BPS": "bps_krw", "PBR": "pbr", "DPS": "dps_krw", "DVD_YLD": "dividend_yield_pct"}
_HOLDINGS = {
    "FORN_HD_QTY": "foreign_shares",
    "FORN_SHR_RT": "foreign_pct",
    "FORN_ORD_LMT_QTY": "limit_shares",
    "FORN_LMT_EXHST_RT": "limit_used_pct",
}
_INDEX = ("OBJ_STKPRC_IDX", "CMPPREVDD_IDX", "FLUC_RT1")

Writer = Callable[[Query, date, pa.Table], list[Row]]


def _by_day(dataset: str, write: Writer, figures: Collection[str]) -> Callable[[Query], list[Row]]:
    """``dataset`` on the day asked for; on a closed one that of the session before, without ``figures``."""

    def rows(query: Query) -> list[Row]:
        day = query.trading_day()
        if day is None:
            return []
        written = write(query, day.session, query.world.table(dataset, day.session))
        if not day.closed:
            return written
        codes = {field: code for field, code in _CLOSED_CODES.items() if written and field in written[0]}
        return [row | codes for row in blank(written, figures)]

    return rows


def _stocks(query: Query, session: date, bars: pa.Table) -> list[Row]:
    bars = query.of_market(bars)
    return records(
        {
            "ISU_SRT_CD": column(bars, "symbol"),
            "ISU_CD": _isins(query, session, bars),
            "ISU_ABBRV": column(bars, "name"),
            "MKT_NM": column(bars, "market"),
            "SECT_TP_NM": column(bars, "section"),
            **_changes(bars),
            **_written(bars, _QUANTITIES),
            "LIST_SHRS": column(bars, "listed_shares", grouped),
            "MKT_ID": _market_ids(bars),
        }
    )


def _stock_over_days(query: Query) -> list[Row]:
    """Newest first. ``adjStkPrc`` 2 adjusts prices and volume to the last day; the change stays as published."""
    symbol = query.symbol()
    rows = []
    for session, label in query.sessions():
        bars = query.world.rows("daily_bar", symbol, session)
        rows += records(
            {
                "TRD_DD": [f"{label:%Y/%m/%d}"] * len(bars),
                **_changes(bars),
                **_written(bars, _QUANTITIES),
                "LIST_SHRS": column(bars, "listed_shares", grouped),
            }
        )
    if rows and query.form.get("adjStkPrc") == "2":
        first, last = query.sessions()[0][0], query.sessions()[-1][0]
        adjusted = records(_written(query.world.adjusted_bars(symbol, first, last), _ADJUSTED))
        rows = [row | figures for row, figures in zip(rows, adjusted, strict=True)]
    return rows[::-1]


def _valuations(query: Query, session: date, table: pa.Table) -> list[Row]:
    table, bars = _beside_prices(query, session, table)
    names = column(bars, "name")
    return records(
        {
            "ISU_SRT_CD": column(bars, "symbol"),
            "ISU_CD": _isins(query, session, bars),
            "MKT_ID": _market_ids(bars),
            "ISU_ABBRV": names,
            "ISU_ABBRV_STR": [f'{name} <em class ="up"></em>' for name in names],
            **_changes(bars),
            **_written(table, _EARNINGS),
            **{field: [NO_VALUE] * len(table) for field in _FORECASTS},
            **_written(table, _BOOK),
        }
    )


def _foreign_holdings(query: Query, session: date, table: pa.Table) -> list[Row]:
    """``isuLmtRto`` 1 shows only stocks of which foreigners may hold a part."""
    if query.form.get("isuLmtRto") == "1":
        table = table.filter(pc.less(table["limit_shares"], table["listed_shares"]))
    table, bars = _beside_prices(query, session, table)
    return records(
        {
            "ISU_SRT_CD": column(bars, "symbol"),
            "ISU_ABBRV": column(bars, "name"),
            **_changes(bars),
            "LIST_SHRS": column(table, "listed_shares", grouped),
            **_written(table, _HOLDINGS),
        }
    )


def _sectors(query: Query, session: date, table: pa.Table) -> list[Row]:
    table, bars = _beside_prices(query, session, table)
    changes = _changes(bars)
    codes = changes.pop("FLUC_TP_CD")
    return records(
        {
            "ISU_SRT_CD": column(bars, "symbol"),
            "ISU_ABBRV": column(bars, "name"),
            "MKT_TP_NM": column(bars, "market"),
            "IDX_IND_NM": column(table, "sector"),
            **changes,
            "MKTCAP": column(bars, "market_cap_krw", grouped),
            "FLUC_TP_CD": codes,
        }
    )


def _products(kind: str, group: str, value: str, total: str) -> Writer:
    """ETFs or ETNs of security group ``group``; ``value`` is the field of a unit's value, ``total`` that of all."""

    def write(query: Query, session: date, bars: pa.Table) -> list[Row]:
        bars = bars.filter(pc.equal(bars["kind"], kind))
        levels = bars["underlying_close"].to_pylist()
        changes = underlying_changes(query.world, session, bars)
        return records(
            {
                "ISU_SRT_CD": column(bars, "symbol"),
                "ISU_CD": _isins(query, session, bars),
                "SECUGRP_ID": [group] * len(bars),
                "ISU_ABBRV": column(bars, "name"),
                "TDD_CLSPRC": column(bars, "close", grouped),
                "CMPPREVDD_PRC": column(bars, "change", grouped),
                "FLUC_TP_CD": [_direction(change) for change in bars["change"].to_pylist()],
                "FLUC_RT": rates(bars["change"], bars["base_price"]),
                value: column(bars, "nav", grouped),
                **_written(bars, _QUANTITIES),
                # Not computed for every product: zero then.
                total: [grouped(value or 0) for value in bars["net_assets_krw"].to_pylist()],
                "LIST_SHRS": column(bars, "listed_shares", grouped),
                "IDX_IND_NM": texts(bars["underlying_index"].to_pylist()),
                "OBJ_STKPRC_IDX": [grouped(level) for level in levels],
                "CMPPREVDD_IDX": [grouped(change) for change in changes],
                "FLUC_TP_CD1": [NO_VALUE if change is None else _direction(change) for change in changes],
                "FLUC_RT1": decimal_rates(changes, levels),
            }
        )

    return write


def _beside_prices(query: Query, session: date, table: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The rows of ``table`` for stocks of the market asked for, and the same stocks' bars."""
    bars = query.of_market(query.world.table("daily_bar", session))
    symbols = bars["symbol"].combine_chunks()
    table = table.filter(pc.is_in(table["symbol"], symbols))
    return table, bars.take(pc.index_in(table["symbol"], symbols))


def _changes(bars: pa.Table) -> dict[str, list[str]]:
    return {
        "TDD_CLSPRC": column(bars, "close", grouped),
        "FLUC_TP_CD": column(bars, "fluctuation_code"),
        "CMPPREVDD_PRC": column(bars, "change", grouped),
        "FLUC_RT": rates(bars["change"], bars["base_price"]),
    }


def _written(table: pa.Table, fields: Mapping[str, str]) -> dict[str, list[str]]:
    return {field: column(table, name, grouped) for field, name in fields.items()}


def _isins(query: Query, session: date, bars: pa.Table) -> list[str]:
    isins = query.isins(session)
    return [isins[symbol] for symbol in bars["symbol"].to_pylist()]


def _market_ids(bars: pa.Table) -> list[str]:
    return column(bars, "market", lambda market: Market(market).market_id)


def _direction(change: Decimal) -> str:
    """1 up, 2 down, 3 unchanged."""
    return "1" if change > 0 else "2" if change < 0 else "3"


_CLOSE = ("TDD_CLSPRC", "CLSPRC")
_PRODUCT_FIGURES = (*_CHANGES, *_QUANTITIES, *_INDEX)
STATISTICS = {
    "MDCSTAT01501": Statistic(
        "OutBlock_1", _by_day("daily_bar", _stocks, (*_CHANGES, *_QUANTITIES)), _CLOSE, "LIST_SHRS"
    ),
    "MDCSTAT01701": Statistic("output", _stock_over_days, _CLOSE, "LIST_SHRS", subject="isuCd"),
    "MDCSTAT03501": Statistic(
        "output",
        _by_day("fundamental", _valuations, (*_CHANGES, *_EARNINGS, *_BOOK)),
        ("PER", "PE_RATIO"),
        "BPS",
    ),
    "MDCSTAT03701": Statistic(
        "output",
        _by_day("foreign_holding", _foreign_holdings, (*_CHANGES, *_HOLDINGS)),
        ("FORN_HD_QTY", "FORN_QTY"),
        "FORN_SHR_RT",
    ),
    "MDCSTAT03901": Statistic(
        "block1", _by_day("sector", _sectors, (*_CHANGES, "MKTCAP")), ("IDX_IND_NM", "IND_NM"), "ISU_SRT_CD"
    ),
    "MDCSTAT04301": Statistic(
        "output",
        _by_day(
            "etp_daily_bar",
            _products("ETF", "EF", "NAV", "INVSTASST_NETASST_TOTAMT"),
            (*_PRODUCT_FIGURES, "NAV", "INVSTASST_NETASST_TOTAMT"),
        ),
        _CLOSE,
        "LIST_SHRS",
    ),
    "MDCSTAT06401": Statistic(
        "output",
        _by_day(
            "etp_daily_bar",
            _products("ETN", "EN", "PER1SECU_INDIC_VAL", "INDIC_VAL_AMT"),
            (*_PRODUCT_FIGURES, "PER1SECU_INDIC_VAL", "INDIC_VAL_AMT"),
        ),
        _CLOSE,
        "LIST_SHRS",
    ),
}
