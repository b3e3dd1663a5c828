"""
## What it does

Fetches PER, PBR, EPS, BPS, dividend yield and dividend per share of every stock and loads them into
`market.fundamental`. Sources, in order: the exchange's portal; KIS, without dividends.

## When it runs

After each session's close, once volumes are final: 18:17 KST, an hour later on days that close an hour late.
It does not run on days without a session. Switched on, it collects the latest session due at once.

By hand: *Trigger*, with `session` empty for the latest session due and what is unsettled before it, or a
date. Loading a session twice changes nothing.
"""

from __future__ import annotations

from datetime import timedelta

from krxw_airflow.collection import collection_dag
from krxw_airflow.timetable import SessionTimetable

fundamentals = collection_dag(
    "fundamentals", "fundamental", SessionTimetable(offset=timedelta(hours=2, minutes=47)), __doc__
)
