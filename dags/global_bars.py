"""
## What it does

Fetches the daily bars of overseas indices, exchange rates and commodities since ten sessions before the session
and loads those whose own day is over into `market.global_bar`. Source: Yahoo, through yfinance.

## When it runs

The morning after each session, 07:30 KST, when the American markets have closed.

By hand: *Trigger*, with `session` empty for the latest session due and what is unsettled before it, or a
date. Loading a session twice changes nothing.
"""

from __future__ import annotations

from datetime import timedelta

from krxw_airflow.collection import collection_dag
from krxw_airflow.timetable import SessionTimetable

global_bars = collection_dag("global_bars", "global_bar", SessionTimetable(offset=timedelta(hours=16)), __doc__)
