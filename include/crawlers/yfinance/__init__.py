"""Yahoo Finance through the library yfinance: overseas daily bars, and dividends of Korean stocks.

Yahoo doubles and misses splits and invents sessions: its Korean prices are for comparison only. Dividends it divides
by later splits.
"""

from __future__ import annotations

from include.crawlers.yfinance.charts import LIMITS, SOURCE
from include.crawlers.yfinance.dividend import DividendCrawler
from include.crawlers.yfinance.global_bar import GlobalBarCrawler

__all__ = ["CRAWLERS", "LIMITS", "SOURCE"]

CRAWLERS = {"dividend": DividendCrawler(), "global_bar": GlobalBarCrawler()}
