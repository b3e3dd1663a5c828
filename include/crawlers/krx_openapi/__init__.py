"""KRX Open API: the exchange's official daily tables, one session and one market or product per call.

``https://data-dbg.krx.co.kr/svc/apis/{sto|idx|etp}/{endpoint}?basDd=YYYYMMDD``, header ``AUTH_KEY``, rows in
``OutBlock_1``, every value a string; 10,000 calls a day per key. A session appears the next morning. A closed day
answers 200: stocks and products with every price ``-`` and the share count still filled, indices with no row.
"""

from __future__ import annotations

from include.crawlers.krx_openapi.bars import DailyBarCrawler
from include.crawlers.krx_openapi.indices import IndexBarCrawler
from include.crawlers.krx_openapi.masters import InstrumentCrawler
from include.crawlers.krx_openapi.products import EtpDailyBarCrawler
from include.crawlers.krx_openapi.service import LIMITS, REAL_SERVICE, SOURCE

__all__ = ["CRAWLERS", "LIMITS", "REAL_SERVICE", "SOURCE"]

CRAWLERS = {
    "daily_bar": DailyBarCrawler(),
    "etp_daily_bar": EtpDailyBarCrawler(),
    "instrument": InstrumentCrawler(),
    "index_bar": IndexBarCrawler(),
}
