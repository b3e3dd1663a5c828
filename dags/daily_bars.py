"""
## What it does

Fetches one session's daily bars of every listed stock, lands the bytes, checks them, loads them into
`market.daily_bar`, and announces the session as a partition of the asset `daily_bar`. The DAG
`corporate_actions` starts on that. Sources, in order: KRX Open API, the exchange's portal, KIS, marcap files.

## When it runs

After each session's close, once volumes are final: 18:10 KST, an hour later on days that close an hour late.
It does not run on days without a session. Switched on, it collects the latest session due at once. The source
may publish only the next morning: the task then waits as *up for retry* and asks again every hour, until the
next day's noon.

By hand: *Trigger*, with `session` empty for the latest session due and what is unsettled before it, or a
date. Loading a session twice changes nothing.
"""

from __future__ import annotations

from datetime import timedelta

from krxw_airflow.collection import collection_dag
from krxw_airflow.timetable import SessionTimetable

daily_bars = collection_dag("daily_bars", "daily_bar", SessionTimetable(offset=timedelta(hours=2, minutes=40)), __doc__)
