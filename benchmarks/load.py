"""One load of yearly files into an empty warehouse, in a process of its own: its time, its steps, its memory.

python -m benchmarks.load DSN HOME FOLDER FIRST LAST
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path


@dataclass(frozen=True)
class LoadResult:
    """``seconds`` are from the files' bytes to the last committed row, without ``import_seconds``."""

    rows: int
    seconds: float
    import_seconds: float
    foreground: dict[str, float]
    background: dict[str, float]
    peak_rss_bytes: int

    @property
    def rows_per_second(self) -> float:
        """Of the load."""
        return self.rows / self.seconds


def load_in_child(dsn: str, home: Path, folder: Path, first: date, last: date) -> LoadResult:
    """Run this module as a program, with ``home`` emptied first: nothing has been landed yet."""
    shutil.rmtree(home, ignore_errors=True)
    arguments = [dsn, str(home), str(folder), str(first), str(last)]
    finished = subprocess.run(
        [sys.executable, "-m", "benchmarks.load", *arguments], stdout=subprocess.PIPE, text=True, check=True
    )
    return LoadResult(**json.loads(finished.stdout.splitlines()[-1]))


def _load(dsn: str, home: str, folder: str, first: str, last: str) -> LoadResult:
    began = time.perf_counter()
    from benchmarks.step_clock import StepClock
    from include.pipeline.backfill import backfill
    from include.quality.validate import prepare_great_expectations
    from include.settings import load_settings

    prepare_great_expectations()
    settings = load_settings({"KRXW_HOME": home, "KRXW_WAREHOUSE_DSN": dsn})
    clock = StepClock()
    imported = time.perf_counter()
    with clock.running():
        reports = backfill(
            settings, "daily_bar", date.fromisoformat(first), date.fromisoformat(last), source="marcap", path=folder
        )
    seconds = time.perf_counter() - imported
    wrong = [report.summary() for report in reports if report.status != "loaded"]
    if wrong:
        raise RuntimeError("\n".join(wrong))
    return LoadResult(
        rows=sum(report.rows_inserted for report in reports),
        seconds=seconds,
        import_seconds=imported - began,
        foreground=dict(clock.foreground),
        background=dict(clock.background),
        peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    )


if __name__ == "__main__":
    print(json.dumps(asdict(_load(*sys.argv[1:]))))
