"""
## What it does

Fetches the daily bars of the exchange's indices, from KOSPI and KOSDAQ to sectors, and loads them into
`market.index_bar`. Sources, in order: KRX Open API, the exchange's portal; Naver, which knows the three main
ones only.

## When it runs

After each session's close, once volumes are final: 18:19 KST, an hour later on days that close an hour late.
It does not run on days without a session. Switched on, it collects the latest session due at once.

By hand: *Trigger*, with `session` empty for the latest session due and what is unsettled before it, or a
date. Loading a session twice changes nothing.
"""

from __future__ import annotations

from datetime import timedelta

from krxw_airflow.collection import collection_dag
from krxw_airflow.timetable import SessionTimetable

index_bars = collection_dag("index_bars", "index_bar", SessionTimetable(offset=timedelta(hours=2, minutes=49)), __doc__)
