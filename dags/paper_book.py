"""
## What it does

Takes every paper book of `derived.paper_book` through the sessions that have come in: corporate actions of what it
holds, yesterday's orders at the open, stops and targets, marks, and the orders that follow from the evening's signals.
`mart.position` has what is held, `mart.paper_performance` how each book did; the tables `derived.paper_*` have every
order, fill and position. Each session is one transaction, and what was entered is never rewritten. See
docs/paper-book.md.

## When it runs

When a session of `signal` is announced; the run's partition is that session. Whatever the partition, it works off every
session not yet entered: runs that pile up cost next to nothing. A book that is new starts at the latest session. A book
that cannot be taken on does not stop the others. By hand: *Trigger*, nothing to fill in.

## Alarms and what to do

- A red `advance`: sessions entered before it stand, the rest is not done yet. Read the log, clear the task.
- *is behind*: a book waits for bars or flows of a session although two later ones have bars, or more. The message says
  for what: load it. Left as it is, the session is passed over once five later ones have bars, or traded
  with what there is, and every run stays red until the book has caught up. *waits for* in a green run is no alarm.
- *BooksNotAdvancedError*: the books it names stand still, the others went on. *is ..., got*: a rule is out of its
  range; *no strategy is called*: a strategy of the book was renamed or retired; *the calendar ends*: its first session
  is wrong. Correct the row in `derived.paper_book`, clear the task.
"""

from __future__ import annotations

import logging
from typing import Any

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
    def advance() -> dict[str, Any]:
        from include.paper_book.advance import advance_books
        from include.settings import load_settings

        report = advance_books(load_settings().warehouse_dsn)
        log.info("%s", report.summary())
        report.require_in_time()
        return {
            "books": len(report.books),
            "sessions": sum(book.sessions for book in report.books),
            "trades": sum(book.trades for book in report.books),
            "waits_for": {book.book: book.waits_for for book in report.books if book.waits_for},
        }

    advance()


paper_book()
