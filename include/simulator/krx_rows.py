"""The simulated market as the rows of KRX Open API's daily stock endpoints: every value a string."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from include.market.symbols import Market
from include.simulator.rates import rate_in_hundredths

ENDPOINT_MARKETS = {
    "stk_bydd_trd": (Market.KOSPI,),
    "ksq_bydd_trd": (Market.KOSDAQ, Market.KOSDAQ_GLOBAL),
    "knx_bydd_trd": (Market.KONEX,),
}
NO_VALUE = "-"

Row = dict[str, str]

_FIELDS = {
    "ISU_CD": "symbol",
    "ISU_NM": "name",
    "MKT_NM": "market",
    "SECT_TP_NM": "section",
    "TDD_CLSPRC": "close",
    "CMPPREVDD_PRC": "change",
    "FLUC_RT": "rate",
    "TDD_OPNPRC": "open",
    "TDD_HGPRC": "high",
    "TDD_LWPRC": "low",
    "ACC_TRDVOL": "volume",
    "ACC_TRDVAL": "value_krw",
    "MKTCAP": "market_cap_krw",
    "LIST_SHRS": "listed_shares",
}
MEASURES = tuple(_FIELDS)[4:]


def session_rows(bars: pa.Table, endpoint: str, day: date) -> list[Row]:
    """The rows of ``endpoint`` for ``day`` from one session's ``bars`` (of the simulator's schema).

    Numbers are plain digits with a leading minus where negative, the rate with two decimals. A halted share
    shows ``0`` for open, high, low and volume.
    """
    names = pa.array([market.value for market in ENDPOINT_MARKETS[endpoint]])
    bars = bars.filter(pc.is_in(bars["market"], names))
    hundredths = rate_in_hundredths(bars["change"].to_numpy(), bars["base_price"].to_numpy())
    rates = [f"{'-' if rate < 0 else ''}{abs(rate) // 100}.{abs(rate) % 100:02d}" for rate in hundredths.tolist()]
    columns = [rates if column == "rate" else bars[column].cast(pa.string()).to_pylist() for column in _FIELDS.values()]
    fields = ("BAS_DD", *_FIELDS)
    compact = f"{day:%Y%m%d}"
    return [dict(zip(fields, (compact, *values), strict=True)) for values in zip(*columns, strict=True)]


def closed_day_rows(bars: pa.Table, endpoint: str, day: date) -> list[Row]:
    """What the endpoint answers for a ``day`` without trading: every figure ``-``, but for the share count.

    ``bars`` are those of the session before.
    """
    blank = dict.fromkeys((field for field in MEASURES if field != "LIST_SHRS"), NO_VALUE)
    return [row | blank for row in session_rows(bars, endpoint, day)]
