"""
## What it does

Fetches what each investor class bought and sold on each market and loads it into
`market.market_investor_flow`. Sources, in order: the exchange's portal, files.

## When it runs

After each session's close, once volumes are final: 18:16 KST, an hour later on days that close an hour late.
It does not run on days without a session. Switched on, it collects the latest session due at once.

By hand: *Trigger*, with `session` empty for the latest session due and what is unsettled before it, or a
date. Loading a session twice changes nothing.
"""

from __future__ import annotations

from datetime import timedelta

from krxw_airflow.collection import collection_dag
from krxw_airflow.timetable import SessionTimetable

market_investor_flows = collection_dag(
    "market_investor_flows", "market_investor_flow", SessionTimetable(offset=timedelta(hours=2, minutes=46)), __doc__
)
