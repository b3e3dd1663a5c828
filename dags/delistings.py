"""
## What it does

Fetches the delistings of the last two years up to the session, with their reasons, and loads them into
`market.delisting`. The whole history, back to 1961, comes with a backfill. Sources, in order: the exchange's
portal, files of its list.

## When it runs

After each session's close, once volumes are final: 18:14 KST, an hour later on days that close an hour late.
It does not run on days without a session. Switched on, it collects the latest session due at once.

By hand: *Trigger*, with `session` empty for the latest session due and what is unsettled before it, or a
date. Loading a session twice changes nothing.
"""

from __future__ import annotations

from datetime import timedelta

from krxw_airflow.collection import collection_dag
from krxw_airflow.timetable import SessionTimetable

delistings = collection_dag("delistings", "delisting", SessionTimetable(offset=timedelta(hours=2, minutes=44)), __doc__)
