"""Naver Finance: pages and endpoints its site and app read, asked one fund, symbol or hundred symbols at a time.

They are not an offered interface: a page can change or disappear any day, and the old site's closure was announced
for 2026-09-10. Most of them show the present only, so a past session is asked of another source; indices and flows go
back. Stock prices of its charts are adjusted: they are for comparison (see :mod:`include.crawlers.naver.charts`), never
daily bars. Exchange-traded products are not offered either: the list of ETFs has no listed units, and its market value
is rounded to 100 million won, so close times units cannot be shown to agree.
"""

from __future__ import annotations

from include.crawlers.naver.etf_holding import EtfHoldingCrawler
from include.crawlers.naver.foreign_holding import ForeignHoldingCrawler
from include.crawlers.naver.index_bar import IndexBarCrawler
from include.crawlers.naver.intraday_snapshot import IntradaySnapshotCrawler
from include.crawlers.naver.investor_flow import InvestorFlowCrawler
from include.crawlers.naver.service import LIMITS, SOURCE

__all__ = ["CRAWLERS", "LIMITS", "SOURCE"]

CRAWLERS = {
    "etf_holding": EtfHoldingCrawler(),
    "foreign_holding": ForeignHoldingCrawler(),
    "index_bar": IndexBarCrawler(),
    "intraday_snapshot": IntradaySnapshotCrawler(),
    "investor_flow": InvestorFlowCrawler(),
}
