"""Work on what is too large to be handed to other processes: those split off share it."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from threading import Thread
from typing import Any, TypeVar

_MOST_PROCESSES = 4

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

# Of a process split off.
_work: list[Callable[[Any], Any]] = []


def map_in_processes(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
    """``work`` on each of ``items``, in order, by as many processes as there are processors.

    They have what ``work`` holds from this one; only items and results are copied.
    """
    split = multiprocessing.get_context("fork")
    processes = min(_processors(), _MOST_PROCESSES)
    with ProcessPoolExecutor(processes, split, initializer=_begin, initargs=(work,)) as pool:
        yield from pool.map(_do, items)


def _processors() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _begin(work: Callable[[Any], Any]) -> None:
    _work.append(work)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A killed run leaves nobody behind who holds the whole market in memory."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


def _do(item: Any) -> Any:
    return _work[0](item)
