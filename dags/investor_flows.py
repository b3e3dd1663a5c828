"""
## What it does

Fetches what each of the exchange's eleven investor classes bought and sold of each stock and loads it into
`market.investor_flow`. The classes must sum to the total, in shares and won, or the stock's rows go to
quarantine. Sources, in order: the exchange's portal (complete); Naver, KIS and Kiwoom, which know fewer
classes: a session taken from them keeps a `fallback` alarm until the portal gives it.

## When it runs

After each session's close, once volumes are final: 18:15 KST, an hour later on days that close an hour late.
It does not run on days without a session. Switched on, it collects the latest session due at once. Through
the portal a session is 39 calls, one a second.

By hand: *Trigger*, with `session` empty for the latest session due and what is unsettled before it, or a
date. Loading a session twice changes nothing.
"""

from __future__ import annotations

from datetime import timedelta

from krxw_airflow.collection import collection_dag
from krxw_airflow.timetable import SessionTimetable

investor_flows = collection_dag(
    "investor_flows", "investor_flow", SessionTimetable(offset=timedelta(hours=2, minutes=45)), __doc__
)
