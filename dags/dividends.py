"""
## What it does

Fetches the cash dividends of the last 400 days and loads them into `market.dividend`. Sources, in order: KIS,
which passes on the depository's calendar; Yahoo, through yfinance, whose amounts are divided by later splits
and marked so.

## When it runs

After each session's close, once volumes are final: 19:00 KST, an hour later on days that close an hour late.
It does not run on days without a session. Switched on, it collects the latest session due at once.

By hand: *Trigger*, with `session` empty for the latest session due and what is unsettled before it, or a
date. Loading a session twice changes nothing.
"""

from __future__ import annotations

from datetime import timedelta

from krxw_airflow.collection import collection_dag
from krxw_airflow.timetable import SessionTimetable

dividends = collection_dag("dividends", "dividend", SessionTimetable(offset=timedelta(hours=3, minutes=30)), __doc__)
