"""The KRX data portal (data.krx.co.kr), through pykrx: the only free source of flows and ETF portfolio files.

Opt-in: the portal wants a login since 2025-12-27, a second login evicts the first, over-use gets addresses blocked
and its terms object to automated collection. So: one job at a time, one call a second, whole markets by date.
pykrx logs in and asks; what is read are the bodies as they came. Answers are JSON served as ``text/html``, numbers
are grouped by commas, ``-`` is no value. One call gives one session, or one issue's range of at most two years.

Datasets come from the screens by session only. Functions beside the crawlers read the screens by issue, fund or index
(``issue_history``, ``fund_history``, ``index_history``, ``ratio_history``, ``holding_history``, ``class_totals``,
``net_by_session``) and the lists of :mod:`include.crawlers.krx_portal.reference`: recorded answers of theirs say
from another side what the screens by session say.
"""

from __future__ import annotations

from include.crawlers.krx_portal.bars import DailyBarCrawler
from include.crawlers.krx_portal.delistings import DelistingCrawler
from include.crawlers.krx_portal.flows import InvestorFlowCrawler, MarketInvestorFlowCrawler
from include.crawlers.krx_portal.holdings import EtfHoldingCrawler
from include.crawlers.krx_portal.indices import IndexBarCrawler
from include.crawlers.krx_portal.masters import InstrumentCrawler, SectorCrawler
from include.crawlers.krx_portal.products import EtpDailyBarCrawler
from include.crawlers.krx_portal.session import LIMITS, SOURCE
from include.crawlers.krx_portal.valuation import ForeignHoldingCrawler, FundamentalCrawler

__all__ = ["CRAWLERS", "LIMITS", "SOURCE"]

CRAWLERS = {
    "daily_bar": DailyBarCrawler(),
    "etp_daily_bar": EtpDailyBarCrawler(),
    "instrument": InstrumentCrawler(),
    "sector": SectorCrawler(),
    "delisting": DelistingCrawler(),
    "investor_flow": InvestorFlowCrawler(),
    "market_investor_flow": MarketInvestorFlowCrawler(),
    "etf_holding": EtfHoldingCrawler(),
    "fundamental": FundamentalCrawler(),
    "foreign_holding": ForeignHoldingCrawler(),
    "index_bar": IndexBarCrawler(),
}
