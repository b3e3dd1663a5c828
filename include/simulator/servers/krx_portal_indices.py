"""Statistics of the portal about indices: their list (00401), one day of all (00101), many days of one (00301).

Formats as recorded in January 2026, 00101 as pykrx 1.2 documents it. A closed day has no row. The first row of
KOSPI's day, the market with foreign shares, has quantities but no level.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from include.simulator.servers.krx_portal_query import Query, Statistic
from include.simulator.servers.krx_text import Row, blank, column, decimal_rates, grouped, records
from include.simulator.world import World

_FAMILIES = {"01": "KRX", "02": "KOSPI", "03": "KOSDAQ"}
_GROUPS = {"KRX": "5", "KOSPI": "1", "KOSDAQ": "2"}
_KNOWN_CODES = {
    ("KOSPI", "코스피"): "001",
    ("KOSPI", "코스피 200"): "028",
    ("KOSDAQ", "코스닥"): "001",
    ("KOSDAQ", "코스닥 150"): "203",
    ("KRX", "KRX 300"): "300",
}
_FIRST_OTHER_CODE = 500
_KOSPI = "코스피"
_KOSPI_WITH_FOREIGN_SHARES = "코스피 (외국주포함)"
_LEVELS = {"OPNPRC_IDX": "open", "HGPRC_IDX": "high", "LWPRC_IDX": "low"}
_QUANTITIES = {"ACC_TRDVOL": "volume", "ACC_TRDVAL": "value_krw", "MKTCAP": "market_cap_krw"}
_THEME = {"IDX_NM": "코스피 고배당 50", "IND_TP_CD": "1", "IDX_IND_CD": "163"}


def _figures(bars: pa.Table, change: str, rate: str) -> dict[str, list[str]]:
    """Levels and quantities; the change and its rate go by other names in each statistic."""
    changes = bars["change"].to_pylist()
    return {
        "CLSPRC_IDX": column(bars, "close", grouped),
        "FLUC_TP_CD": ["" if value is None else "1" if value > 0 else "2" if value < 0 else "3" for value in changes],
        change: [grouped(value) for value in changes],
        rate: decimal_rates(changes, bars["close"].to_pylist()),
        **{field: column(bars, name, grouped) for field, name in _LEVELS.items()},
        **{field: column(bars, name, grouped) for field, name in _QUANTITIES.items()},
    }


def _one_day(query: Query) -> list[Row]:
    day = query.trading_day()
    family = _FAMILIES.get(query.form.get("idxIndMidclssCd", ""))
    if day is None or day.closed or family is None:
        return []
    bars = query.world.table("index_bar", day.session)
    bars = bars.filter(pc.equal(bars["family"], family))
    rows = records({"IDX_NM": column(bars, "index_name"), **_figures(bars, "CMPPREVDD_IDX", "FLUC_RT")})
    whole = [row | {"IDX_NM": _KOSPI_WITH_FOREIGN_SHARES, "FLUC_TP_CD": ""} for row in rows if row["IDX_NM"] == _KOSPI]
    return blank(whole, ("CLSPRC_IDX", "CMPPREVDD_IDX", "FLUC_RT", *_LEVELS)) + rows


def _many_days(query: Query) -> list[Row]:
    """Newest first."""
    wanted = (query.form.get("indIdx"), query.form.get("indIdx2"))
    named = [key for key, code in _codes(query.world).items() if (_GROUPS[key[0]], code) == wanted]
    rows = []
    for family, name in named:
        for session, label in query.sessions():
            bars = query.world.table("index_bar", session)
            bars = bars.filter(pc.and_(pc.equal(bars["family"], family), pc.equal(bars["index_name"], name)))
            dated = {"TRD_DD": [f"{label:%Y/%m/%d}"] * len(bars)}
            rows += records(dated | _figures(bars, "PRV_DD_CMPR", "UPDN_RATE"))
    return rows[::-1]


def _listed(query: Query) -> list[Row]:
    middle_class = query.form.get("idxIndMidclssCd", "")
    if middle_class == "04":
        return [_description(_THEME, 50)]
    family = _FAMILIES.get(middle_class)
    return [
        _description({"IDX_NM": name, "IND_TP_CD": _GROUPS[family], "IDX_IND_CD": code}, 200)
        for (of, name), code in _codes(query.world).items()
        if of == family
    ]


def _description(names: Row, members: int) -> Row:
    return {
        "IDX_NM": names["IDX_NM"],
        "IDX_ENG_NM": names["IDX_NM"],
        "BAS_TM_CONTN": "1980.01.04",
        "ANNC_TM_CONTN": "1983.01.04",
        "BAS_IDX_CONTN": "100.00",
        "CALC_CYCLE_CONTN": "10초",
        "CALC_TM_CONTN": "09:00:30 ~ 15:30:00",
        "COMPST_ISU_CNT": str(members),
        "IND_TP_CD": names["IND_TP_CD"],
        "IDX_IND_CD": names["IDX_IND_CD"],
    }


def _codes(world: World) -> dict[tuple[str, str], str]:
    """The code of each index by family and name: the real one where known, else by its place among all."""
    bars = world.table("index_bar", world.sessions[0])
    keys = zip(column(bars, "family"), column(bars, "index_name"), strict=True)
    return {key: _KNOWN_CODES.get(key, str(place)) for place, key in enumerate(keys, start=_FIRST_OTHER_CODE)}


STATISTICS = {
    "MDCSTAT00101": Statistic("output", _one_day, ("CLSPRC_IDX", "CLSPRC"), "IDX_NM"),
    "MDCSTAT00301": Statistic("output", _many_days, ("CLSPRC_IDX", "CLSPRC"), "TRD_DD"),
    "MDCSTAT00401": Statistic("output", _listed, ("IDX_NM", "INDEX_NM"), "IDX_IND_CD"),
}
