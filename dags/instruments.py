"""
## What it does

Fetches the master of a session: every listed issue with its names, kind, market, section, shares and day of
listing, and loads it into `market.listed_instrument`. `mart.instrument` shows the latest state of every issue
ever seen, and `mart.instrument_event` listings, delistings, renamings, market moves, halts and resumptions. A
master of yesterday cannot be told from one of today, so each run also fetches the ten sessions before its own
again. Sources, in order: KRX Open API, the exchange's portal.

## When it runs

After each session's close, once volumes are final: 18:12 KST, an hour later on days that close an hour late.
It does not run on days without a session. Switched on, it collects the latest session due at once.

By hand: *Trigger*, with `session` empty for the latest session due and what is unsettled before it, or a
date. Loading a session twice changes nothing.
"""

from __future__ import annotations

from datetime import timedelta

from krxw_airflow.collection import collection_dag
from krxw_airflow.timetable import SessionTimetable

instruments = collection_dag(
    "instruments", "instrument", SessionTimetable(offset=timedelta(hours=2, minutes=42)), __doc__
)
