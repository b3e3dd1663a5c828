"""The industry group (업종) of each stock: a company keeps its own for life."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from include.simulator.datasets.stocks import Stocks
from include.simulator.datasets.tables import dataset_table, repeated, texts
from include.simulator.exchange.randomness import Stream, bits, scatter

# As the exchange names them; a name may stand in both classifications.
KOSPI_SECTORS = (
    "음식료·담배",
    "섬유·의류",
    "종이·목재",
    "화학",
    "제약",
    "비금속",
    "금속",
    "기계·장비",
    "전기전자",
    "의료·정밀기기",
    "운송장비·부품",
    "유통",
    "전기·가스",
    "건설",
    "운송·창고",
    "통신",
    "증권",
    "보험",
    "일반서비스",
    "부동산",
)
KOSDAQ_SECTORS = (
    *KOSPI_SECTORS[:12],
    "건설",
    "운송·창고",
    "통신",
    "금융",
    "일반서비스",
    "IT 서비스",
    "오락·문화",
    "출판·매체복제",
    "농업, 임업 및 어업",
)


def sectors(seed: int, stocks: Stocks) -> NDArray[np.int64]:
    """Each stock's place in its market's classification; of no meaning on KONEX."""
    words = scatter(seed, Stream.INDUSTRY, 0, stocks.issuer)
    return bits(words, 0, 32) % np.where(stocks.on_kospi, len(KOSPI_SECTORS), len(KOSDAQ_SECTORS))


def sector_table(seed: int, stocks: Stocks) -> pa.Table:
    """The dataset ``sector`` of a session: KOSPI and KOSDAQ stocks."""
    places = sectors(seed, stocks) + np.where(stocks.on_kospi, 0, len(KOSPI_SECTORS))
    classified = np.flatnonzero(~stocks.on_konex)
    return dataset_table(
        "sector",
        {
            "symbol": stocks.bars["symbol"].take(classified),
            "session": repeated(stocks.session, len(classified)),
            "market": texts(("KOSPI", "KOSDAQ"), (~stocks.on_kospi[classified]).astype(np.int64)),
            "sector": texts(KOSPI_SECTORS + KOSDAQ_SECTORS, places[classified]),
        },
    )
