"""``python -m benchmarks.features``: the 14-feature dataset, from Parquet files to the finished table, and qlib's.

The task of qlib's published data-server comparison: 14 features of daily bars of 800 stocks over 2007 to 2020. Ours
reads the files cold storage keeps. Where ``pyqlib`` is installed it makes the same features from its own binary files,
with its own expressions, in the same run: without its caches on one process and on two, and from its dataset cache when
that is filled. Files are in the system's cache for both; imports are not counted.

python -m benchmarks.features ours FOLDER REPEATS, or qlib FOLDER PROCESSES, or cached FOLDER: in a process of its own.
"""

from __future__ import annotations

import importlib.util
import json
import resource
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Annotated, Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import typer
from rich.console import Console

from benchmarks.bar_files import BarFiles, bar_files
from benchmarks.figures import Figures
from include.indicators.bars import read_panel
from include.indicators.features import FEATURES, compute_features, read_features
from include.indicators.panel import Panel
from include.settings import load_settings

SECONDS_AIM = 1.2
DIFFERENCE_AIM = 1e-5
SYMBOLS, SESSIONS = 800, 3_400
_FIELDS = ("high", "low", "close", "volume")
_NO_REDIS = "without the Redis server its locks need: they are left out"


def add_features(
    figures: Figures, home: Path, symbols: int = SYMBOLS, sessions: int = SESSIONS, repeats: int = 3
) -> None:
    """Measure, on files written under ``home`` the first time."""
    files = bar_files(home, symbols, sessions)
    ours = _child("ours", str(files.folder), str(repeats))
    seconds = median(ours["seconds"])
    size = f"{ours['rows']:,} rows from Parquet, aim {SECONDS_AIM} s"
    figures.add("14 features", "", seconds, "s", size, met=seconds <= SECONDS_AIM)
    figures.add("  the first time in a process", "", ours["seconds"][0], "s")
    figures.add("  peak memory", "", ours["peak_rss_bytes"] / 1e6, "MB")
    if importlib.util.find_spec("qlib") is None:
        figures.not_measured.append("qlib's 14 features: pyqlib is not installed (pip install pyqlib)")
        return
    for processes in (1, 2):
        found = _child("qlib", str(files.folder), str(processes))
        figures.add(f"qlib, no cache, {processes} processes", "", found["seconds"], "s", f"{found['rows']:,} rows")
        if processes == 1:
            _add_differences(figures, found["differences"])
    if importlib.util.find_spec("tables") is None:
        figures.not_measured.append("qlib's dataset cache: tables is not installed (pip install tables)")
        return
    cached = _child("cached", str(files.folder))
    figures.add("qlib, its dataset cache filled", "", cached["seconds"], "s", _NO_REDIS)


def _add_differences(figures: Figures, differences: list[dict[str, Any]]) -> None:
    for found in differences:
        against = (
            f"{found['compared']:,} values; null in ours only {found['ours_null']:,}, in qlib's {found['qlib_null']:,}"
        )
        met = found["largest"] <= DIFFERENCE_AIM
        figures.add(f"  {found['name']} - qlib's, x 1e-5", "", found["largest"] / 1e-5, "", against, met=met)


def _child(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.features", *arguments]
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return found


def _ours(files: BarFiles, repeats: int) -> dict[str, Any]:
    factors = files.factors()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        table = read_features(files.files, factors)
        seconds.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"seconds": seconds, "rows": table.num_rows, "peak_rss_bytes": peak}


def _single_precision(panel: Panel) -> Panel:
    """The panel with the values qlib's files hold: it keeps single precision only."""
    return replace(panel, **{name: getattr(panel, name).astype(np.float32).astype(np.float64) for name in _FIELDS})


def _write_qlib(panel: Panel, root: Path) -> None:
    """qlib's own store: a calendar, a list of instruments, and a binary file per instrument and field."""
    days = np.unique(panel.sessions)
    for folder in ("calendars", "instruments", "features"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "calendars" / "day.txt").write_text("".join(f"{day}\n" for day in days))
    lines = []
    for number, symbol in enumerate(panel.symbols):
        rows = slice(panel.offsets[number], panel.offsets[number + 1])
        sessions, traded = panel.sessions[rows], panel.traded[rows]
        places = np.searchsorted(days, sessions)
        lines.append(f"{symbol}\t{sessions[0]}\t{sessions[-1]}\n")
        folder = root / "features" / symbol.lower()
        folder.mkdir(exist_ok=True)
        for name in _FIELDS:
            stored = np.full(places[-1] - places[0] + 2, np.nan, "<f4")
            stored[0] = places[0]
            stored[1 + places - places[0]] = np.where(traded, getattr(panel, name)[rows], np.nan)
            stored.tofile(folder / f"{name}.day.bin")
    (root / "instruments" / "all.txt").write_text("".join(lines))


def _prepared(files: BarFiles) -> tuple[Panel, Path]:
    panel = _single_precision(read_panel(files.files, files.factors()))
    root = files.folder / "qlib"
    if not (root / "instruments" / "all.txt").is_file():
        _write_qlib(panel, root)
    return panel, root


def _qlib(files: BarFiles, processes: int) -> dict[str, Any]:
    import qlib

    panel, root = _prepared(files)
    qlib.init(provider_uri=str(root), kernels=processes, expression_cache=None, dataset_cache=None, logging_level=30)
    began = time.perf_counter()
    frame = _ask(panel, disk_cache=0)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "rows": len(frame), "differences": list(_differences(panel, frame))}


def _cached(files: BarFiles) -> dict[str, Any]:
    import qlib
    from qlib.data import cache

    panel, root = _prepared(files)
    with (
        patch("qlib.utils.can_use_cache", lambda: True),
        patch.object(cache, "get_redis_connection", lambda: None),
        patch.object(cache.CacheUtils, "reader_lock", lambda *_: nullcontext()),
        patch.object(cache.CacheUtils, "writer_lock", lambda *_: nullcontext()),
    ):
        caches = {"expression_cache": "DiskExpressionCache", "dataset_cache": "DiskDatasetCache"}
        qlib.init(provider_uri=str(root), kernels=2, logging_level=30, **caches)
        _ask(panel, disk_cache=1)
        began = time.perf_counter()
        frame = _ask(panel, disk_cache=1)
        return {"seconds": time.perf_counter() - began, "rows": len(frame)}


def _ask(panel: Panel, disk_cache: int) -> pd.DataFrame:
    from qlib.data import D

    expressions = [feature.expression for feature in FEATURES]
    first, last = str(panel.sessions.min()), str(panel.sessions.max())
    frame: pd.DataFrame = D.features(D.instruments("all"), expressions, first, last, disk_cache=disk_cache)
    return frame


def _differences(panel: Panel, frame: pd.DataFrame) -> list[dict[str, Any]]:
    """By feature, over the sessions where both have so many traded sessions in a row that definitions agree."""
    ours = compute_features(panel)
    days = np.unique(panel.sessions)
    rows = np.arange(len(panel.sessions))
    broken = ~panel.traded
    broken[1:] |= np.diff(np.searchsorted(days, panel.sessions)) != 1
    broken[panel.offsets[:-1]] = True
    age = rows - np.maximum.accumulate(np.where(broken, rows, 0))
    symbols = np.repeat(panel.symbols, np.diff(panel.offsets))
    wanted = pd.MultiIndex.from_arrays([symbols, pd.DatetimeIndex(panel.sessions.astype("datetime64[ns]"))])
    theirs = frame.reindex(wanted).to_numpy()
    found = []
    for column, feature in enumerate(FEATURES):
        own, their = ours[feature.name].to_numpy(), theirs[:, column]
        settled = age > feature.settled
        has_own, has_their = np.isfinite(own) & settled, np.isfinite(their) & settled
        both = has_own & has_their
        difference = np.abs(own[both] - their[both]) / np.maximum(1, np.abs(their[both]))
        found.append(
            {
                "name": feature.name,
                "compared": int(both.sum()),
                "largest": float(difference.max(initial=0)),
                "ours_null": int((has_their & ~has_own).sum()),
                "qlib_null": int((has_own & ~has_their).sum()),
            }
        )
    return found


def main(
    symbols: Annotated[int, typer.Option(help="Rows of a session, about.", min=1)] = SYMBOLS,
    sessions: Annotated[int, typer.Option(help="Sessions of bars.", min=1)] = SESSIONS,
    repeats: Annotated[int, typer.Option(help="Times ours is made; the median counts.", min=1)] = 3,
) -> None:
    """Measure the dataset on this machine, with nothing else running."""
    home = load_settings().home / "bench"
    home.mkdir(parents=True, exist_ok=True)
    figures = Figures(f"14 features, {sessions:,} sessions of {symbols:,} symbols")
    add_features(figures, home, symbols, sessions, repeats)
    console = Console()
    console.print(figures.table())
    for reason in figures.not_measured:
        console.print(f"[yellow]Not measured:[/] {reason}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["ours"]:
        print(json.dumps(_ours(BarFiles(Path(sys.argv[2]), 0, 0), int(sys.argv[3]))))
    elif sys.argv[1:2] == ["qlib"]:
        print(json.dumps(_qlib(BarFiles(Path(sys.argv[2]), 0, 0), int(sys.argv[3]))))
    elif sys.argv[1:2] == ["cached"]:
        print(json.dumps(_cached(BarFiles(Path(sys.argv[2]), 0, 0))))
    else:
        typer.run(main)
