"""
## What it does

Fetches what foreigners hold of each stock and loads it into `market.foreign_holding`. Sources, in order: the
exchange's portal, Naver, KIS.

## When it runs

After each session's close, once volumes are final: 18:18 KST, an hour later on days that close an hour late.
It does not run on days without a session. Switched on, it collects the latest session due at once.

By hand: *Trigger*, with `session` empty for the latest session due and what is unsettled before it, or a
date. Loading a session twice changes nothing.
"""

from __future__ import annotations

from datetime import timedelta

from krxw_airflow.collection import collection_dag
from krxw_airflow.timetable import SessionTimetable

foreign_holdings = collection_dag(
    "foreign_holdings", "foreign_holding", SessionTimetable(offset=timedelta(hours=2, minutes=48)), __doc__
)
