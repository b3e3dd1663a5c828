"""
## What it does

Fetches the exchange's industry classification of each stock and loads it into `market.sector`. Source: the
exchange's portal.

## When it runs

After each session's close, once volumes are final: 18:13 KST, an hour later on days that close an hour late.
It does not run on days without a session. Switched on, it collects the latest session due at once.

By hand: *Trigger*, with `session` empty for the latest session due and what is unsettled before it, or a
date. Loading a session twice changes nothing.
"""

from __future__ import annotations

from datetime import timedelta

from krxw_airflow.collection import collection_dag
from krxw_airflow.timetable import SessionTimetable

sectors = collection_dag("sectors", "sector", SessionTimetable(offset=timedelta(hours=2, minutes=43)), __doc__)
