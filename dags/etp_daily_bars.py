"""
## What it does

Fetches one session's daily bars of every ETF and ETN, with net asset value and underlying index, and loads
them into `market.etp_daily_bar`. `mart.daily_bar` and `mart.adjusted_daily_bar` show them together with
stocks. Sources, in order: KRX Open API, the exchange's portal.

## When it runs

After each session's close, once volumes are final: 18:11 KST, an hour later on days that close an hour late.
It does not run on days without a session. Switched on, it collects the latest session due at once.

By hand: *Trigger*, with `session` empty for the latest session due and what is unsettled before it, or a
date. Loading a session twice changes nothing.
"""

from __future__ import annotations

from datetime import timedelta

from krxw_airflow.collection import collection_dag
from krxw_airflow.timetable import SessionTimetable

etp_daily_bars = collection_dag(
    "etp_daily_bars", "etp_daily_bar", SessionTimetable(offset=timedelta(hours=2, minutes=41)), __doc__
)
