"""
## What it does

Fetches the session's cash dividends, and once more those of the ninety sessions before, because amounts may be
fixed long after the ex-date. Loads them into `market.dividend`. Sources, in order: KIS, which passes on the
depository's calendar, in few calls unless a hundred issues have the same record date; Yahoo, through yfinance, with a
call for each issue, amounts divided by later splits and marked so, and all of the last 400 days.

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
