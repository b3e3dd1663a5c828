"""Kiwoom Securities: Kiwoom REST API.

Needs an account and an app key: ``KRXW_KIWOOM_ENVIRONMENT`` (real or mock), ``KRXW_KIWOOM_APP_KEY``,
``KRXW_KIWOOM_SECRET_KEY``. It gives no dataset of daily bars: turnover is rounded to a million won and listed shares
to a thousand.
"""

from __future__ import annotations

from include.crawlers.broker.datasets import InvestorFlowCrawler, SnapshotCrawler
from include.crawlers.broker.interface import BrokerEnvironment
from include.crawlers.kiwoom.service import Kiwoom

_KIWOOM = Kiwoom()
SOURCE = _KIWOOM.name
LIMITS = _KIWOOM.services[BrokerEnvironment.REAL].limits
CRAWLERS = {
    "intraday_snapshot": SnapshotCrawler(_KIWOOM),
    "investor_flow": InvestorFlowCrawler(_KIWOOM),
}
