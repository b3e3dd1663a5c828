"""
## What it does

Takes every paper book of `derived.paper_book` through the sessions that have come in: corporate actions of what it
holds, yesterday's orders at the open, stops and targets, marks, and the orders that follow from the evening's signals.
`mart.position` has what is held, `mart.paper_performance` how each book did; the tables `derived.paper_*` have every
order, fill and position. Each session is one transaction, and what was entered is never rewritten. See
docs/paper-book.md.

## When it runs

When a session of `signal` is announced; the run's partition is that session. Whatever the partition, it works off every
session not yet entered: runs that pile up cost next to nothing. A book that is new starts at the latest session. By
hand: *Trigger*, nothing to fill in.

## Alarms and what to do

- A red `advance`: sessions entered before it stand, the rest is not done yet. Read the log, clear the task.
- *waits for* in the log: a session's bars or signals are not there yet. Load them, or let it be: once five later
  sessions have bars it is passed over, or traded with what there is.
- *is ..., got* in the log: a rule of a book is out of its range. Correct `derived.paper_book.rules`, clear the task.
"""

from __future__ import annotations

import logging

from airflow.sdk import PartitionedAssetTimetable, StartOfDayMapper, dag, task

from krxw_airflow.assets import paper_book_asset, signal_asset
from krxw_airflow.policy import TASK_DEFAULTS

log = logging.getLogger("airflow.task")


@dag(
    schedule=PartitionedAssetTimetable(
        assets=signal_asset(),
        default_partition_mapper=StartOfDayMapper(input_format="%Y-%m-%d", timezone="Asia/Seoul"),
    ),
    catchup=False,
    max_active_runs=1,
    default_args=TASK_DEFAULTS,
    doc_md=__doc__,
    tags=["paper_book", "signal"],
)
def paper_book() -> None:
    """The paper books up to the signals at hand."""

    @task(outlets=[paper_book_asset()])
    def advance() -> dict[str, int]:
        from include.paper_book.advance import advance_books
        from include.settings import load_settings

        report = advance_books(load_settings().warehouse_dsn)
        log.info("%s", report.summary())
        return {
            "books": len(report.books),
            "sessions": sum(book.sessions for book in report.books),
            "trades": sum(book.trades for book in report.books),
        }

    advance()


paper_book()
