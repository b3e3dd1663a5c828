"""Daily bars from Parquet files as cold storage keeps them, with the factors of corporate actions applied."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from include.indicators.factors import Factor, adjusted_rows
from include.indicators.panel import Panel, PanelError
from include.indicators.symbol_rows import session_days

_PRICES = ("high", "low", "close")
_COLUMNS = ("symbol", "session", *_PRICES, "volume")


class _Run(NamedTuple):
    """Neighbouring rows of one symbol."""

    symbol: str
    first_day: int
    start: int
    stop: int


def read_panel(files: Sequence[Path], factors: Sequence[Factor]) -> Panel:
    """The panel of all bars in ``files``, whichever way these divide them; adjusted by ``factors``.

    A file has the columns of the dataset ``daily_bar`` and is sorted by symbol and session, as cold storage writes it.
    There is no index and there are no flows in it. A factor of a symbol without bars is of no account.

    Raises:
        PanelError: there are no files or no bars in them, a file is not sorted, or a bar is not one (see ``Panel``).
        OSError, pyarrow.ArrowException: a file cannot be read, or lacks a column.
    """
    if not files:
        raise PanelError("there are no files of bars")
    # Read one by one: every one of them has its own dictionary of symbols, which need not be made one.
    tables = [
        pq.read_table(path, columns=list(_COLUMNS), read_dictionary=["symbol"], partitioning=None) for path in files
    ]
    bars = pa.concat_tables(tables)
    if not bars.num_rows:
        raise PanelError("there are no bars in the files")
    sessions = session_days(bars)
    runs = sorted(_runs(bars["symbol"], sessions))

    def gathered(values: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([values[run.start : run.stop] for run in runs])

    values = {name: gathered(bars[name].to_numpy()).astype(np.float64) for name in (*_PRICES, "volume")}
    symbols, firsts = np.unique(np.array([run.symbol for run in runs], object), return_index=True)
    ends = np.cumsum([run.stop - run.start for run in runs])
    offsets = np.append(ends[firsts] - [runs[first].stop - runs[first].start for first in firsts], ends[-1])
    sessions = gathered(sessions)
    for name in ("high", "low"):
        values[name][values[name] == 0] = np.nan
    for rows, factor in adjusted_rows(symbols, offsets, sessions, factors):
        for name in _PRICES:
            values[name][rows] *= factor.price_factor
        values["volume"][rows] *= factor.volume_factor
    absent = np.full(len(sessions), np.nan)
    return Panel(
        symbols,
        offsets,
        sessions,
        **values,
        index_close=absent,
        foreign_net_krw=absent,
        institution_net_krw=absent,
        foreign_pct=absent,
        first_obv=absent[: len(symbols)],
    )


def _runs(symbols: pa.ChunkedArray, sessions: NDArray[np.datetime64]) -> list[_Run]:
    runs = []
    begin = 0
    for chunk in symbols.chunks:
        names, codes = chunk.dictionary.to_pylist(), chunk.indices.to_numpy()
        days = sessions[begin : begin + len(codes)].astype(np.int64)
        cuts = [0, *(np.flatnonzero(np.diff(codes)) + 1), len(codes)]
        for start, stop in pairwise(cuts):
            if stop > start:
                runs.append(_Run(names[codes[start]], int(days[start]), begin + int(start), begin + int(stop)))
        begin += len(codes)
    return runs
