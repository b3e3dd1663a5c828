"""Where the time of a load goes: wraps the pipeline's steps with a clock, in this process only."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import psycopg

from include.crawlers.marcap import DailyBarCrawler
from include.pipeline import backfill, commit, ledger, prepare
from include.pipeline.landing import LandingZone
from include.warehouse import staging

# Where each step is looked up when it is called, and what the report calls it.
Steps = Sequence[tuple[Any, str, str]]
FILE_LOADING: Steps = (
    (DailyBarCrawler, "fetch", "read the file"),
    (LandingZone, "land", "land"),
    (DailyBarCrawler, "parse", "parse"),
    (prepare, "mark_violations", "row rules"),
    (commit, "refuse_sessions", "session rules"),
    (staging, "stage", "copy to staging"),
    (commit, "run_suite", "expectation suite"),
    (commit, "load_staged", "insert into the table"),
    (commit, "observation_runs", "instruments"),
    (commit, "record_observations", "instruments"),
    (ledger, "record_loaded", "ledger"),
    (ledger, "record_refused", "ledger"),
    (commit, "store_results", "ledger"),
    (psycopg.Connection, "commit", "commit"),
    (backfill, "write_data_docs", "data docs"),
)


class StepClock:
    """Seconds by step; ``background`` are those of threads that work beside the one that loads."""

    def __init__(self, steps: Steps = FILE_LOADING) -> None:
        self._steps = steps
        self.foreground: defaultdict[str, float] = defaultdict(float)
        self.background: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Times the steps while open."""
        patches = [
            patch.object(owner, name, self._timed(getattr(owner, name), step)) for owner, name, step in self._steps
        ]
        for each in patches:
            each.start()
        try:
            yield
        finally:
            for each in patches:
                each.stop()

    def _timed(self, function: Callable[..., Any], step: str) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                is_main = threading.current_thread() is threading.main_thread()
                (self.foreground if is_main else self.background)[step] += time.perf_counter() - began

        return timed
