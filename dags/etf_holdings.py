"""
## What it does

Fetches the portfolio of every ETF and loads it into `market.etf_holding`: complete files from the exchange's
portal, or else the ten largest positions from Naver, marked as such. `mart.etf_holding_change` shows what was
added, removed and reweighted.

## When it runs

After each session's close, once volumes are final: 18:20 KST, an hour later on days that close an hour late.
It does not run on days without a session. Switched on, it collects the latest session due at once. One call
per fund: through the portal about twenty minutes.

By hand: *Trigger*, with `session` empty for the latest session due and what is unsettled before it, or a
date. Loading a session twice changes nothing.
"""

from __future__ import annotations

from datetime import timedelta

from krxw_airflow.collection import collection_dag
from krxw_airflow.timetable import SessionTimetable

etf_holdings = collection_dag(
    "etf_holdings", "etf_holding", SessionTimetable(offset=timedelta(hours=2, minutes=50)), __doc__
)
