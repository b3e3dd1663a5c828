"""Tables whose rows are of symbols and sessions, as Arrow has them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def symbol_runs(rows: pa.Table) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """The symbols in the order of their rows, and where each one's rows begin and the last one's end.

    A symbol whose rows do not stand together is there more than once.
    """
    runs = pc.run_end_encode(rows["symbol"].combine_chunks())
    return runs.values.to_numpy(zero_copy_only=False), np.concatenate(((0,), runs.run_ends.to_numpy().astype(np.int64)))


def session_days(rows: pa.Table) -> NDArray[np.datetime64]:
    """The session of each row, in days."""
    days: NDArray[np.datetime64] = rows["session"].to_numpy().astype("datetime64[D]")
    return days


def row_keys(numbers: NDArray[np.integer], days: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """A number for each symbol's number and day, in their order."""
    return numbers.astype(np.int64) * 1_000_000 + days.astype(np.int64)
