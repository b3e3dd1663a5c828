"""A simulated world as the rows of KRX Open API's endpoints: every value a text, numbers without separators.

Fields are those of the exchange's service descriptions. Masters carry no date: they are the list of the day asked
for. Of the indices the first KOSPI row, the market with foreign shares, has quantities but no level.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from include.market.symbols import Market
from include.simulator.servers.krx_masters import NO_PAR_VALUE, PRODUCTS, par_value, security_group, stock_type
from include.simulator.servers.krx_text import Row, blank, column, decimal_rates, plain, rates, records, texts
from include.simulator.servers.underlying import underlying_changes
from include.simulator.world import World

MARKETS = {
    "stk": (Market.KOSPI,),
    "ksq": (Market.KOSDAQ, Market.KOSDAQ_GLOBAL),
    "knx": (Market.KONEX,),
}
_PRICES = {
    "TDD_OPNPRC": "open",
    "TDD_HGPRC": "high",
    "TDD_LWPRC": "low",
    "ACC_TRDVOL": "volume",
    "ACC_TRDVAL": "value_krw",
    "MKTCAP": "market_cap_krw",
}
_INDEX_FIGURES = {
    "CLSPRC_IDX": "close",
    "CMPPREVDD_IDX": "change",
    "FLUC_RT": None,
    "OPNPRC_IDX": "open",
    "HGPRC_IDX": "high",
    "LWPRC_IDX": "low",
}
_INDEX_QUANTITIES = {"ACC_TRDVOL": "volume", "ACC_TRDVAL": "value_krw", "MKTCAP": "market_cap_krw"}
_KOSPI = "코스피"
_KOSPI_WITH_FOREIGN_SHARES = "코스피 (외국주포함)"


@dataclass(frozen=True)
class Endpoint:
    """One endpoint: its path, its rows for a session under a date, and what they become on a closed day.

    ``renamed``, ``dropped`` and ``measures`` are what faults do their work on.
    """

    group: str
    rows: Callable[[World, date, str], list[Row]]
    closed: Callable[[list[Row]], list[Row]]
    renamed: tuple[str, str]
    dropped: str
    measures: tuple[str, ...]


def _bars(markets: tuple[Market, ...]) -> Callable[[World, date, str], list[Row]]:
    def rows(world: World, session: date, label: str) -> list[Row]:
        bars = _of_markets(world.table("daily_bar", session), markets)
        return records(
            {
                "BAS_DD": [label] * len(bars),
                "ISU_CD": column(bars, "symbol"),
                "ISU_NM": column(bars, "name"),
                "MKT_NM": column(bars, "market"),
                "SECT_TP_NM": column(bars, "section"),
                "TDD_CLSPRC": column(bars, "close"),
                "CMPPREVDD_PRC": column(bars, "change"),
                "FLUC_RT": rates(bars["change"], bars["base_price"]),
                **_prices(bars),
                "LIST_SHRS": column(bars, "listed_shares"),
            }
        )

    return rows


def _masters(markets: tuple[Market, ...]) -> Callable[[World, date, str], list[Row]]:
    def rows(world: World, session: date, label: str) -> list[Row]:
        issues = _of_markets(world.table("instrument", session), markets)
        issues = issues.filter(pc.invert(pc.is_in(issues["kind"], pa.array(sorted(PRODUCTS)))))
        names = column(issues, "name")
        par_values = [par_value(value) for value in issues["par_value"].to_pylist()]
        return records(
            {
                "ISU_CD": texts(issues["isin"].to_pylist()),
                "ISU_SRT_CD": column(issues, "symbol"),
                "ISU_NM": [full or name for full, name in zip(issues["full_name"].to_pylist(), names, strict=True)],
                "ISU_ABBRV": names,
                "ISU_ENG_NM": texts(issues["english_name"].to_pylist()),
                "LIST_DD": [f"{day:%Y%m%d}" if day else "" for day in issues["listed_on"].to_pylist()],
                "MKT_TP_NM": column(issues, "market"),
                "SECUGRP_NM": column(issues, "kind", security_group),
                "SECT_TP_NM": column(issues, "section"),
                "KIND_STKCERT_TP_NM": column(issues, "kind", stock_type),
                "PARVAL": [NO_PAR_VALUE if value is None else f"{value:f}" for value in par_values],
                "LIST_SHRS": column(issues, "listed_shares"),
            }
        )

    return rows


def _products(kind: str, value_fields: Mapping[str, str], total: str) -> Callable[[World, date, str], list[Row]]:
    """Rows of ETFs or ETNs; ``value_fields`` hold the value of a unit, ``total`` that of all."""

    def rows(world: World, session: date, label: str) -> list[Row]:
        bars = world.table("etp_daily_bar", session)
        bars = bars.filter(pc.equal(bars["kind"], kind))
        levels = bars["underlying_close"].to_pylist()
        changes = underlying_changes(world, session, bars)
        return records(
            {
                "BAS_DD": [label] * len(bars),
                "ISU_CD": column(bars, "symbol"),
                "ISU_NM": column(bars, "name"),
                "TDD_CLSPRC": column(bars, "close"),
                "CMPPREVDD_PRC": column(bars, "change"),
                "FLUC_RT": rates(bars["change"], bars["base_price"]),
                **{field: column(bars, name, plain) for field, name in value_fields.items()},
                **_prices(bars),
                # Not computed for every product: zero then.
                total: [plain(value or 0) for value in bars["net_assets_krw"].to_pylist()],
                "LIST_SHRS": column(bars, "listed_shares"),
                "IDX_IND_NM": texts(bars["underlying_index"].to_pylist()),
                "OBJ_STKPRC_IDX": [plain(level) for level in levels],
                "CMPPREVDD_IDX": [plain(change) for change in changes],
                "FLUC_RT_IDX": decimal_rates(changes, levels),
            }
        )

    return rows


def _indices(family: str) -> Callable[[World, date, str], list[Row]]:
    def rows(world: World, session: date, label: str) -> list[Row]:
        bars = world.table("index_bar", session)
        bars = bars.filter(pc.equal(bars["family"], family))
        figures = {field: column(bars, name, plain) for field, name in _INDEX_FIGURES.items() if name}
        figures["FLUC_RT"] = decimal_rates(bars["change"].to_pylist(), bars["close"].to_pylist())
        published = records(
            {
                "BAS_DD": [label] * len(bars),
                "IDX_CLSS": [family] * len(bars),
                "IDX_NM": column(bars, "index_name"),
                **{field: figures[field] for field in _INDEX_FIGURES},
                **{field: column(bars, name, plain) for field, name in _INDEX_QUANTITIES.items()},
            }
        )
        whole = [row | {"IDX_NM": _KOSPI_WITH_FOREIGN_SHARES} for row in published if row["IDX_NM"] == _KOSPI]
        return blank(whole, _INDEX_FIGURES) + published

    return rows


def _of_markets(table: pa.Table, markets: tuple[Market, ...]) -> pa.Table:
    return table.filter(pc.is_in(table["market"], pa.array([market.value for market in markets])))


def _prices(bars: pa.Table) -> dict[str, list[str]]:
    return {field: column(bars, name) for field, name in _PRICES.items()}


def _without_figures(fields: tuple[str, ...]) -> Callable[[list[Row]], list[Row]]:
    return lambda rows: blank(rows, fields)


def _nothing(rows: list[Row]) -> list[Row]:
    return []


def _unchanged(rows: list[Row]) -> list[Row]:
    return rows


_BAR_FIGURES = ("TDD_CLSPRC", "CMPPREVDD_PRC", "FLUC_RT", *_PRICES)
_ETF_FIGURES = (*_BAR_FIGURES, "NAV", "INVSTASST_NETASST_TOTAMT", "OBJ_STKPRC_IDX", "CMPPREVDD_IDX", "FLUC_RT_IDX")
_ETN_FIGURES = (*_BAR_FIGURES, "PER1SECU_INDIC_VAL", "INDIC_VAL_AMT", "OBJ_STKPRC_IDX", "CMPPREVDD_IDX", "FLUC_RT_IDX")


def _bar_endpoint(rows: Callable[[World, date, str], list[Row]], group: str, figures: tuple[str, ...]) -> Endpoint:
    return Endpoint(
        group, rows, _without_figures(figures), ("TDD_CLSPRC", "CLSPRC"), "LIST_SHRS", (*_BAR_FIGURES, "LIST_SHRS")
    )


ENDPOINTS: Mapping[str, Endpoint] = {
    **{f"{code}_bydd_trd": _bar_endpoint(_bars(markets), "sto", _BAR_FIGURES) for code, markets in MARKETS.items()},
    **{
        f"{code}_isu_base_info": Endpoint(
            "sto", _masters(markets), _unchanged, ("ISU_SRT_CD", "SRT_CD"), "LIST_SHRS", ("LIST_SHRS", "PARVAL")
        )
        for code, markets in MARKETS.items()
    },
    **{
        f"{family.lower()}_dd_trd": Endpoint(
            "idx",
            _indices(family),
            _nothing,
            ("CLSPRC_IDX", "CLSPRC"),
            "IDX_NM",
            (*_INDEX_FIGURES, *_INDEX_QUANTITIES),
        )
        for family in ("KRX", "KOSPI", "KOSDAQ")
    },
    "etf_bydd_trd": _bar_endpoint(_products("ETF", {"NAV": "nav"}, "INVSTASST_NETASST_TOTAMT"), "etp", _ETF_FIGURES),
    "etn_bydd_trd": _bar_endpoint(
        _products("ETN", {"PER1SECU_INDIC_VAL": "nav"}, "INDIC_VAL_AMT"), "etp", _ETN_FIGURES
    ),
}
