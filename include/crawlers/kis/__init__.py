"""Korea Investment & Securities: KIS Developers REST API.

Needs an account and an app key: ``KRXW_KIS_ENVIRONMENT`` (real or mock), ``KRXW_KIS_APP_KEY``,
``KRXW_KIS_APP_SECRET``. Real and mock are two services with keys of their own.
"""

from __future__ import annotations

from include.crawlers.broker.datasets import DailyBarCrawler, InvestorFlowCrawler, SnapshotCrawler
from include.crawlers.broker.interface import BrokerEnvironment
from include.crawlers.kis.dividends import DividendCrawler
from include.crawlers.kis.issue_figures import ForeignHoldingCrawler, FundamentalCrawler
from include.crawlers.kis.service import Kis

_KIS = Kis()
SOURCE = _KIS.name
LIMITS = _KIS.services[BrokerEnvironment.REAL].limits
CRAWLERS = {
    "intraday_snapshot": SnapshotCrawler(_KIS),
    "daily_bar": DailyBarCrawler(_KIS),
    "investor_flow": InvestorFlowCrawler(_KIS),
    "fundamental": FundamentalCrawler(_KIS),
    "foreign_holding": ForeignHoldingCrawler(_KIS),
    "dividend": DividendCrawler(_KIS),
}
